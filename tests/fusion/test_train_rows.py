"""Training rows as people write them: what is learnt, what is left out and counted, and what is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_tokenizer
from training_rows import CHAT, row, said

from fusion.training.encoding import encode
from fusion.training.rows import RowTally, TrainingRow, read_rows
from graphrouter.errors import UserError

S, Q, R, A, B = (
    said(*one) for one in (("system", "s"), ("user", "q"), ("user", "r"), ("assistant", "a"), ("assistant", "b"))
)


def write(folder: Path, *rows: Any) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in rows))
    return file


def weighed(message: dict[str, str], weight: Any) -> dict[str, Any]:
    return message | {"weight": weight}


LABELLED, WEIGHED = {"labelled as bad": 1}, {"with weight 0 on what would be learnt": 1}


@pytest.mark.parametrize(
    ("values", "learnt", "left_out"),
    [
        ({"messages": [Q, A], "label": True}, [([Q], [A])], {}),
        ({"messages": [Q, A], "label": False}, [], LABELLED),
        ({"messages": [Q, A], "label": 0}, [], LABELLED),
        ({"messages": [Q, A], "kto_tag": False}, [], LABELLED),
        ({"prompt": [Q], "completion": [A], "label": False}, [], LABELLED),
        ({"prompt": "text", "completion": "text", "label": False}, [], LABELLED),
        ({"messages": [Q, weighed(A, 0)]}, [], WEIGHED),
        ({"messages": [Q, weighed(A, 1)]}, [([Q], [A])], {}),
        ({"messages": [Q, weighed(A, None)]}, [([Q], [A])], {}),
        ({"prompt": [Q], "completion": [weighed(A, 0)]}, [], WEIGHED),
        ({"messages": [Q, weighed(A, 0), R, B]}, [([Q, A, R], [B])], {}),
        ({"messages": [Q, A, R, weighed(B, 0)]}, [], WEIGHED),
        ({"messages": [Q, weighed(A, 1), R, weighed(B, 0)]}, [([Q], [A])], {}),
        ({"messages": [Q, weighed(A, 1), R, weighed(B, 1)]}, [([Q], [A]), ([Q, A, R], [B])], {}),
        ({"messages": [weighed(S, 0), weighed(Q, 0), A]}, [([S, Q], [A])], {}),
        # what the user says in a completion is not learnt
        ({"prompt": [Q], "completion": [A, R, B]}, [([Q], [A]), ([Q, A, R], [B])], {}),
        ({"prompt": [S], "completion": [Q, A]}, [([S, Q], [A])], {}),
        ({"prompt": [Q], "completion": [Q, A]}, [([Q], [A])], {}),
        ({"messages": [Q, A], "tools": [], "functions": None, "system": ""}, [([Q], [A])], {}),
        ({"messages": [Q | {"content": [{"type": "text", "text": "q"}]}, A]}, [([Q], [A])], {}),
        ({"messages": [Q | {"content": ["q", {"text": "r"}]}, A]}, [([said("user", "qr")], [A])], {}),
        # ultrachat has the first question beside its messages
        ({"prompt": "q", "prompt_id": "1", "messages": [Q, A]}, [([Q], [A])], {}),
    ],
)
def test_what_of_a_row_is_learnt(tmp_path: Path, values: Any, learnt: Any, left_out: Any) -> None:
    tally, more = RowTally(), {"messages": [R, B]}
    rows = read_rows(write(tmp_path, values, more), "sft", tally)
    assert rows == [TrainingRow(*one, []) for one in [*learnt, ([R], [B])]]
    assert dict(tally.left_out) == left_out


@pytest.mark.parametrize(
    ("values", "pair"),
    [
        ({"prompt": [Q], "chosen": [Q, A], "rejected": [Q, B]}, ([Q], [A], [B])),
        ({"prompt": [Q], "chosen": [Q, A], "rejected": [B]}, ([Q], [A], [B])),
        ({"prompt": [S, Q], "chosen": [Q, A], "rejected": [S, Q, B]}, ([S, Q], [A], [B])),
        ({"prompt": [said("user", "q\n")], "chosen": [Q, A], "rejected": [Q, B]}, ([said("user", "q\n")], [A], [B])),
        ({"prompt": [Q, A, R], "chosen": [Q, A, R, A], "rejected": [R, B]}, ([Q, A, R], [A], [B])),
        ({"prompt": [S], "chosen": [Q, A], "rejected": [Q, B]}, ([S, Q], [A], [B])),
        ({"chosen": [Q, A], "rejected": [Q, B]}, ([Q], [A], [B])),
        ({"prompt": None, "chosen": [Q, A, R, A], "rejected": [Q, A, R, B]}, ([Q, A, R], [A], [B])),
        # UltraFeedback has the question as text, and whole conversations
        ({"prompt": "q", "chosen": [Q, A], "rejected": [Q, B], "messages": [Q, A]}, ([Q], [A], [B])),
        ({"prompt": [Q], "chosen": [A, R, A], "rejected": [A, R, B]}, ([Q], [A, R, A], [A, R, B])),
        ({"prompt": [Q], "chosen": [weighed(A, 1)], "rejected": [B], "label": True}, ([Q], [A], [B])),
    ],
)
def test_a_prompt_stands_once_in_a_pair(tmp_path: Path, values: Any, pair: Any) -> None:
    assert read_rows(write(tmp_path, values), "dpo") == [TrainingRow(*pair)]


@pytest.mark.parametrize(
    ("stage", "values", "said_so"),
    [
        ("sft", {"messages": [Q, A], "label": None}, "label must be true or false"),
        ("sft", {"messages": [Q, A], "label": "bad"}, "label must be true or false.*'bad'"),
        ("sft", {"messages": [Q, A], "label": 3}, "rename the key"),
        ("sft", {"messages": [Q, weighed(A, 0.5)]}, "weight of a message must be 0 or 1, but is 0.5"),
        ("sft", {"messages": [Q, weighed(A, "0")]}, "weight of a message must be 0 or 1, but is '0'"),
        ("sft", {"messages": [weighed(Q, 1), A]}, "only what the assistant says can be learnt"),
        ("sft", {"messages": [Q, A], "weight": 0}, "rows count alike, but this one has weight 0"),
        ("sft", {"messages": [Q, A], "tools": [{"type": "function"}]}, "the row has tools"),
        ("sft", {"messages": [Q, A], "functions": [{"name": "f"}]}, "the row has functions"),
        ("sft", {"messages": [Q, A], "system": "be brief"}, "the row has system"),
        ("sft", {"messages": [Q, A | {"tool_calls": [{"id": 1}]}]}, "has tool_calls"),
        ("sft", {"messages": [Q, {"role": "assistant", "content": None, "tool_calls": [1]}, A]}, "has tool_calls"),
        ("sft", {"messages": [Q, A | {"function_call": {"name": "f"}}]}, "has function_call"),
        ("sft", {"messages": [Q, A | {"train": False}]}, "has train; write weight: 0 or 1"),
        (
            "sft",
            {"messages": [Q | {"content": [{"type": "image_url", "image_url": {}}]}, A]},
            "must have a role .* and text",
        ),
        ("sft", {"messages": [Q, A | {"content": []}]}, "must have a role .* and text"),
        ("sft", {"messages": [Q, A | {"content": None}]}, "must have a role .* and text"),
        ("sft", {"messages": [said("developer", "s"), Q, A]}, "write system in place of developer"),
        ("sft", {"messages": [said("User", "q"), A]}, "write user in place of User"),
        ("sft", {"messages": [Q, said("function", "f"), A]}, "write tool in place of function"),
        ("sft", {"messages": [{"from": "human", "value": "q"}]}, "rename from to role"),
        ("sft", {"messages": [Q, A, R]}, "must end with what the assistant says"),
        ("sft", {"messages": [Q, said("assistant", "")]}, "must end with what the assistant says"),
        ("sft", {"messages": [Q, weighed(said("assistant", " "), 1), R, A]}, "give that turn weight 0"),
        ("sft", {"prompt": [Q, A], "completion": [A]}, "completion must answer the prompt, but only repeats it"),
        ("sft", {"prompt": [Q], "completion": [R, A]}, "completion must answer the prompt, but asks again"),
        ("sft", {"prompt": "q", "completion": "a"}, "prompt must be a list of messages.*but is text; write"),
        ("sft", {"conversations": [{"from": "human", "value": "q"}]}, "has conversations; this is ShareGPT's form"),
        ("sft", {"conversations": [{"from": "human", "value": "q"}], "system": "s"}, "this is ShareGPT's form"),
        ("sft", {"instruction": "i", "input": "", "output": "o"}, "this is Alpaca's form"),
        ("sft", "[" * 100_000, "must be JSON"),
        ("dpo", {"input": {"messages": [Q]}, "preferred_output": [A], "non_preferred_output": [B]}, "OpenAI's form"),
        ("dpo", {"chosen": [A], "rejected": [B]}, "must have prompt, chosen and rejected"),
        ("dpo", {"chosen": [Q, A], "rejected": [R, B]}, "must answer one prompt"),
        ("dpo", {"prompt": [Q], "chosen": [R, A], "rejected": [R, B]}, "chosen must answer the prompt, but asks again"),
        ("dpo", {"prompt": [S], "chosen": [Q, A], "rejected": [B]}, "must answer one prompt"),
        ("dpo", {"prompt": "other", "chosen": [Q, A], "rejected": [Q, B]}, "remove one of them"),
        ("dpo", {"prompt": [Q], "chosen": [weighed(A, 0)], "rejected": [B]}, "one has weight 0"),
        ("dpo", {"prompt": [Q], "chosen": [A], "rejected": [said("assistant", "")]}, "rejected must end with"),
    ],
)
def test_what_would_be_learnt_wrongly_is_refused_with_its_line(
    tmp_path: Path, stage: str, values: Any, said_so: str
) -> None:
    good = {"messages": [Q, A], "prompt": [Q], "chosen": [A], "rejected": [B]}
    with pytest.raises(UserError, match=f"rows.jsonl, line 2: .*{said_so}") as caught:
        read_rows(write(tmp_path, good, values), stage)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (r"x \ud83d y", "x \ufffd y"),
        (r"x \ude00", "x \ufffd"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_half_surrogates_are_mended_wherever_they_stand(tmp_path: Path, text: str, mended: str) -> None:
    line = '{"prompt": [Q], "chosen": [A], "rejected": [B], "messages": [Q, A]}'
    for name, role in {"Q": "user", "A": "assistant", "B": "assistant"}.items():
        line = line.replace(f"[{name}", f'[{{"role": "{role}", "content": "{name}{text}"}}').replace(
            f", {name}]", f', {{"role": "{role}", "content": "{name}{text}"}}]'
        )
    for stage, parts in {"sft": 2, "dpo": 3}.items():
        (found,) = read_rows(write(tmp_path, line), stage)
        texts = [message["content"] for part in found for message in part]
        assert texts == [f"{name}{mended}" for name in "QAB"[:parts]]
        encode([found], tiny_tokenizer(CHAT), None, stage)


def test_keys_that_are_not_read_are_counted(tmp_path: Path) -> None:
    tally = RowTally()
    named = {"messages": [Q | {"name": "ann"}, A | {"name": None, "refusal": None}], "source": "x"}
    thinking = {"messages": [Q | {"name": "bob"}, A | {"reasoning_content": "hm"}]}
    rows = read_rows(write(tmp_path, named, {"messages": [Q, A]}, thinking), "sft", tally)
    assert rows == [TrainingRow([Q], [A], [])] * 3
    assert dict(tally.dropped) == {"name": 2, "reasoning_content": 1}


def test_a_file_of_which_nothing_is_learnt_says_why(tmp_path: Path) -> None:
    bad = {"messages": [Q, A], "label": False}
    file = write(tmp_path, bad, bad, {"messages": [Q, weighed(A, 0)]})
    with pytest.raises(UserError, match="all 3 are left out: 2 labelled as bad, 1 with weight 0"):
        read_rows(file, "sft")


def test_pairs_that_do_not_differ_are_left_out_and_counted() -> None:
    tokenizer = tiny_tokenizer(CHAT)
    rows = [row("a", "b", "b"), row("a", "b", "c"), row("a", "b", "b")]
    found = encode(rows, tokenizer, None, "dpo")
    assert (found.rows, found.alike, found.skipped) == ([rows[1]], 2, 0)
    assert len(found.completions) == len(found.rejected) == len(found.prompts) == 1
    with pytest.raises(UserError, match="must have pairs that differ, but of 2 2 have a chosen response equal"):
        encode(rows[::2], tokenizer, None, "dpo")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"messages": [Q, A]}), encoding="utf-8-sig")
    assert read_rows(file, "sft") == [TrainingRow([Q], [A], [])]
