"""RouterBench: the wide table, its raw form, and pickles that must not run."""

import base64
import io
import pickle
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from old_pickles import PICKLES
from public_layouts import knows_only_its_own, write_table

from graphrouter.errors import UserError
from graphrouter.formats import routerbench
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.cells import texts
from graphrouter.formats.frame_pickle import read_frame
from graphrouter.formats.rows import BadRow, Row
from graphrouter.log import LLMLog

GPT, MIXTRAL = "gpt-4-1106-preview", "mistralai/mixtral-8x7b-chat"


def sample(sample_id="mbpp.dev.1", prompt="['Write it.']", eval_name="mbpp", gpt=1.0, mixtral=0.0, **columns):
    row = {"sample_id": sample_id, "prompt": prompt, "eval_name": eval_name, GPT: gpt, MIXTRAL: mixtral}
    row |= {f"{GPT}|model_response": "['def f(): pass\\n']", f"{MIXTRAL}|model_response": '["it\'s"]'}
    row |= {f"{GPT}|total_cost": 0.01, f"{MIXTRAL}|total_cost": 3e-05, "oracle_model_to_route_to": GPT}
    return row | columns


def read(path: Path, skip_bad=False) -> tuple[LLMLog, LogBuilder]:
    builder = LogBuilder("log", skip_bad)
    routerbench.read(path, builder)
    return builder.build(), builder


def put(folder: Path, rows, ending="csv") -> Path:
    file = folder / f"routerbench_0shot.{ending}"
    frame = pd.DataFrame(rows)
    if ending == "csv":
        frame.to_csv(file)  # with a column of row numbers without a name, as the published files have
    elif ending == "parquet":
        frame.to_parquet(file)
    else:
        frame.to_pickle(file)
    return file


@pytest.mark.parametrize("ending", ["csv", "parquet", "pkl"])
def test_each_file_type_reads_alike(tmp_path, ending):
    rows = [sample(), sample("mbpp.dev.2", "['Now this.', 'And that.']", gpt=0.75, mixtral=None)]
    file = put(tmp_path, rows, ending)
    assert routerbench.recognises(file)
    log, _ = read(file)
    assert log.queries.select("query_id", "task", "subtask", "query").rows() == [
        ("mbpp.dev.1", "mbpp", None, "Write it."),
        ("mbpp.dev.2", "mbpp", None, "Now this.\n\nAnd that."),
    ]
    assert log.records.select("query_id", "llm", "performance", "cost").rows() == [
        ("mbpp.dev.1", GPT, 1.0, 0.01),
        ("mbpp.dev.1", MIXTRAL, 0.0, 3e-05),
        ("mbpp.dev.2", GPT, 0.75, 0.01),
    ]
    assert log.responses()["response"].to_list() == ["def f(): pass\n", "it's", "def f(): pass\n"]


@pytest.mark.parametrize("ending", ["csv", "pkl"])
def test_the_raw_form_reads_like_the_wide_one(tmp_path, ending):
    wide = [sample(prompt="['write it.']"), sample("mbpp.dev.2", "['now this.']", gpt=0.75)]
    long = [
        {key: row[key] for key in ("sample_id", "prompt", "eval_name")}
        | {
            "model_name": llm,
            "performance": row[llm],
            "model_response": row[f"{llm}|model_response"],
            "cost": row[f"{llm}|total_cost"],
        }
        for row in wide
        for llm in (MIXTRAL, GPT)
    ]
    (tmp_path / "raw").mkdir()
    file = put(tmp_path / "raw", long, ending)
    assert routerbench.recognises(file)
    one, two = read(put(tmp_path, wide))[0], read(file)[0]
    assert one.queries.equals(two.queries)
    assert one.records.equals(two.records)
    assert one.responses().equals(two.responses())


@pytest.mark.parametrize(
    ("sample_id", "eval_name", "task", "subtask"),
    [
        ("mmlu-anatomy.val.3", "mmlu-anatomy", "mmlu", "mmlu-anatomy"),
        ("mtbench-math.dev.3", "mtbench-math", "mtbench", "mtbench-math"),
        ("mtbench.dev.1", "mtbench", "mtbench", None),
        ("arc-challenge.test.1", "arc-challenge", "arc-challenge", None),
        ("q7", "mmlu-anatomy", "mmlu-anatomy", None),
        ("q8", "", None, None),
    ],
)
def test_subjects_are_subtasks_where_the_id_says_so(tmp_path, sample_id, eval_name, task, subtask):
    log, _ = read(put(tmp_path, [sample(sample_id, eval_name=eval_name), sample("other")]))
    assert log.queries.filter(query_id=sample_id).select("task", "subtask").row(0) == (task, subtask)


