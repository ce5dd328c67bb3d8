import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from public_layouts import WRITERS

from graphrouter.cli import main
from graphrouter.formats import EXPORTS, FORMATS, layout, read_log
from graphrouter.log import LLMLog
from graphrouter.testing import make_log

HEADER = "task_id,query,llm,effect\n"
GOOD = HEADER + "t,q1,a,1\nt,q1,b,0\nt,q2,a,0.5\n"
BAD = GOOD + "t,q2,b,2\nt,,b,1\n"


def write(file: Path, text: str) -> str:
    file.write_text(text)
    return str(file)


def test_a_log_is_imported_guessed_and_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write(tmp_path / "mine.csv", GOOD), tmp_path / "log"
    assert main(["import", source, "--out", str(out), "--quiet"]) == 0
    assert f"{out}: 2 queries, 2 LLMs, 3 records, 1 tasks\n" in capsys.readouterr().err
    log = LLMLog.load(out)
    assert log.name == "mine"
    assert log.records["performance"].to_list().count(0.5) == 1
    assert not (out / "rejected.csv").exists()
    assert main(["import", source, "--out", str(out), "--name", "named", "--quiet"]) == 0
    assert LLMLog.load(out).name == "named"


def test_bad_rows_refuse_the_import_whole_and_leave_an_earlier_log(tmp_path: Path, fail: Callable[..., str]) -> None:
    out = make_log(10).save(tmp_path / "log")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    source = write(tmp_path / "x.csv", BAD)
    said = fail("import", source, "--out", str(out), "--quiet")
    assert f"{source}, row 5: effect must be within [0, 1], but is '2'" in said
    assert "--skip-bad" in said
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "x.csv"]


def test_bad_rows_are_listed_beside_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write(tmp_path / "x.csv", BAD), tmp_path / "log"
    assert main(["import", source, "--out", str(out), "--skip-bad", "--quiet"]) == 0
    assert f"2 bad rows, see {out}/rejected.csv" in capsys.readouterr().err
    with (out / "rejected.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["file"], row["row"]) for row in rows] == [(source, "5"), (source, "6")]
    assert rows[1]["reason"] == "query must be text, but is empty"
    assert LLMLog.load(out).records.height == 3


def test_a_file_of_bad_rows_only_is_refused(tmp_path: Path, fail: Callable[..., str]) -> None:
    source = write(tmp_path / "x.csv", HEADER + "t,q,a,7\n")
    said = fail("import", source, "--out", str(tmp_path / "log"), "--skip-bad", "--quiet")
    assert "1 rows were bad" in said
    assert not (tmp_path / "log").exists()


def test_a_format_that_cannot_be_guessed_lists_what_was_seen(tmp_path: Path, fail: Callable[..., str]) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    write(folder / "numbers.csv", "alpha,beta\n1,2\n")
    write(folder / "notes.txt", "hello")
    out = str(tmp_path / "log")
    said = fail("import", str(folder), "--out", out)
    assert "a folder with notes.txt, numbers.csv (numbers.csv with columns alpha, beta)" in said
    assert all(name in said for name in FORMATS)
    assert "a file with columns alpha, beta" in fail("import", str(folder / "numbers.csv"), "--out", out)
    assert "no columns that can be read" in fail("import", str(folder / "notes.txt"), "--out", out)
    assert "does not exist" in fail("import", str(tmp_path / "nothing"), "--out", out)


def test_a_path_that_fits_two_layouts_has_to_be_named(tmp_path: Path, fail: Callable[..., str]) -> None:
    folder = make_log(10).save(tmp_path / "both")
    write(folder / "router_data.csv", GOOD)
    said = fail("import", str(folder), "--out", str(tmp_path / "log"))
    assert "fits canonical and router_data" in said
    assert said.rstrip().endswith("--format: canonical, router_data")
    assert read_log(folder, "router_data")[0].records.height == 3


@pytest.mark.parametrize("name", FORMATS)
def test_a_layout_is_whole(name: str) -> None:
    module = layout(name)
    assert name == module.NAME
    assert module.LAYOUT
    assert module.COST_UNIT
    assert hasattr(module, "write") == (name in EXPORTS)


def test_every_layout_has_a_sample_that_the_others_must_not_recognise() -> None:
    assert set(WRITERS) == set(FORMATS) - {"table"}, "a plain table is never guessed"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_refuses_a_file_of_something_else_in_one_line(
    name: str, tmp_path: Path, fail: Callable[..., str]
) -> None:
    for file, text in (("x.csv", "alpha,beta\n1,2\n"), ("y.json", '[{"alpha": 1}]'), ("z.txt", "hello"), ("e.csv", "")):
        fail("import", write(tmp_path / file, text), "--format", name, "--out", str(tmp_path / "log"), "--quiet")
    fail("import", str(tmp_path), "--format", name, "--out", str(tmp_path / "log"), "--quiet")
    fail("import", str(tmp_path / "gone"), "--format", name, "--out", str(tmp_path / "log"), "--quiet")
    assert not (tmp_path / "log").exists()


def test_a_mistyped_format_is_suggested(tmp_path: Path, fail: Callable[..., str]) -> None:
    source = write(tmp_path / "x.csv", GOOD)
    assert "did you mean 'router_data'" in fail(
        "import", source, "--format", "routerdata", "--out", str(tmp_path / "log")
    )
    log = str(make_log(10).save(tmp_path / "made"))
    assert "must be one of canonical" in fail("export", log, "--format", "fusionbench", "--out", str(tmp_path / "o"))


def test_a_folder_with_other_files_is_left_alone_before_any_work(tmp_path: Path, fail: Callable[..., str]) -> None:
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine" / "thesis.txt", "x")
    said = fail("import", str(tmp_path / "gone.csv"), "--out", str(tmp_path / "mine"))
    assert "holds other files" in said


def test_an_export_names_its_losses_and_can_be_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = make_log(20, draws=2).save(tmp_path / "log")
    for form, name in (("router_data", "gr"), ("llmrouter", "lr"), ("routerbench", "rb.csv"), ("canonical", "c")):
        capsys.readouterr()
        assert main(["export", str(log), "--format", form, "--out", str(tmp_path / name)]) == 0
        said = capsys.readouterr().err.splitlines()
        assert len(said) == (1 if form == "canonical" else 2)
        if form != "canonical":
            assert re.match(r"graphrouter: warning: .* cannot hold .*60 further draws", said[0])
        assert main(["import", str(tmp_path / name), "--out", str(tmp_path / f"{name}-log"), "--quiet"]) == 0
        back = LLMLog.load(tmp_path / f"{name}-log")
        assert back.records.height == (120 if form == "canonical" else 60)
        assert back.records["performance"].mean() == pytest.approx(LLMLog.load(log).records["performance"].mean())


def test_progress_is_shown_unless_it_is_not_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "x.csv", GOOD)
    for quiet in ([], ["--quiet"]):
        assert main(["import", source, "--out", str(tmp_path / "log"), *quiet]) == 0
        assert ("x.csv: " in capsys.readouterr().err) == (not quiet)


