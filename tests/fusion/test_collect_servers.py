"""``fusion collect`` against a server that counts oddly, breaks off, refuses or hangs: its budget, its journal, its words."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from servers import Call, ChatServer, Say, completion
from tiny_models import save_tiny

from fusion.answers import Answers, request_key
from fusion.asking import LLMJob
from fusion.cli import main
from fusion.engines.base import Completion, Request, Sampling
from fusion.journal import Journal
from fusion.llms import LLM
from graphrouter.errors import UserError
from graphrouter.log import LLMLog

QUESTIONS = 20
MOST = (len("say word00") + 50 + 6 * 2) / 1e6
"""What one try can cost: a token for each byte, 50 for the template, and 6 of the response."""


class Work:
    """A task of 20 questions, and one LLM behind a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rows = [{"id": f"{n}", "question": f"say word{n:02}", "ground_truth": f"WORD{n:02}"} for n in range(QUESTIONS)]
        (folder / "words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        about = {"name": "words", "metric": "exact_match", "prompts": {"direct": "{question}"}}
        (folder / "words.yaml").write_text(yaml.safe_dump(about | {"max_tokens": {"direct": 6}}))

    def words(self, server: ChatServer, *options: str, **llm: Any) -> list[str]:
        """Return the words of a command; writes the LLMs' file."""
        known = {"name": "a", "model": "tiny", "base_url": server.url, "input_price": 1, "output_price": 2}
        quick = {"backoff_s": 0.01, "timeout_s": 5.0, "max_retries": 2, "concurrency": 4}
        (self.folder / "llms.yaml").write_text(yaml.safe_dump({"llms": [known | quick | llm]}))
        files = {"tasks": self.folder / "words.yaml", "llms": self.folder / "llms.yaml", "out": self.folder / "log"}
        return [
            "collect",
            "--quiet",
            *(word for name, file in files.items() for word in (f"--{name}", f"{file}")),
            *options,
        ]

    def run(self, server: ChatServer, *options: str, **llm: Any) -> int:
        return main(self.words(server, *options, **llm))

    @property
    def journal(self) -> Path:
        return self.folder / "log" / "collect" / "answers.jsonl"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def used(usage: Any) -> dict[str, Any]:
    return completion("word", usage=usage)


UNKNOWN = {
    "no usage": Say({"choices": [{"message": {"content": "word"}}]}),
    "null": Say(used(None)),
    "zeros": Say(used({"prompt_tokens": 0, "completion_tokens": 0})),
    "a zero": Say(used({"prompt_tokens": 9, "completion_tokens": 0})),
    "nulls": Say(used({"prompt_tokens": None, "completion_tokens": None})),
    "negative": Say(used({"prompt_tokens": -5, "completion_tokens": -7})),
    "texts": Say(used({"prompt_tokens": "9", "completion_tokens": "much"})),
    "huge": Say(used({"prompt_tokens": 10**400, "completion_tokens": 1e300})),
    "more digits than Python reads": Say(
        json.dumps(used({"prompt_tokens": 1})).replace(": 1}", f": 1{'0' * 5000}}}").encode()
    ),
    "a list": Say(used([1, 2])),
    "no choices": Say({"choices": []}),
    "no choices, zeros": Say({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}),
    "no JSON": Say(b"<html>"),
    "half of a JSON": Say(b'{"choices": ['),
    "a stream": Say(b'data: {"choices":[{"delta":{"content":"word"}}]}\n\ndata: [DONE]\n\n'),
    "a stream broken off": Say(b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'),
    "time-outs": Say(delay_s=3.0),
    "a gateway's time-outs": Say(b"", 504),
    "dropped": Say(cut="middle"),
    "endless": Say(b" " * (1 << 20), repeat_s=0.0),
}


@pytest.mark.parametrize("say", UNKNOWN.values(), ids=UNKNOWN)
def test_a_budget_is_kept_over_all_runs_where_the_cost_is_unknown(work: Work, say: Say) -> None:
    with ChatServer(lambda call: say) as server:
        for room in (3.5, 3.5, 7.5, 7.5):
            before = len(server.calls)
            work.run(server, "--budget", f"{room * MOST}", timeout_s=0.2, reply_mib=1)
            assert len(server.calls) <= room, "each of these may have cost the most that a try can"
            assert len(server.calls) >= int(room) - (before > 0), "what is left of the budget is used"


def test_a_budget_is_kept_with_several_draws_and_the_log_says_that_the_cost_is_unknown(work: Work) -> None:
    with ChatServer(lambda call: UNKNOWN["null"]) as server:
        for _ in range(3):
            assert work.run(server, "--budget", f"{30.5 * MOST}", "--draws", "3", temperature=0.5) == 0
        assert len(server.calls) == 30
    records = LLMLog.load(work.folder / "log").records
    assert records.height == 30
    assert records["cost"].null_count() == records["input_tokens"].null_count() == 30


def test_what_a_reply_without_an_answer_states_is_counted_and_nothing_is_asked_twice(work: Work, capsys: Any) -> None:
    reply = {"choices": [], "usage": {"prompt_tokens": 500, "completion_tokens": 0}}
    with ChatServer(lambda call: Say(reply) if call.prompt != "say word00" else Say()) as server:
        assert work.run(server, "--budget", "1", concurrency=1) == 0
        assert len(server.calls) == QUESTIONS
        assert "spent $0.0095" in capsys.readouterr().err  # 19 times 500 tokens at a dollar per million
        assert work.run(server, "--budget", "0.0191") == 0
        assert len(server.calls) == 2 * QUESTIONS - 1
        assert "spent $0.0190" in capsys.readouterr().err
        assert work.run(server, "--budget", "0.0191") == 0  # what is left is less than a try can cost
        assert len(server.calls) == 2 * QUESTIONS - 1
        assert "raise it to go on" in capsys.readouterr().err


def test_answers_that_cost_more_than_they_can_leave_less_for_the_rest(work: Work, capsys: Any) -> None:
    reply = completion("word", usage={"prompt_tokens": 10, "completion_tokens": 1000})
    with ChatServer(lambda call: Say(reply)) as server:
        for _ in range(3):
            work.run(server, "--budget", "0.01", concurrency=1)
        assert len(server.calls) <= 5  # each costs $0.00201: four leave less than one more
        assert "spent $0.00" in capsys.readouterr().err


def test_max_tokens_in_extra_is_what_an_answer_can_cost(work: Work) -> None:
    with ChatServer(lambda call: UNKNOWN["null"]) as server:
        work.run(server, "--budget", "0.0045", extra={"max_tokens": 1000})
        assert len(server.calls) == 2


def test_a_budget_without_max_tokens_is_refused(work: Work, capsys: Any) -> None:
    with ChatServer() as server:
        assert work.run(server, "--budget", "1", send=["temperature"]) == 2
        assert not server.calls
    assert "needs max_tokens to be sent, but send of a lacks it" in capsys.readouterr().err


def test_a_failure_that_costs_nothing_leaves_the_budget_alone(work: Work, capsys: Any) -> None:
    def react(call: Call) -> Say:
        return Say({"error": {"message": "slow down"}}, 429) if call.before < 2 else Say()

    with ChatServer(react) as server:
        assert work.run(server, "--budget", f"{20 * MOST}") == 0
    assert LLMLog.load(work.folder / "log").records.height == QUESTIONS
    assert "raise it" not in capsys.readouterr().err


def test_what_was_under_way_when_a_run_was_killed_stays_spent(work: Work) -> None:
    with ChatServer(lambda call: Say(delay_s=30.0)) as server:
        words = [sys.executable, "-m", "fusion", *work.words(server, "--budget", f"{6.5 * MOST}", timeout_s=60)]
        process = subprocess.Popen(words)
        until = time.monotonic() + 60
        while len(server.calls) < 4:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.react = lambda call: UNKNOWN["null"]
        for _ in range(3):
            assert work.run(server, "--budget", f"{6.5 * MOST}") == 0
        assert len(server.calls) == 6
    assert LLMLog.load(work.folder / "log").records.height == 2


def test_a_refused_run_gives_back_what_was_not_sent(work: Work) -> None:
    with ChatServer(lambda call: Say({"error": {"message": "no"}}, 401)) as server:
        for _ in range(3):
            assert work.run(server, "--budget", f"{15.5 * MOST}") == 2
        assert len(server.calls) <= 3 * 4
        server.react = lambda call: Say()
        assert work.run(server, "--budget", f"{15.5 * MOST}") == 0
    assert LLMLog.load(work.folder / "log").records.height >= 3


# ---- what is said


def test_the_same_refusal_of_all_ends_with_the_remedy(work: Work, capsys: Any) -> None:
    text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    with ChatServer(lambda call: Say({"error": {"message": text}}, 400)) as server:
        assert work.run(server) == 2
        assert len(server.calls) < 10
        error = capsys.readouterr().err
        assert text in error
        assert "set token_field: max_completion_tokens" in error
        server.react = lambda call: Say()
        assert work.run(server, token_field="max_completion_tokens") == 0


def test_empty_answers_are_kept_and_counted(work: Work, capsys: Any) -> None:
    nothing = {"message": {"content": None, "reasoning": None}, "finish_reason": "stop"}
    cut = {"message": {"content": None, "reasoning_content": "hm"}, "finish_reason": "length"}

    def react(call: Call) -> Say:
        number = int(call.prompt[-2:])
        usage = {"prompt_tokens": 9, "completion_tokens": 7}
        return Say({"choices": [nothing if number < 3 else cut], "usage": usage}) if number < 5 else Say()

    with ChatServer(react) as server:
        assert work.run(server) == 0
    said = capsys.readouterr().err
    assert "a: 5 of 20 answers are empty though tokens were paid for, 2 of them cut at max_tokens; raise max_to" in said
    records = LLMLog.load(work.folder / "log").records
    assert records.height == QUESTIONS
    assert records["performance"].sum() == 0  # the server answers with the whole prompt in capitals


def test_a_candidate_without_any_answer_is_named_and_the_exit_status_says_so(work: Work, capsys: Any) -> None:
    task = yaml.safe_load((work.folder / "words.yaml").read_text())
    task["prompts"]["reasoning"] = "Think. {question}"
    (work.folder / "words.yaml").write_text(yaml.safe_dump(task | {"max_tokens": {"direct": 6, "reasoning": 9}}))

    def react(call: Call) -> Say:
        number = call.prompt[-2:]
        text = f"the context holds {number} tokens" if number != "07" else "a flood"
        return Say({"error": {"message": text}}, 400) if call.prompt.startswith("Think") else Say()

    with ChatServer(react) as server:
        assert work.run(server, styles=["direct", "reasoning"]) == 3
        said = capsys.readouterr().err
        assert "a_think got no answer at all: 20 cells failed, 19 of them with: HTTP 400: the context holds" in said
        assert "20 cells got no answer and stay missing" in said
        assert LLMLog.load(work.folder / "log").records.height == QUESTIONS
        server.react = lambda call: Say()
        assert work.run(server, styles=["direct", "reasoning"]) == 0


def test_a_dry_run_sees_what_a_context_cannot_hold(work: Work, capsys: Any) -> None:
    model = save_tiny(work.folder / "model")
    with ChatServer() as server:
        local = {"engine": "transformers", "model": str(model), "base_url": None}
        words = work.words(server, "--dry-run", max_tokens=254)
        llms = yaml.safe_load((work.folder / "llms.yaml").read_text())["llms"][0]
        kept = {name: llms[name] for name in ("name", "max_tokens", "input_price", "output_price")}
        llms = [
            kept | {"engine": local["engine"], "model": local["model"]},
            kept | {"name": "b", "engine": "vllm", "model": "no/where"},
        ]
        (work.folder / "llms.yaml").write_text(yaml.safe_dump({"llms": llms}))
        assert main(words) == 0
        assert "a: 20 of 20 cells will fail: its context of 256 tokens cannot hold" in capsys.readouterr().out
        for llm in llms:
            llm["max_tokens"] = 8
        (work.folder / "llms.yaml").write_text(yaml.safe_dump({"llms": llms}))
        assert main(words) == 0
        assert "cells will fail" not in capsys.readouterr().out


# ---- what earlier versions wrote down


def test_what_failed_is_asked_again_behind_what_was_not_asked_yet(work: Work) -> None:
    def react(call: Call) -> Say:
        number = int(call.prompt[-2:])
        return Say({"error": {"message": "no"}}, 400) if number % 2 else Say()

    with ChatServer(react) as server:
        assert work.run(server, "--limit", "8") == 0
        failed = {call.prompt for call in server.calls if int(call.prompt[-2:]) % 2}
        server.calls.clear()
        assert work.run(server, concurrency=1) == 0
        prompts = [call.prompt for call in server.calls]
    assert len(prompts) == 12 + len(failed)
    assert set(prompts[12:]) == failed


def test_odd_counts_in_an_old_journal_stop_no_run(work: Work) -> None:
    with ChatServer() as server:
        assert work.run(server) == 0
        entries = [json.loads(line) for line in work.journal.read_text().splitlines()]
        odd = [10**400, int(1e300), 0, -3, 2.5, None, "9", True]
        for entry, value in zip(entries, odd, strict=False):
            entry["input_tokens"] = entry["output_tokens"] = value
            entry["finish_reason"] = "\ud800"
        work.journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        asked = len(server.calls)
        assert work.run(server) == 0
        assert work.run(server, "--budget", "1") == 0
        assert len(server.calls) == asked
    records = LLMLog.load(work.folder / "log").records
    assert records["cost"].null_count() == len(odd)
    assert records.filter(pl.col("cost").is_not_null()).height == QUESTIONS - len(odd)


def test_what_a_grader_quotes_may_hold_half_surrogates(work: Work) -> None:
    task = work.folder / "odd.py"
    task.write_text(
        "from pathlib import Path\n"
        "from fusion.tasks.base import Example, Grade, Task\n"
        "TASK = Task('odd', 'd', 'm', '', lambda row: Example(row['id'], 'half \\ud83d ' + row['question'], 'x'),\n"
        "    lambda response, example: Grade(0.0, '\\ud800 bad'), {'direct': '{question}'},\n"
        f"    examples=Path({str(work.folder / 'words.jsonl')!r}))\n"
    )
    with ChatServer() as server:
        words = work.words(server)
        words[words.index("--tasks") + 1] = str(task)
        for _ in range(2):
            assert main([*words, "--limit", "3"]) == 0
    log = LLMLog.load(work.folder / "log")
    assert log.records["prediction"].to_list() == ["\ufffd bad"] * 3
    assert "half \ufffd" in log.queries["query"][0]


# ---- answers that end at the model's next question


def request(number: int) -> Request:
    return Request(request_key((f"{number}", "a", 0)), ({"role": "user", "content": "q"},), Sampling(6))


def answered(number: int, text: str, cut: bool) -> Completion:
    return Completion(request(number).key, text, 1, 1, 0.0, cut_at_question=cut)


@pytest.mark.parametrize(
    ("old", "cut_before", "cut_now", "refused"),
    [
        ("18\nQuestion: Why?", False, True, "set stop_at_question: false for a"),
        ("18", False, True, ""),
        ("\nQuestion: Why?", False, True, ""),
        ("18", True, True, ""),
        ("18\nQuestion: Why?", False, False, ""),
        ("18", True, False, "set stop_at_question: true for a"),
    ],
)
def test_answers_that_end_in_other_ways_are_not_mixed(
    tmp_path: Path, old: str, cut_before: bool, cut_now: bool, refused: str
) -> None:
    llm = LLM("a", "tiny", options={"base_url": "http://host/v1"})
    job = LLMJob(llm, [request(0), request(1)])
    with Journal(tmp_path / "answers.jsonl") as journal:
        Answers([job], journal).add(llm, request(0), answered(0, old, cut_before))
    with Journal(tmp_path / "answers.jsonl") as journal:
        answers = Answers([job], journal)
        assert len(answers.answers) == 1, "what is finished stays in use"
        if refused:
            with pytest.raises(UserError, match=refused):
                answers.add(llm, request(1), answered(1, "4", cut_now))
            assert len(answers.answers) == 1
        else:
            answers.add(llm, request(1), answered(1, "4", cut_now))
