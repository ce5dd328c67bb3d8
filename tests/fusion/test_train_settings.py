"""Settings, rows and tokens of fine-tuning: what is refused, and what is learnt."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import tiny_tokenizer
from training_rows import CHAT, row, said

from fusion.training.config import make_config, read_config
from fusion.training.encoding import IGNORED, _shared, check_template, encode
from fusion.training.loading import check_devices, model_digest
from fusion.training.rows import TrainingRow, data_file, read_rows, validation_file
from graphrouter.errors import UserError
from graphrouter.settings import configs_folder

CONFIGS = sorted(file.stem for file in (configs_folder() / "train").glob("*.yaml"))


def config(**values: Any) -> Any:
    return make_config({"model": "m", "data": "d", **values})


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_loads_and_does_what_its_name_says(name: str) -> None:
    made = read_config(name, ["model=m", "data=d"])
    assert made.tuning == ("lora" if name == "lora" else "full")
    assert made.method == {"sft": "sft", "lora": "sft", "dpo": "dpo", "sft_dpo": "sft+dpo"}[name]


def test_overrides_lie_over_options_and_these_over_the_file() -> None:
    made = read_config("dpo", ["model=a", "data=b", "dpo.beta=0.2", "seed=3"], chat_template="t.jinja")
    assert (made.dpo.beta, made.dpo.epochs, made.seed, made.chat_template) == (0.2, 1.0, 3, "t.jinja")
    assert made.stages == ("dpo",)
    assert config(method="sft+dpo").stages == ("sft", "dpo")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rte": 1e-4}, "unknown key 'learning_rte'; did you mean 'learning_rate'"),
        ({"lora": {"rnk": 4}}, "unknown key 'lora.rnk'; did you mean 'rank'"),
        ({"epochs": "many"}, "epochs is of the wrong type"),
        ({"model": ""}, "must name a model"),
        ({"data": ""}, "must name a data"),
        ({"method": "spt"}, "method must be one of sft, dpo, sft\\+dpo, but is 'spt'; did you mean 'sft'"),
        ({"tuning": "half"}, "tuning must be one of full, lora"),
        ({"precision": "fp16"}, "precision must be one of"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"epochs": 0}, "epochs must be above 0, but is 0"),
        ({"max_steps": 0}, "max_steps must be 1 or more"),
        ({"warmup": 1.0}, "warmup must be 0 or more and below 1, but is 1.0"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"dpo": {"beta": 0}}, "dpo.beta must be above 0"),
        ({"lora": {"targets": []}}, "lora.targets must name layers"),
        ({"patience": 2, "validation": None}, "patience needs validation rows"),
    ],
)
def test_a_bad_setting_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        config(**values)


@pytest.mark.parametrize(
    ("stage", "line", "message"),
    [
        ("sft", "[1]", "must be a JSON object, but is list"),
        ("sft", "{", "must be JSON"),
        ("sft", '{"text": "a"}', "must have prompt and completion, or messages, but has text"),
        ("sft", '{"prompt": "a", "completion": "b"}', "prompt must be a list of messages"),
        ("sft", '{"prompt": [{"role": "usr", "content": "a"}], "completion": []}', "a message must have a role"),
        ("sft", '{"messages": [{"role": "assistant", "content": "a"}]}', "a question and its answer"),
        (
            "sft",
            json.dumps({"messages": [said("user", "a"), said("user", "b")]}),
            "must end with what the assistant says",
        ),
        ("sft", json.dumps({"prompt": [said("user", "a")], "completion": [said("assistant", " ")]}), "must end with"),
        ("dpo", json.dumps({"prompt": [said("user", "a")], "completion": []}), "must have prompt, chosen and rejected"),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, stage: str, line: str, message: str) -> None:
    good = json.dumps({"prompt": [said("user", "a")], "completion": [said("assistant", "b")]}) + "\n"
    if stage == "dpo":
        good = good.replace("completion", "chosen").replace(
            "}]}", '}], "rejected": [{"role": "assistant", "content": "c"}]}'
        )
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{good}\n{line}\n")
    with pytest.raises(UserError, match=f"rows.jsonl, line 3: .*{message}"):
        read_rows(file, stage)


def test_both_forms_of_a_row_are_read_alike_and_their_other_keys_left(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    turns = [said("system", "s"), said("user", "q"), said("assistant", "a")]
    forms = [{"prompt": turns[:2], "completion": turns[2:], "task": "t"}, {"messages": turns}]
    file.write_text("".join(json.dumps(form) + "\n" for form in forms))
    rows = read_rows(file, "sft")
    assert rows[0] == rows[1] == TrainingRow(turns[:2], turns[2:], [])


def test_a_folder_gives_each_stage_its_file(tmp_path: Path) -> None:
    (tmp_path / "messages.jsonl").touch()
    assert data_file(str(tmp_path), "sft").name == "messages.jsonl"
    (tmp_path / "sft.jsonl").touch()
    assert data_file(str(tmp_path), "sft").name == "sft.jsonl"
    with pytest.raises(UserError, match=r"the method dpo needs preferences.jsonl in .*, but it has none"):
        data_file(str(tmp_path), "dpo")
    with pytest.raises(UserError, match="must be a folder of fusion select or a JSONL file"):
        data_file(str(tmp_path / "none"), "sft")
    with pytest.raises(UserError, match="must hold rows to train on, but is empty"):
        read_rows(tmp_path / "sft.jsonl", "sft")


def test_validation_rows_are_those_that_came_with_the_selection(tmp_path: Path) -> None:
    made = config(data=str(tmp_path), method="sft+dpo")
    assert validation_file(made, "sft") is None
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation" / "sft.jsonl").touch()
    (tmp_path / "other.jsonl").touch()
    assert validation_file(made, "sft") == tmp_path / "validation" / "sft.jsonl"
    assert validation_file(made, "dpo") is None
    assert validation_file(config(data=str(tmp_path), validation=None), "sft") is None
    other = str(tmp_path / "other.jsonl")
    assert validation_file(config(data=str(tmp_path), validation=other), "sft") == tmp_path / "other.jsonl"
    with pytest.raises(UserError, match="patience needs validation rows for dpo, but there are none"):
        validation_file(config(data=str(tmp_path), method="dpo", patience=1), "dpo")


def test_only_the_completion_and_its_end_bear_loss() -> None:
    tokenizer = tiny_tokenizer(CHAT)
    found = encode([row("what is 12?", "the answer"), row("is it?", "no")], tokenizer, None, "sft")
    for ids, labels, answer in zip(found.completions, found.labels, ["the answer", "no"], strict=True):
        begin = next(place for place, label in enumerate(labels) if label != IGNORED)
        assert labels[begin:] == ids[begin:]
        assert tokenizer.decode(ids[begin:]) == f"{answer}</s>"
        assert tokenizer.decode(ids[:begin]).endswith("<s>assistant:\n")
    assert found.bent == 0


def test_rows_that_are_too_long_are_left_out_and_counted() -> None:
    tokenizer = tiny_tokenizer(CHAT)
    rows = [row("a", "b", "c"), row("a", "b", "dog " * 50), row("a " * 50, "b", "c"), row("d", "e", "f")]
    found = encode(rows, tokenizer, 40, "dpo")
    assert found.rows == [rows[0], rows[3]]
    assert len(found.completions) == len(found.rejected) == len(found.prompts) == 2
    assert (found.skipped, found.longest > 40) == (2, True)
    with pytest.raises(UserError, match="must fit into 5 tokens, but none of 4 does"):
        encode(rows, tokenizer, 5, "dpo")


def test_a_prompt_that_changes_once_it_is_answered_is_counted() -> None:
    bent = CHAT.replace("<s>assistant:\n{% endif %}", "<s>assistant:\nhm{% endif %}")
    found = encode([row("a", "b")], tiny_tokenizer(bent), None, "sft")
    assert found.bent == 1
    assert found.labels[0].count(IGNORED) == found.prompts[0] > 0


def test_a_rejected_response_may_change_the_prompt_too() -> None:
    spaced = CHAT.replace("{{ m.role }}:\n", "{{ m.role }}: ").replace(
        "<s>assistant:\n{% endif %}", "<s>assistant: {% endif %}"
    )
    rows = [row("a", "\nb", "\nc"), row("a", "\nb", "the"), row("a", "the", "\nc")]
    assert [encode([one], tiny_tokenizer(spaced), None, "dpo").bent for one in rows] == [0, 1, 1]


def test_a_template_that_refuses_a_row_is_an_error() -> None:
    strict = CHAT.replace(
        "<s>{{ m.role", "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}<s>{{ m.role"
    )
    with pytest.raises(UserError, match="must write every row, but refuses one: no system"):
        encode(
            [TrainingRow([said("system", "s"), said("user", "q")], [said("assistant", "a")], [])],
            tiny_tokenizer(strict),
            None,
            "",
        )


def test_a_tokenizer_needs_a_template_that_ends_an_answer() -> None:
    check_template(tiny_tokenizer(CHAT), frozenset([1]), "m")
    with pytest.raises(UserError, match="tokenizer of m must have a chat template.*--chat-template"):
        check_template(tiny_tokenizer(None), frozenset([1]), "m")
    questions_only = CHAT.replace("</s>", "{% if m.role == 'user' %}</s>{% endif %}")
    for endless in (CHAT.replace("</s>", ""), questions_only):
        with pytest.raises(UserError, match="must end an answer with an end token \\(</s>\\)"):
            check_template(tiny_tokenizer(endless), frozenset([1]), "m")


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_shared_is_the_longest_common_beginning(first: list[int], second: list[int]) -> None:
    shared = _shared(first, second)
    assert first[:shared] == second[:shared]
    assert shared == min(len(first), len(second)) or first[shared] != second[shared]


def test_the_digest_of_a_model_follows_its_weights(tmp_path: Path) -> None:
    assert model_digest("owner/name") == "owner/name"
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"a" * 10)
    before = model_digest(str(tmp_path))
    (tmp_path / "README.md").write_text("x")
    assert model_digest(str(tmp_path)) == before
    (tmp_path / "model.safetensors").write_bytes(b"a" * 9 + b"b")
    assert model_digest(str(tmp_path)) != before


def test_devices_that_training_cannot_take_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    assert check_devices("cpu") == "cpu"
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: True, device_count=lambda: 2))
    with pytest.raises(
        UserError, match="2 GPUs are visible, but one process was started; start with 'accelerate launch"
    ):
        check_devices("auto")
    with pytest.raises(UserError, match="cuda:1 was named; set CUDA_VISIBLE_DEVICES"):
        check_devices("cuda:1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert check_devices("auto") == "cuda"


@pytest.mark.parametrize("words", [["modle=x"], ["max_steps=0", "model=x", "data=y"], ["lora.rank=many"]])
def test_a_mistake_on_the_command_line_is_blamed_on_it(words):
    with pytest.raises(UserError, match="^the command line: "):
        read_config("sft", words)
