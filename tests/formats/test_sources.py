"""Files as they come: compressed, in other encodings, with other separators, damaged, or something else altogether."""

import bz2
import contextlib
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from graphrouter.errors import UserError
from graphrouter.formats import read_log
from graphrouter.formats.rows import columns_of, header, read_json, read_rows
from graphrouter.formats.sources import ending, stem

TEXT = "task_id,query,llm,effect\nt,é?,m,1\nt,é?,n,0\n"
LINES = '{"query": "é?", "llm": "m", "score": 1}\n{"query": "é?", "llm": "n", "score": 0}\n'


def refused(file: Path) -> str:
    with pytest.raises(UserError) as error:
        list(read_rows(file, lambda _, number, reason: pytest.fail(f"{number}: {reason}")))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.CSV.XZ", "x.csv.bz2"])
def test_a_compressed_table_is_read_whatever_its_name(
    name: str, compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(compress(TEXT.encode()))
    log, _ = read_log(tmp_path / name)
    assert log.name == "x"
    assert log.queries["query"].to_list() == ["é?"]
    assert sorted(log.records["performance"]) == [0.0, 1.0]


@pytest.mark.parametrize("ends", ["jsonl", "ndjson", "json", "jsonl.gz", "NDJSON"])
def test_lines_of_json_are_read_under_each_ending(ends: str, tmp_path: Path) -> None:
    content = LINES.encode()
    (tmp_path / f"x.{ends}").write_bytes(gzip.compress(content) if ends.endswith("gz") else content)
    assert read_log(tmp_path / f"x.{ends}")[0].records.height == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_an_encoding_that_has_a_mark_is_read(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(TEXT.encode(encoding))
    (tmp_path / "y.jsonl").write_bytes(LINES.encode(encoding))
    for name in ("x.csv", "y.jsonl"):
        assert read_log(tmp_path / name)[0].queries["query"].to_list() == ["é?"]


@pytest.mark.parametrize(
    ("separator", "ends"), [(";", "csv"), ("\t", "csv"), ("\t", "tsv"), (",", "tsv"), (", ", "csv")]
)
def test_cells_may_be_parted_by_commas_semicolons_or_tabs(separator: str, ends: str, tmp_path: Path) -> None:
    text = "task_id,query,llm,effect\nt,q1,m,1\n".replace(",", separator)
    (tmp_path / f"x.{ends}").write_text(text + separator.join(("t", '"a, b; ""c"""', "m", "0.5")) + "\n")
    log, _ = read_log(tmp_path / f"x.{ends}")
    assert sorted(log.queries["query"]) == ['a, b; "c"', "q1"]
    assert log.llm_names == ("m",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TEXT.encode("latin-1"), "must be UTF-8, but line 2 has the byte 0xe9, as ISO-8859-1"),
        (TEXT.encode("utf-16-le"), "UTF-16 without a mark"),
        (b"PK\x03\x04 rest", "a ZIP archive"),
        (b"\x28\xb5\x2f\xfd rest", "compressed with Zstandard"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"PAR1 rest", "let its name end in .parquet"),
        (gzip.compress(TEXT.encode() * 99)[:-30], "must be a whole compressed file"),
        (b"query,effect,llm,effect\n1,2,3,4\n", "'effect' occurs twice"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, says: str, tmp_path: Path, fail: Callable[..., str]) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(content)
    assert says in refused(file)
    assert columns_of(file) in ([], ["task_id", "query", "llm", "effect"])
    for layout in ([], ["--format", "router_data"], ["--format", "table"]):
        assert says in fail("import", str(file), "--out", str(tmp_path / "log"), *layout)


@pytest.mark.parametrize("name", ["x.zip", "x.xlsx", "x.jsonl.zst", "x.txt"])
def test_a_file_of_another_type_is_named_by_its_content(name: str, tmp_path: Path, fail: Callable[..., str]) -> None:
    kinds = {".zip": b"PK\x03\x04", ".xlsx": b"PK\x03\x04", ".zst": b"\x28\xb5\x2f\xfd", ".txt": b"hello"}
    says = {
        ".zip": "ZIP archive",
        ".xlsx": "save the sheet as CSV",
        ".zst": "zstd -d",
        ".txt": "must end in one of .csv",
    }
    (tmp_path / name).write_bytes(kinds[Path(name).suffix])
    said = fail("import", str(tmp_path / name), "--out", str(tmp_path / "log"))
    assert says[Path(name).suffix] in said


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_a_key_that_an_object_has_twice_is_refused(name: str, tmp_path: Path, fail: Callable[..., str]) -> None:
    for place in ('{"query": "q", "llm": "m", "score": 1, "score": 0}', '{"response": {"text": 1, "text": 2}}'):
        (tmp_path / name).write_text('{"query": "p", "llm": "m", "score": 1}\n' + place + "\n")
        said = fail("import", str(tmp_path / name), "--out", str(tmp_path / "log"), "--quiet")
        assert "an object must have a key once" in said
    (tmp_path / "y.json").write_text('{"a": 1, "a": 2}')
    with pytest.raises(UserError, match="'a' twice"):
        read_json(tmp_path / "y.json")


def test_half_a_surrogate_pair_is_mended_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(
        '{"query": "a \\ud83d b", "llm": "m", "score": 1, "response": {"\\ud800": 1}}\n'
        '{"query": "\\ud83d\\ude00", "llm": "m", "score": 1}\n'
    )
    with pytest.warns(UserWarning, match="1 rows hold half of a surrogate pair"):
        log, _ = read_log(file)
    assert sorted(log.queries["query"]) == ["a \ufffd b", "\U0001f600"]
    log.save(tmp_path / "log")


def test_bytes_that_are_utf_8_are_text_and_others_name_the_row(tmp_path: Path, fail: Callable[..., str]) -> None:
    file = tmp_path / "x.parquet"
    columns = {"llm": ["m", "m"], "performance": [1.0, 0.0]}
    pl.DataFrame({"query": ["é?".encode(), b"b?"], **columns}).write_parquet(file)
    assert sorted(read_log(file, "table")[0].queries["query"]) == ["b?", "é?"]
    pl.DataFrame({"query": ["é?".encode(), b"\xff\xfe"], **columns}).write_parquet(file)
    said = fail("import", str(file), "--format", "table", "--out", str(tmp_path / "log"), "--quiet")
    assert "x.parquet, row 2: query must be text in UTF-8" in said


def test_a_damaged_parquet_file_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.parquet"
    pl.DataFrame({"query": ["a"] * 50, "llm": ["m"] * 50, "performance": [1.0] * 50}).write_parquet(file)
    whole = file.read_bytes()
    for start in range(4, len(whole) - 8, 7):  # some of these make polars panic, which is no Exception
        file.write_bytes(whole[:start] + bytes(12) + whole[start + 12 :])
        with contextlib.suppress(UserError):
            list(read_rows(file, lambda *_: None))
    assert capfd.readouterr().err == ""
    file.write_bytes(whole[:-20])
    assert "must be a whole Parquet file" in refused(file)


def test_a_link_to_itself_is_one_line(tmp_path: Path, fail: Callable[..., str]) -> None:
    inside = tmp_path / "folder"
    inside.mkdir()
    for link in (tmp_path / "x", tmp_path / "x.csv", inside / "x.json"):
        link.symlink_to(link)
    for path in (tmp_path / "x", tmp_path / "x.csv", inside):
        for layout in (None, "llmrouterbench", "routerarena", "table", "canonical"):
            fail("import", str(path), "--out", str(tmp_path / "log"), *(["--format", layout] if layout else []))


def test_an_error_shows_only_the_beginning_of_what_is_long(tmp_path: Path, fail: Callable[..., str]) -> None:
    long = "x" * 300_000
    (tmp_path / "a.csv").write_text(f"{long},b\n1,2\n")
    (tmp_path / "b.csv").write_text(f"{long},{long}\n1,2\n")
    (tmp_path / "c.csv").write_text(f"task_id,query,llm,effect\nt,q,m,{long}\n")
    (tmp_path / "d.jsonl").write_text(f'{{"query": "q", "llm": "m", "score": 1, "{long}": 1, "{long}": 2}}\n')
    (tmp_path / "e.csv").write_text(f"query,llm,performance,{long}\nq,m,{long},1\n")
    for name in ("a.csv", "b.csv", "c.csv", "d.jsonl", "e.csv"):
        for layout in ([], ["--format", "table"]):
            assert len(fail("import", str(tmp_path / name), "--out", str(tmp_path / "log"), "--quiet", *layout)) < 1500


def test_endings_are_told_below_those_of_compression() -> None:
    assert (ending(Path("a.JSONL.gz")), stem(Path("a.b.csv.xz"))) == (".jsonl", "a.b")
    assert (ending(Path("a.csv")), stem(Path("a.csv"))) == (".csv", "a")


def test_cells_parted_by_something_else_are_named(tmp_path: Path, fail: Callable[..., str]) -> None:
    (tmp_path / "x.csv").write_text("query|llm|performance\nq|m|1\n")
    said = fail("import", str(tmp_path / "x.csv"), "--out", str(tmp_path / "log"))
    assert "one column, query|llm|performance (cells are parted by commas, semicolons or tabs)" in said


def test_an_empty_header_is_no_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("\n\na,b,,\n1,2,,\n")
    assert header(tmp_path / "x.csv") == ["a", "b", ""]
    assert [row.number for row in read_rows(tmp_path / "x.csv", lambda *_: None)] == [4]
