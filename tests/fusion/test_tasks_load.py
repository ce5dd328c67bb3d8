"""Where examples come from, how they are sampled, and what is said when they cannot be had."""

import http.server
import json
import os
import subprocess
import sys
import threading
import warnings

import polars as pl
import pytest
from hub_rows import ROWS
from hypothesis import given
from hypothesis import strategies as st

from fusion.tasks import find_task, load_examples
from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.graders.text import exact_match
from graphrouter.errors import UserError


def write(folder, name, rows, file="test.jsonl"):
    path = folder / name / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.suffix == ".csv":
        pl.DataFrame(rows).write_csv(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def sums(count, start=0):
    return [{"question": f"{n} + 1 = ?", "answer": f"#### {n + 1}"} for n in range(start, start + count)]


def ids(examples):
    return [example.id for example in examples]


@pytest.mark.parametrize(
    "file", ["test.parquet", "test.jsonl", "test.json", "test.csv", "main/test-00000-of-00001.parquet", "x.csv"]
)
def test_every_form_of_a_local_copy_gives_the_same_examples(file, tmp_path):
    task = find_task("gsm8k")
    expected = load_examples(task, data=write(tmp_path / "a", "gsm8k", sums(5)))
    assert load_examples(task, data=write(tmp_path / "b", "gsm8k", sums(5), file)) == expected
    assert sorted(example.ground_truth for example in expected) == ["1", "2", "3", "4", "5"]


def test_of_a_whole_repository_the_configuration_and_the_split_are_taken(tmp_path):
    for file, start in (("main/test-0.parquet", 0), ("main/train-0.parquet", 10), ("socratic/test-0.parquet", 20)):
        write(tmp_path, "gsm8k", sums(2, start), file)
    write(tmp_path, "gsm8k", [{"x": 1}], "dataset_info.json")
    examples = load_examples(find_task("gsm8k"), data=tmp_path)
    assert sorted(example.question for example in examples) == ["0 + 1 = ?", "1 + 1 = ?"]


def test_a_split_in_several_files_is_read_whole(tmp_path):
    for number in range(3):
        write(tmp_path, "gsm8k", sums(2, 2 * number), f"test-0000{number}-of-00003.parquet")
    assert len(load_examples(find_task("gsm8k"), data=tmp_path)) == 6


def test_gpqa_is_found_by_its_configuration(tmp_path):
    write(tmp_path, "gpqa", ROWS["gpqa"], "gpqa_main.csv")
    write(tmp_path, "gpqa", ROWS["gpqa"][:1], "gpqa_diamond.csv")
    assert len(load_examples(find_task("gpqa"), data=tmp_path)) == 40


@given(small=st.integers(1, 30), large=st.integers(1, 40), seed=st.integers(0, 5))
def test_a_smaller_sample_begins_a_larger_one(small, large, seed, tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("data"), "gsm8k", sums(30))
    task = find_task("gsm8k")
    some, more = (load_examples(task, limit=limit, seed=seed, data=folder) for limit in sorted((small, large)))
    assert len(some) == min(small, large, 30)
    assert more[: len(some)] == some


def test_a_sample_depends_on_the_seed_and_not_on_the_order_of_rows(tmp_path):
    task = find_task("gsm8k")
    one = load_examples(task, limit=10, data=write(tmp_path / "a", "gsm8k", sums(30)))
    other = load_examples(task, limit=10, data=write(tmp_path / "b", "gsm8k", sums(30)[::-1]))
    assert one == other
    assert set(ids(one)) != set(ids(load_examples(task, limit=10, seed=1, data=tmp_path / "a")))


def test_ids_stay_when_questions_are_added(tmp_path):
    few = load_examples(find_task("gsm8k"), data=write(tmp_path / "a", "gsm8k", sums(5)))
    many = load_examples(find_task("gsm8k"), data=write(tmp_path / "b", "gsm8k", sums(50)))
    assert {(e.id, e.question) for e in few} <= {(e.id, e.question) for e in many}


def test_ids_of_the_source_are_kept(tmp_path):
    write(tmp_path, "human_eval", ROWS["human_eval"], "test.parquet")
    assert ids(load_examples(find_task("human_eval"), data=tmp_path)) == ["HumanEval/0"]


def test_repeated_questions_are_dropped_and_counted(tmp_path):
    rows = [*sums(3), {"question": " 0 + 1  = ? ", "answer": "#### 7"}]
    with pytest.warns(UserWarning, match="gsm8k: dropped 1 of 4 questions"):
        examples = load_examples(find_task("gsm8k"), data=write(tmp_path, "gsm8k", rows))
    assert sorted(example.ground_truth for example in examples) == ["1", "2", "3"]


def test_nothing_is_said_when_nothing_is_dropped(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_examples(find_task("gsm8k"), data=write(tmp_path, "gsm8k", sums(3)))


def no_data(folder):
    return folder / "nowhere"


def no_task(folder):
    return write(folder, "math", [])


def no_split(folder):
    write(folder, "gsm8k", sums(1), "train.jsonl")
    return write(folder, "gsm8k", sums(1), "dev.jsonl")


def no_files(folder):
    (folder / "gsm8k").mkdir()
    return folder


BROKEN = {
    "no folder": (no_data, "the folder with local data sets must exist"),
    "no folder for the task": (no_task, "must have a folder gsm8k with openai/gsm8k"),
    "no split": (no_split, "must have a file for the split 'test'.*has dev.jsonl, train.jsonl"),
    "no files": (no_files, "has none"),
    "no rows": (lambda folder: write(folder, "gsm8k", []), "must have rows for gsm8k, but is empty"),
    "no column": (
        lambda folder: write(folder, "gsm8k", [{"question": "?", "solution": "1"}]),
        "must have the column 'answer' for gsm8k, but row 0 has question, solution",
    ),
    "a null": (lambda folder: write(folder, "gsm8k", [*sums(1), {"question": "?", "answer": None}]), "row 1: "),
    "no gold": (lambda folder: write(folder, "gsm8k", [{"question": "?", "answer": "1"}]), "row 0: the answer must end"),
    "half a file": (lambda folder: half(write(folder, "gsm8k", sums(9)) / "gsm8k" / "test.jsonl"), "row 5: must be JSON"),
    "half a parquet": (
        lambda folder: half(write(folder, "gsm8k", sums(9), "test.parquet") / "gsm8k" / "test.parquet"),
        "must be a whole Parquet file",
    ),
    "a list of numbers": (lambda folder: write(folder, "gsm8k", [1], "test.json"), "row 1: must be a JSON object"),
}  # fmt: skip


def half(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    return file.parents[1]


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_with_local_data_is_said_in_one_line(case, tmp_path):
    make, message = BROKEN[case]
    with pytest.raises(UserError, match=message) as error:
        load_examples(find_task("gsm8k"), data=make(tmp_path))
    assert "\n" not in str(error.value)


def test_an_id_that_names_two_questions_is_refused(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": "1", "question": "a"}\n{"id": "1", "question": "b"}\n')
    task = Task(
        name="mine",
        domain="mine",
        metric="exact_match",
        description="",
        read=lambda row: Example(row["id"], row["question"], "x"),
        grade=exact_match,
        prompts={"direct": "{question}"},
        examples=file,
    )
    with pytest.raises(UserError, match="'1' names two"):
        load_examples(task)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(UserError, match="1 or more"):
        load_examples(find_task("gsm8k"), limit=limit)


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the hub does for a gated and for an unknown data set."""

    def do_GET(self):
        gated = "gpqa" in self.path
        self.send_response(403 if gated else 404)
        self.send_header("X-Error-Code", "GatedRepo" if gated else "RepoNotFound")
        self.send_header("X-Error-Message", "Access to dataset is restricted" if gated else "Repository not found")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


ASK = """
import sys
from fusion.tasks import find_task, load_examples
for name in sys.argv[1:]:
    try:
        load_examples(find_task(name))
    except ValueError as error:
        print(type(error).__name__, error)
"""


def ask_hub(names, **environment):
    """What loading from a hub says, in a fresh process: the client reads its settings when it is imported."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *names], env={**kept, **environment}, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def test_a_hub_that_refuses_is_explained(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        gated, unknown = ask_hub(["gpqa", "gsm8k"], HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path))
    finally:
        server.shutdown()
        server.server_close()
    assert gated.startswith(
        "UserError Idavidrein/gpqa is gated: accept its terms at https://huggingface.co/datasets/Idavidrein/gpqa"
    )
    assert unknown.startswith("UserError openai/gsm8k must load from the hub")


def test_a_hub_that_cannot_be_reached_is_explained(tmp_path):
    (line,) = ask_hub(["gsm8k"], HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert line.startswith("UserError the hub must be reachable to load openai/gsm8k")
    assert "local copy" in line


def test_loads_through_the_hub_client(tmp_path, monkeypatch):
    """The client takes a folder where it takes a name; a copy of a repository stands in for the hub."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    write(tmp_path, "gsm8k", sums(4), "test.jsonl")
    write(tmp_path, "gsm8k", sums(4, 4), "train.jsonl")
    from dataclasses import replace

    task = replace(find_task("gsm8k"), hub=HubData(str(tmp_path / "gsm8k"), None, "test"))
    assert sorted(example.ground_truth for example in load_examples(task)) == ["1", "2", "3", "4"]
