import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.errors import UserError
from graphrouter.formats import rows as module
from graphrouter.formats.rows import BadRow, Row, columns_of, read_rows, tables
from graphrouter.formats.vectors import parse_vector, print_vector

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES | st.lists(VALUES, max_size=3), max_size=4)


def read(file: Path) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    bad: list[tuple[int, str]] = []
    rows = [row.values for row in read_rows(file, lambda _, number, reason: bad.append((number, reason)))]
    return rows, bad


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


@given(objects=st.lists(OBJECTS, max_size=6), indent=st.sampled_from([None, 1]), chunk=st.integers(1, 40))
def test_a_json_list_is_read_whatever_its_size(
    objects: list[Any], indent: int | None, chunk: int, folder: Path
) -> None:
    file = folder / "x.json"
    file.write_text(json.dumps(objects, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        assert read(file) == (objects, [])


@given(objects=st.lists(OBJECTS, min_size=1, max_size=6), chunk=st.integers(1, 40))
def test_lines_of_json_are_read_under_either_ending(objects: list[Any], chunk: int, folder: Path) -> None:
    for ending in ("json", "jsonl"):
        (folder / f"y.{ending}").write_text("\n".join(json.dumps(value) for value in objects) + "\n\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "CHUNK", chunk)
            assert read(folder / f"y.{ending}") == (objects, [])


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": ]', '[{"a": 1}', "", '{"a": 1} nonsense', "[" * 100_000])
def test_a_json_file_that_is_broken_is_refused_whole(text: str, folder: Path) -> None:
    (folder / "z.json").write_text(text)
    if not text:
        assert read(folder / "z.json") == ([], [])
        return
    with pytest.raises(UserError, match=r"z\.json must be a JSON list of objects"):
        read(folder / "z.json")


def test_lines_that_are_no_rows_are_rejected_and_never_shown(folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"a": 1}\n{"secret": \n["secret"]\n\n' + "[" * 100_000 + '\n{"a": 2}\n')
    rows, bad = read(folder / "bad.jsonl")
    assert rows == [{"a": 1}, {"a": 2}]
    assert [number for number, _ in bad] == [2, 3, 5]
    assert "secret" not in str(bad)
    (folder / "bad.csv").write_text('a,b\n1,2\n1\n"x\ny",2\n1,2,3\n')
    rows, bad = read(folder / "bad.csv")
    assert rows == [{"a": "1", "b": "2"}, {"a": "x\ny", "b": "2"}]
    assert bad == [(3, "must have 2 cells, as the header has"), (6, "must have 2 cells, as the header has")]


def test_rows_carry_the_line_that_they_begin_on(folder: Path) -> None:
    (folder / "lines.csv").write_text('a\n"x\ny"\nz\n')
    assert [row.number for row in read_rows(folder / "lines.csv", lambda *_: None)] == [2, 4]


def test_a_cell_may_be_longer_than_python_takes_by_default(folder: Path) -> None:
    (folder / "long.csv").write_text("a\n" + "x" * 200_000 + "\n")
    assert len(read(folder / "long.csv")[0][0]["a"]) == 200_000


def test_files_that_cannot_be_read_are_refused(folder: Path) -> None:
    (folder / "latin.csv").write_bytes("a\né\n".encode("latin-1"))
    (folder / "broken.parquet").write_bytes(b"PAR1")
    for name, reason in (
        ("latin.csv", "must be UTF-8"),
        ("broken.parquet", "whole Parquet"),
        ("none.csv", "No such file"),
    ):
        with pytest.raises(UserError, match=reason):
            read(folder / name)
        assert columns_of(folder / name) in ([], ["a"])
    with pytest.raises(UserError, match="must be one of .csv"):
        read(folder / "x.xlsx")


def test_tables_are_found_below_a_folder_but_not_hidden_ones(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".cache").mkdir()
    for name in ("b/y.csv", "a.CSV", "notes.txt", ".cache/x.csv", ".x.csv"):
        (tmp_path / name).write_text("a\n")
    pl.DataFrame({"p": [1]}).write_parquet(tmp_path / "c.parquet")
    assert [file.relative_to(tmp_path).as_posix() for file in tables(tmp_path)] == ["a.CSV", "b/y.csv", "c.parquet"]
    assert columns_of(tmp_path / "c.parquet") == ["p"]


@pytest.mark.parametrize("value", [None, "", " nan ", "NaN", "None", "null", float("nan")])
def test_a_number_that_is_missing_is_none(value: object) -> None:
    row = Row(Path("x"), 1, {"n": value})
    assert row.optional_number("n") is None
    with pytest.raises(BadRow, match="n must be a number"):
        row.number_of("n")


@pytest.mark.parametrize("value", ["x", "inf", -1, 10**400, [1], "1,5"])
def test_a_number_that_cannot_be_is_a_bad_row(value: object) -> None:
    with pytest.raises(BadRow, match="n must be"):
        Row(Path("x"), 1, {"n": value}).optional_number("n")


@given(vector=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_a_vector_is_read_from_each_of_its_printed_forms(vector: list[float]) -> None:
    printed = ", ".join(f"{value:.9e}" for value in vector)
    import numpy as np

    wanted = np.array(vector, dtype=np.float32)
    forms = (
        f"tensor([{printed}], device='cuda:0')",
        f"tensor([[{printed}]], dtype=torch.float64)",
        print_vector(wanted),
    )
    for form in (*forms, vector, [vector]):
        found = parse_vector(form)
        assert found is not None
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "cell", [None, "", "tensor([1., ..., 2.])", "tensor([nan])", "[]", "words", 3.0, [[1], [2]], [None]]
)
def test_what_is_no_whole_vector_is_none(cell: object) -> None:
    assert parse_vector(cell) is None