def test_two_half_filled_rows_are_one_query(tmp_path):
    halves = [sample(prompt="['B wording']", gpt=None), sample(prompt="['A wording']", mixtral=None)]
    for rows in (halves, halves[::-1]):
        log, _ = read(put(tmp_path, rows))
        assert log.queries["query"].to_list() == ["A wording"]
        assert log.records.select("llm", "draw").rows() == [(GPT, 0), (MIXTRAL, 0)]


def test_row_order_does_not_matter(tmp_path):
    rows = [
        sample(f"mbpp.dev.{at % 5}", f"['Q{at % 5}']", gpt=at / 8, mixtral=None if at % 3 else 0.5) for at in range(8)
    ]
    one, two = read(put(tmp_path, rows))[0], read(put(tmp_path, rows[::-1]))[0]
    assert one.queries.equals(two.queries)
    assert one.records.equals(two.records)
    assert one.responses().equals(two.responses())


def test_an_llm_without_any_score_stays(tmp_path):
    log, _ = read(put(tmp_path, [sample(mixtral=None)]))
    assert log.llm_names == (GPT, MIXTRAL)
    assert log.records.height == 1


def test_scores_may_be_true_and_false(tmp_path):
    log, _ = read(put(tmp_path, [sample(gpt=True, mixtral=False), sample("mbpp.dev.2", gpt=False, mixtral=True)]))
    assert log.records["performance"].to_list() == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (sample("b", gpt=1.5), f"{GPT} must be within"),
        (sample("b", gpt="good"), f"{GPT} must be a number"),
        (sample("b", mixtral=7), f"{MIXTRAL} must be within"),
        (sample("b", prompt=None), "prompt must be text"),
        (sample("b", **{f"{MIXTRAL}|total_cost": -1}), "total_cost must be"),
        (sample(eval_name="other"), "task of query"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "pkl"])
def test_a_bad_row_is_refused_whole_or_listed(tmp_path, bad, reason, ending):
    file = put(tmp_path, [sample(), bad], ending)
    with pytest.raises(UserError, match=reason.replace("|", r"\|")):
        read(file)
    log, builder = read(file, skip_bad=True)
    assert log.queries.height == 1
    assert log.records.height == 2
    assert [row.file for row in builder.rejected] == [file]


def test_other_tables_are_refused(tmp_path):
    with pytest.raises(UserError, match="must have the columns prompt, eval_name"):
        read(write_table(tmp_path / "a.csv", [{"prompt": "?", "eval_name": "x", "m": 1.0}]))
    with pytest.raises(UserError, match="must have the columns prompt, eval_name"):
        read(put(tmp_path, [{"a": 1}], "pkl"))


# Texts of Python lists


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("['one']", "one"),
        ("['']", ""),
        ("['it\\'s', \"two\"]", "it's\n\ntwo"),
        ("plain", "plain"),
        ("[", "["),
        ("[']", "[']"),
        ("[]", "[]"),
        ("[1, 2]", "[1, 2]"),
        ("['a', 1]", "['a', 1]"),
        ("['a' 'b']", "ab"),
        ("[open('x')]", "[open('x')]"),
        ("[__import__('os').system('true')]", "[__import__('os').system('true')]"),
        ("['a'] + ['b']", "['a'] + ['b']"),
        ("[" * 10_000 + "]" * 10_000, "[" * 10_000 + "]" * 10_000),
        ("[" + "-" * 100_000 + "1]", "[" + "-" * 100_000 + "1]"),
        (["a", "b"], "a\n\nb"),
    ],
)
def test_lists_in_texts_are_parsed_and_never_evaluated(text, read_as):
    assert texts(Row(Path("x"), 1, {"prompt": text}), "prompt") == read_as


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_a_printed_list_reads_back(parts):
    assert texts(Row(Path("x"), 1, {"prompt": repr(parts)}), "prompt") == "\n\n".join(parts)


def test_a_cell_of_another_kind_is_bad():
    with pytest.raises(BadRow, match="prompt must be text or a list of texts"):
        texts(Row(Path("x"), 1, {"prompt": [1]}), "prompt")


# Pickles