def test_progress_and_an_error_never_share_a_line(tmp_path: Path, fail: Callable[..., str]) -> None:
    assert "row 5: effect" in fail("import", write(tmp_path / "x.csv", BAD), "--out", str(tmp_path / "log"))


@pytest.mark.parametrize(
    ("header", "row", "layout", "taken"),
    [
        ("task_id,query,llm,effect,raw_cost", "t,q,m,1,0.5", "router_data", "cost taken as US dollars (raw_cost)"),
        ("task_id,query,llm,effect,cost", "t,q,m,1,0.5", "router_data", "cost kept as source_cost, for it is scaled"),
        ("task_id,query,llm,effect", "t,q,m,1", "router_data", "no cost"),
        (
            "task_name,query,llm,performance,cost,input_tokens_num",
            "t,q,m,1,500000,3",
            "fusionbench",
            "cost taken as millionths of a dollar",
        ),
        ("query,model_name,performance,metric", "q,m,1,em", "llmrouter", "no cost"),
    ],
)
def test_the_guessed_layout_and_the_unit_of_its_cost_are_printed(
    header: str, row: str, layout: str, taken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "x.csv", f"{header}\n{row}\n")
    assert main(["import", source, "--out", str(tmp_path / "log"), "--quiet"]) == 0
    assert f"read as {layout}; {taken}" in capsys.readouterr().err
    if layout == "fusionbench":
        assert LLMLog.load(tmp_path / "log").records["cost"].to_list() == [0.5]


@pytest.mark.parametrize(
    "header",
    [
        "task_name,query,llm,performance,cost",
        "query,model_name,performance,cost",
        "query,llm,score",
        "prompt,label,correct",
    ],
)
def test_names_that_many_tables_have_are_no_layout(header: str, tmp_path: Path, fail: Callable[..., str]) -> None:
    row = ",".join("1" if name in ("label", "correct", "performance", "score") else "x" for name in header.split(","))
    said = fail("import", write(tmp_path / "x.csv", f"{header}\n{row}\n"), "--out", str(tmp_path / "log"))
    assert "fits none of the known layouts" in said
    assert "read it with --format table" in said


def test_values_of_several_types_in_a_further_column_are_all_kept(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    write(
        folder / "queries.jsonl",
        '{"query_id": 1, "task": "t", "query": "a?", "note": 1}\n{"query_id": 2, "query": "b?", "note": "x"}\n',
    )
    write(folder / "llms.jsonl", '{"llm": "m", "tag": [1]}\n{"llm": "n", "tag": "y"}\n')
    write(folder / "records.jsonl", '{"query_id": 1.0, "llm": "m", "performance": true}\n')
    log, _ = read_log(folder)
    assert log.queries["note"].to_list() == ["1", "x"]
    assert log.llms["tag"].to_list() == ["[1]", "y"]
    assert log.records.select("query_id", "performance").rows() == [("1", 1.0)]
