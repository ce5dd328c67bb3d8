import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from graphrouter.cli import main
from graphrouter.errors import UserError
from graphrouter.formats import guess_format, read_log

QUERY: dict[str, Any] = {
    "task_name": "mmlu",
    "query": "Which is true?",
    "ground_truth": "A",
    "metric": "em_mc",
    "choices": "{'text': ['1', '2'], 'labels': ['A', 'B']}",
    "task_id": None,
}
ROUTING: dict[str, Any] = QUERY | {
    "choices": None,
    "model_name": "small",
    "formatted_query": {"system": "s", "user": "u"},
    "response": "(A)",
    "token_num": 15,
    "input_tokens": 10,
    "output_tokens": 5,
    "response_time": 1.5,
    "api_key_used": "sk-secret",
    "performance": 1.0,
    "embedding_id": 7,
    "user_id": None,
    "fig_id": None,
}
CANDIDATES = {
    "small": {
        "size": "7B",
        "feature": "A small one.",
        "input_price": 0.2,
        "output_price": 0.4,
        "model": "org/small",
        "service": "NVIDIA",
        "api_endpoint": "https://user:sk-secret@host/v1",
    },
    "tiny": {"size": "500M", "feature": "A tiny one.", "input_price": 0.1, "output_price": 0.1, "model": "org/tiny"},
}


def write(
    folder: Path, routing: list[dict[str, Any]], queries: Sequence[dict[str, Any]] = (QUERY,), split: str = "train"
) -> Path:
    for name, rows in (
        (f"query_data/default_query_{split}.jsonl", queries),
        (f"routing_data/default_routing_{split}_data.jsonl", routing),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "llm_candidates").mkdir(exist_ok=True)
    (folder / "llm_candidates" / "default_llm.json").write_text(json.dumps(CANDIDATES))
    return folder


def test_the_three_files_become_one_log(tmp_path: Path) -> None:
    folder = write(tmp_path / "lr", [ROUTING], [QUERY, QUERY | {"query": "Never asked?"}])
    assert guess_format(folder) == "llmrouter"
    log, _ = read_log(folder)
    assert log.queries.height == 2
    asked = log.queries.join(log.records, on="query_id", how="semi").row(0, named=True)
    assert (asked["task"], asked["query"], asked["ground_truth"]) == ("mmlu", "Which is true?", "A")
    assert (asked["metric"], asked["source_split"]) == ("em_mc", "train")
    assert json.loads(asked["choices"]) == {"text": ["1", "2"], "labels": ["A", "B"]}
    record = log.records.row(0, named=True)
    assert (record["performance"], record["input_tokens"], record["output_tokens"]) == (1.0, 10, 5)
    assert record["latency_s"] == 1.5
    assert log.responses()["response"].to_list() == ["(A)"]
    assert log.llms.select("llm", "size_b", "input_price", "source_name", "service").rows() == [
        ("small", 7.0, 0.2, "org/small", "NVIDIA"),
        ("tiny", 0.5, 0.1, "org/tiny", None),
    ]
    assert log.cells("cost")[log.cells("draws") > 0] == pytest.approx([(10 * 0.2 + 5 * 0.4) / 1e6])


def test_no_key_is_ever_kept_or_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = {"api_key_used": "sk-secret"}
    failed = ROUTING | {"model_name": "tiny", "response": "ERROR: bad key sk-secret", "performance": 0.0}
    failed |= dict.fromkeys(("token_num", "input_tokens", "output_tokens", "response_time"), 0)
    folder = write(tmp_path / "lr", [ROUTING, failed, key, ROUTING | {"performance": key}, ROUTING | {"query": ""}])
    with (folder / "routing_data" / "default_routing_train_data.jsonl").open("a") as stream:
        stream.write('["sk-secret"]\n{"api_key_used": "sk-secret", }\n')
    out = tmp_path / "log"
    assert main(["import", str(folder), "--out", str(out), "--skip-bad", "--quiet"]) == 0
    for line in range(2):
        assert main(["import", str(folder), "--out", str(tmp_path / f"no{line}"), "--quiet"]) == 2
    said = capsys.readouterr()
    assert "5 bad rows" in said.err
    assert "1 rows have no performance" in said.err
    assert "sk-secret" not in said.err + said.out
    assert (out / "rejected.csv").read_text().count("\n") == 6
    log, _ = read_log(out)
    assert log.records["llm"].to_list() == ["small"]
    shown = [table.write_json() for table in (log.queries, log.llms, log.records, log.responses())]
    assert "sk-secret" not in "".join(shown) + (out / "rejected.csv").read_text()


def test_a_response_that_speaks_of_an_error_counts_where_tokens_were_used(tmp_path: Path) -> None:
    log, _ = read_log(write(tmp_path / "lr", [ROUTING | {"response": "ERROR: x is not defined"}]))
    assert log.records.height == 1


def test_questions_that_differ_only_in_their_options_stay_apart(tmp_path: Path) -> None:
    others = {"text": ["3", "4"], "labels": ["A", "B"]}
    rows = [
        ROUTING | {"choices": {"text": ["1", "2"], "labels": ["A", "B"]}},
        ROUTING | {"choices": others, "performance": 0.0},
        ROUTING | {"choices": others, "performance": 1.0, "model_name": "tiny"},
    ]
    log, _ = read_log(write(tmp_path / "lr", rows, [QUERY, QUERY | {"choices": json.dumps(others)}]))
    assert log.queries.height == 2
    assert log.records.group_by("query_id").len()["len"].sort().to_list() == [1, 2]


def test_choices_that_are_a_program_do_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    text = f"__import__('pathlib').Path({str(trap)!r}).touch()"
    log, _ = read_log(write(tmp_path / "lr", [ROUTING], [QUERY | {"choices": text}]))
    assert log.queries["choices"].to_list() == [text]
    assert not trap.exists()


def test_splits_may_share_queries_and_numbers_that_pandas_made_floats_join(tmp_path: Path) -> None:
    folder = write(tmp_path / "lr", [ROUTING | {"task_id": 11.0}], [QUERY | {"task_id": 11}])
    write(folder, [ROUTING | {"performance": 0.0}], split="test")
    log, _ = read_log(folder)
    assert sorted(log.queries["source_split"]) == ["test", "train"]
    assert sorted(log.queries["source_id"], key=str) == ["11", None]
    assert log.records.height == 2


def test_the_order_of_rows_makes_no_difference(tmp_path: Path) -> None:
    rows = [ROUTING | {"query": f"q{n % 4}", "model_name": f"m{n % 3}", "performance": n / 24} for n in range(24)]
    rows[3]["choices"] = {"text": ["x"]}
    straight, _ = read_log(write(tmp_path / "lr", rows))
    random.Random(1).shuffle(rows)
    shuffled, _ = read_log(write(tmp_path / "lr", rows))
    assert straight.records["draw"].max() == 1
    for table in ("queries", "llms", "records"):
        assert getattr(straight, table).equals(getattr(shuffled, table))


def test_queries_without_routing_data_are_refused(tmp_path: Path) -> None:
    (tmp_path / "query_data.jsonl").write_text(json.dumps(QUERY) + "\n")
    with pytest.raises(UserError, match="no table there has the columns query, model_name, performance"):
        read_log(tmp_path, "llmrouter")