@pytest.mark.parametrize("protocol", PICKLES)
def test_pickles_of_older_pandas_are_read(tmp_path, protocol):
    file = tmp_path / "old.pkl"
    file.write_bytes(zlib.decompress(base64.b85decode(PICKLES[protocol])))
    assert routerbench.recognises(file)
    log, _ = read(file)
    assert log.queries.select("query_id", "task", "query").rows() == [
        ("mbpp.dev.2", "mbpp", "a\n\n\nb's"),
        ("mmlu-anatomy.val.1", "mmlu", "One é?"),
    ]
    assert log.records.select("query_id", "llm", "performance", "cost").rows() == [
        ("mbpp.dev.2", "n", 1.0, 3e-4),
        ("mmlu-anatomy.val.1", "m", 1.0, 1e-4),
        ("mmlu-anatomy.val.1", "n", 0.25, 2e-4),
    ]
    assert log.responses()["response"].to_list() == ["z", "x", "y"]


FRAMES = {
    "texts": pd.DataFrame({"a": ["x", None, "é\n"], "b": ["", "y", "z" * 300]}),
    "numbers": pd.DataFrame({"a": [1, 2, 3], "b": [True, False, True], "c": [0.5, None, -1.0], "d": [1.5, 2.5, 3.5]}),
    "objects": pd.DataFrame({"a": ["x", 1, None], "b": [["l", "m"], 0.5, True]}, dtype=object),
    "numpy scalars": pd.DataFrame({"a": [pd.Series([1.5])[0], "x"]}, dtype=object),
    "one row": pd.DataFrame({"a": ["x"], "b": [1]}),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype=str), "b": pd.Series([], dtype=float)}),
    "a part": pd.concat([pd.DataFrame({"a": ["u", "v", None]}), pd.DataFrame({"a": ["w"]})]).iloc[1:],
    "own row names": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=["p", "q"]).rename_axis("idx"),
    "python strings": pd.DataFrame({"a": pd.array(["x", "y"], dtype=pd.StringDtype("python"))}),
}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", FRAMES)
def test_pickles_of_the_installed_pandas_are_read(tmp_path, name, protocol):
    frame = FRAMES[name]
    frame.to_pickle(tmp_path / "a.pkl", protocol=protocol)
    expected = {
        column: [None if value is None or value != value else value for value in frame[column]] for column in frame
    }
    found = read_frame(tmp_path / "a.pkl")
    assert {
        column: [None if value != value else value for value in cells] for column, cells in found.items()
    } == expected


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [object, float])
def test_a_block_of_several_columns_keeps_its_cells_in_place(tmp_path, dtype, order, protocol):
    cells = np.array(np.arange(6).reshape(3, 2), dtype=dtype, order=order)
    frame = pd.DataFrame(cells, columns=["a", "b"], copy=False)
    assert frame._mgr.blocks[0].values.flags[f"{'F' if order == 'C' else 'C'}_CONTIGUOUS"]  # a block is transposed
    frame.to_pickle(tmp_path / "a.pkl", protocol=protocol)
    assert read_frame(tmp_path / "a.pkl") == {"a": [0, 2, 4], "b": [1, 3, 5]}


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"a": pd.Categorical(["x"])}),
        pd.DataFrame({"a": pd.to_datetime(["2024-01-01"])}),
        pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
        pd.Series([1]),
        [1, 2],
        {"_mgr": 1},
        "text",
        None,
    ],
)
def test_what_is_no_table_of_texts_and_numbers_is_refused(tmp_path, value):
    file = tmp_path / "a.pkl"
    file.write_bytes(pickle.dumps(value))
    with pytest.raises(UserError, match=r"must (be a DataFrame|hold a pickled table).*CSV or Parquet"):
        read_frame(file)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("any") / "a.pkl"
    file.write_bytes(b"\x80\x04" + content)
    with pytest.raises(UserError):
        read_frame(file)


@given(st.integers(0, 1200), st.binary(min_size=1, max_size=4))
def test_a_damaged_pickle_is_read_or_refused(tmp_path_factory, at, damage):
    whole = zlib.decompress(base64.b85decode(PICKLES[5]))
    file = tmp_path_factory.mktemp("damaged") / "a.pkl"
    file.write_bytes(whole[:at] + damage + whole[at + len(damage) :])
    try:
        assert len(read_frame(file)) == 10
    except UserError as error:
        assert str(file) in str(error)  # noqa: PT017 - either outcome is right


class Call:
    """Pickles as a call of a global, named as ``module:name``, also of one that this machine does not have."""

    def __init__(self, function, *args, state=None):
        self.function, self.args, self.state = function, args, state

    def __reduce__(self):
        return (self.function, self.args) if self.state is None else (self.function, self.args, self.state)


class Named(str):
    """Pickles as the global itself."""


def pickled(value, protocol=2) -> bytes:
    """Pickle a value in which `Named`, and the functions of `Call`, become global names."""

    class Pickler(pickle._Pickler):
        def save(self, value, save_persistent_id=True):
            if isinstance(value, Named):
                self.write(pickle.GLOBAL + value.replace(":", "\n").encode() + b"\n")
            elif isinstance(value, type) and id(value) not in self.memo:
                self.save_type(value)  # as plain pickle does; dill, which datasets imports, changes that everywhere
            elif isinstance(value, Call):
                self.save(Named(value.function) if isinstance(value.function, str) else value.function)
                self.save(value.args)
                self.write(pickle.REDUCE)
                if value.state is not None:
                    self.save(value.state)
                    self.write(pickle.BUILD)
            else:
                super().save(value, save_persistent_id)

    stream = io.BytesIO()
    Pickler(stream, protocol).dump(value)
    return stream.getvalue()


TOUCH = "import pathlib; pathlib.Path({!r}).touch()"
MALICIOUS = {
    "os.system": lambda mark: Call("os:system", f"touch {mark}"),
    "posix.system": lambda mark: Call("posix:system", f"touch {mark}"),
    "builtins.eval": lambda mark: Call("builtins:eval", f"open({mark!r}, 'w')"),
    "builtins.exec": lambda mark: Call("builtins:exec", TOUCH.format(mark)),
    "__builtin__.eval": lambda mark: Call("__builtin__:eval", f"open({mark!r}, 'w')"),
    "builtins.open": lambda mark: Call("builtins:open", mark, "w"),
    "builtins.getattr": lambda mark: Call(Call("builtins:getattr", Named("os:path"), "os"), mark),
    "builtins.__import__": lambda mark: Call("builtins:__import__", "os"),
    "functools.partial": lambda mark: Call(Call("functools:partial", Named("os:system")), f"touch {mark}"),
    "subprocess.Popen": lambda mark: Call("subprocess:Popen", ["touch", mark]),
    "operator.methodcaller": lambda mark: Call("operator:methodcaller", "system", f"touch {mark}"),
    "importlib.import_module": lambda mark: Call("importlib:import_module", "os"),
    "pickle.loads": lambda mark: Call("pickle:loads", pickled(Call("os:system", f"touch {mark}"))),
    "pandas.read_pickle": lambda mark: Call("pandas:read_pickle", mark),
    "pandas.eval": lambda mark: Call("pandas:eval", f"@open({mark!r}, 'w')"),
    "pandas.DataFrame.to_csv": lambda mark: Call("pandas:DataFrame.to_csv", pd.DataFrame({"a": [1]}), mark),
    "pandas.core.frame.DataFrame.eval": lambda mark: Call("pandas.core.frame:DataFrame.eval", "1"),
    "numpy.load": lambda mark: Call("numpy:load", mark, None, True),
    "numpy.testing._private.utils.runstring": lambda mark: Call("numpy.testing._private.utils:runstring", TOUCH.format(mark), {}),
    "numpy.f2py.crackfortran.myeval": lambda mark: Call("numpy.f2py.crackfortran:myeval", f"open({mark!r}, 'w')"),
    "numpy.os": lambda mark: Call("numpy:os", mark),
    "copyreg._reconstructor": lambda mark: Call("copyreg:_reconstructor", Named("builtins:object"), None, None),
    "codecs.open": lambda mark: Call("codecs:open", mark, "w"),
}  # fmt: skip


def number_type(code):
    return Call("numpy:dtype", code, False, True, state=(3, "<", None, None, None, -1, -1, 0))


def table(value="x", shape=(1, 1), kind=None, data=None, place=(0, 1, 1), column=None, blocks=1):
    """Return a table of one column, ``prompt``, that holds the value in a cell, built of allowed names.

    Args:
        value: Of the cell.
        shape, kind, data: Of the array with the cell, in place of what fits.
        place: Of the block among the columns: start, end, step.
        column: What stands for the array, in place of one.
        blocks: How many there are.
    """
    objects = Call("numpy:dtype", "O8", False, True)
    array, names = (
        Call("numpy.core.multiarray:_reconstruct", Named("numpy:ndarray"), (0,), b"b", state=state)
        for state in (
            (1, shape, kind or objects, False, [value] if data is None else data),
            (1, (1,), objects, False, ["prompt"]),
        )
    )
    block = Call("pandas._libs.internals:_unpickle_block", column or array, Call("builtins:slice", *place), 2)
    axis = Call("pandas.core.indexes.base:_new_Index", Named("pandas:Index"), {"data": names, "name": None})
    manager = Call("pandas.core.internals.managers:BlockManager", (block,) * blocks, [axis, axis])
    return Call("pandas.core.frame:DataFrame", state={"_mgr": manager})


@pytest.mark.parametrize(
    "wrap", [lambda value: value, table, lambda value: {"_mgr": [value]}], ids=["alone", "cell", "state"]
)
@pytest.mark.parametrize("name", MALICIOUS)
def test_a_pickle_that_names_anything_else_is_refused_before_it_runs(tmp_path, name, wrap):
    mark, file = tmp_path / "ran", tmp_path / "routerbench_0shot.pkl"
    file.write_bytes(pickled(wrap(MALICIOUS[name](str(mark)))))
    with pytest.raises(UserError, match="nothing of it was run") as raised:
        read(file)
    assert not mark.exists()
    first = (name, "os.system", "os.path", "_codecs.encode", "builtins.object")
    assert any(f"names {part}," in str(raised.value) for part in first)


def test_a_malicious_pickle_of_the_standard_pickler_is_refused(tmp_path):
    import os

    mark = tmp_path / "ran"
    frame = pd.DataFrame({"prompt": [Call(os.system, f"touch {mark}")]}, dtype=object)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        frame.to_pickle(tmp_path / "a.pkl", protocol=protocol)
        with pytest.raises(UserError, match=r"posix.system|copy_?reg"):
            read(tmp_path / "a.pkl")
        assert not mark.exists()


ENDS = b"".join(at.to_bytes(8, "little") for at in (0, 1, 2, 4))


def arrow(length, start, valid, ends=ENDS, data=b"abcd", kind="large_string"):
    """Return a table with one column of texts as pandas 3 pickles it."""
    buffers = [None if part is None else Call("pyarrow.lib:py_buffer", part) for part in (valid, ends, data)]
    about = (Call("pyarrow.lib:type_for_alias", kind), length, 0, start, buffers, [], None)
    array = Call("pyarrow.lib:_restore_array", about)
    return table(column=Call("pandas.arrays:ArrowStringArray", state={"_pa_array": array}))


F8, ONE = number_type("f8"), np.ones(1).tobytes()
TABLES = {
    "an object": (table("harmless"), ["harmless"]),
    "a shape with a free side": (table(shape=(-1, 1)), ["x"]),
    "a number": (table(kind=F8, data=ONE), [1.0]),
    "a number in text": (table(kind=F8, data=Call("_codecs:encode", "\0" * 6 + "\xf0?", "latin1")), [1.0]),
    "Arrow texts": (arrow(3, 0, None), ["a", "b", "cd"]),
    "Arrow texts with a missing one": (arrow(3, 0, b"\x05"), ["a", None, "cd"]),
    "a part of Arrow texts": (arrow(2, 1, b"\x06"), ["b", "cd"]),
    "no Arrow texts": (arrow(0, 0, None), []),
}
UNFIT = {
    "a frame without a manager": (Call("pandas:DataFrame", state=(None, {"__setstate__": 1})), "must"),
    "a class in a cell": (table(Named("numpy:ndarray")), "a cell holds"),
    "a slice in a cell": (table(Call("builtins:slice", 0)), "a cell holds"),
    "a type": (Call("numpy:dtype", "f8"), "a frame is expected"),
    "a shape too large": (table(shape=(2, 2)), "cannot be read"),
    "a shape without end": (table(shape=(1, 10**12)), "cannot be read"),
    "a shape of text": (table(shape=("a",)), "cannot be read"),
    "no cells": (table(data=()), "cannot be read"),
    "a place without end": (table(place=(0, 10**12, 1)), "cannot be read"),
    "two places": (table(place=(0, 2, 1)), "cannot be read"),
    "a place elsewhere": (table(place=(5, 6, 1)), "cannot be read"),
    "no place": (table(place=(0, 0, 1)), "cannot be read"),
    "a column without a block": (table(blocks=0), "do not fit its columns"),
    "a number cut short": (table(kind=F8, data=b"1234"), "ValueError"),
    "complex numbers": (table(kind=number_type("c16"), data=ONE * 2), "neither text nor a number"),
    "dates": (table(kind=number_type("M8"), data=ONE), "neither text nor a number"),
    "raw bytes": (table(kind=number_type("V8"), data=ONE), "neither text nor a number"),
    "text for numbers": (table(kind=F8, data="text"), "bytes are expected"),
    "an odd code": (table(kind=F8, data=Call("_codecs:encode", "\0" * 6, "utf-8")), "bytes are encoded as 'utf-8'"),
    "more Arrow texts than there are": (arrow(4, 0, None), "cannot be read"),
    "Arrow texts without end": (arrow(10**12, 0, None), "cannot be read"),
    "Arrow texts from elsewhere": (arrow(3, 9, None), "cannot be read"),
    "Arrow texts of unknown validity": (arrow(3, 0, b""), "cannot be read"),
    "Arrow ends cut short": (arrow(3, 0, None, ENDS[:-3]), "cannot be read"),
    "Arrow texts of no UTF-8": (arrow(3, 0, None, data=b"\xff" * 4), "cannot be read"),
    "Arrow numbers": (arrow(3, 0, None, kind="int64"), "cannot be read"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_built_by_hand_are_read(tmp_path, name):
    made, cells = TABLES[name]
    (tmp_path / "a.pkl").write_bytes(pickled(made, 3))
    assert read_frame(tmp_path / "a.pkl") == {"prompt": cells}


@pytest.mark.parametrize("name", UNFIT)
def test_allowed_names_that_make_no_table_are_refused(tmp_path, name):
    made, reason = UNFIT[name]
    (tmp_path / "a.pkl").write_bytes(pickled(made, 3))
    with pytest.raises(UserError, match=reason):
        read_frame(tmp_path / "a.pkl")


def test_a_pickle_cannot_change_the_classes_it_is_given(tmp_path):
    attack = b"\x80\x02cpandas\nDataFrame\nN}X\x04\x00\x00\x00kindX\x01\x00\x00\x00xs\x86b."
    (tmp_path / "a.pkl").write_bytes(attack)
    with pytest.raises(UserError):
        read_frame(tmp_path / "a.pkl")
    FRAMES["texts"].to_pickle(tmp_path / "b.pkl")
    assert list(read_frame(tmp_path / "b.pkl")) == ["a", "b"]


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"a.pkl must be a file"):
        read(tmp_path / "a.pkl")


def test_knows_its_own_layout_and_no_other(tmp_path):
    assert knows_only_its_own(routerbench, tmp_path)
    assert not routerbench.recognises(tmp_path / "absent.pkl")
    (tmp_path / "empty.pkl").touch()
    assert not routerbench.recognises(tmp_path / "empty.pkl")
    pd.DataFrame({"a": [1]}).to_pickle(tmp_path / "other.pkl")
    assert not routerbench.recognises(tmp_path / "other.pkl")


def test_a_malicious_pickle_may_be_recognised_but_is_not_run(tmp_path):
    mark = tmp_path / "ran"
    file = tmp_path / "a.pkl"
    file.write_bytes(pickled([Call("os:system", f"touch {mark}"), "sample_id", "eval_name", "m|total_cost"]))
    assert routerbench.recognises(file)
    assert not mark.exists()


# Exports, and the converted data


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_export_reads_back(tmp_path, ending):
    rows = [
        sample(f"mbpp.dev.{at}", repr([text]), gpt=at / 4, mixtral=None if at == 1 else 0.1)
        for at, text in enumerate(["it's", 'a\r\n"b",', "['c']", "é\0"])
    ]
    log, _ = read(put(tmp_path, rows, "parquet"))
    file = tmp_path / f"export.{ending}"
    routerbench.write(log, file)
    again, _ = read(file)
    assert again.queries.equals(log.queries)
    assert again.llms.equals(log.llms)
    assert again.records.equals(log.records)
    assert again.responses().equals(log.responses())


@pytest.mark.real_data
def test_conventions_agree_with_the_converted_data(real_data, tmp_path):
    log = LLMLog.load(real_data / "routerbench")
    with pytest.warns(UserWarning, match="cannot hold"):
        routerbench.write(log, tmp_path / "wide.csv")
    again, _ = read(tmp_path / "wide.csv")
    assert again.queries.select("query_id", "task", "query").equals(log.queries.select("query_id", "task", "query"))
    columns = ["query_id", "llm", "performance"]
    assert again.records.select(columns).equals(log.records.select(columns))
    assert (again.records["cost"] - log.records["cost"]).abs().max() < 1e-12
    assert again.responses().equals(log.responses())
    assert set(pl.Series(again.records["performance"]).unique()) == {0.0, 1.0}
