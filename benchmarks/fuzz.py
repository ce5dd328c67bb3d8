"""Mutated logs and mutated files to import: each must be read rightly or refused in one line, fast and without a traceback.

    python benchmarks/fuzz.py logs --count 5000
    python benchmarks/fuzz.py imports --count 5000 --seed 1

Prints how many were read and refused, and each failure with the number that makes it again (``--only N``).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "formats"))

from graphrouter.errors import UserError
from graphrouter.formats import read_log
from graphrouter.inspection import inspect_log
from graphrouter.log import load_log
from graphrouter.simulate import simulate

SECONDS = 20  # a file that takes longer hangs
LONGEST = 1500  # characters of an error
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 1e-320, float("nan"), float("inf"), 2**63 - 1, 2**64, 10**400, "", " ",
    "\0", "a\0", "nan", "1,5", "0.5", "-inf", "true", "\ud800", "\x1b[31mred", "é" * 50, "x" * 100_000, [], [1], [[]], {}, {"a": 1},
    [None], {"": None}, b"bytes", "\u202e", "\ufeff", "=1+1", "../../x", "/", "row", "query_id",
]  # fmt: skip
"""Values that found faults in programs that read data."""


def cast_column(frame: pl.DataFrame, column: str, dice: random.Random) -> pl.DataFrame:
    """Give a column another type, the values going along as far as they can."""
    texts = [None if value is None else str(value) for value in frame[column].to_list()]
    n = frame.height
    makers: list[Callable[[], pl.Series]] = [
        lambda: pl.Series(column, texts),
        lambda: pl.Series(column, [None if text is None else text.encode() for text in texts]),
        lambda: pl.Series(column, texts).cast(pl.Categorical),
        lambda: pl.Series(column, texts).cast(pl.Enum(sorted({text for text in texts if text is not None}) or ["x"])),
        lambda: pl.Series(column, [[text] for text in texts]),
        lambda: pl.Series(column, [{"value": text} for text in texts]),
        lambda: pl.Series(column, [dice.random() for _ in range(n)], dtype=pl.Float32),
        lambda: pl.Series(column, [dice.choice([1e308, float("nan"), float("inf"), -0.5, 0.5]) for _ in range(n)]),
        lambda: pl.Series(column, [dice.randrange(-3, 3) for _ in range(n)], dtype=pl.Int8),
        lambda: pl.Series(column, [2**64 - 1 - row for row in range(n)], dtype=pl.UInt64),
        lambda: pl.Series(column, [row % 2 == 0 for row in range(n)]),
        lambda: pl.Series(column, [date(2026, 1, 1)] * n),
        lambda: pl.Series(column, [timedelta(seconds=1)] * n),
        lambda: pl.Series(column, [None] * n, dtype=pl.Null),
        lambda: pl.Series(column, [None] * n, dtype=pl.String),
        lambda: pl.Series(column, [[0.1, 0.2]] * n, dtype=pl.Array(pl.Float64, 2)),
        lambda: pl.Series(column, ["1.5"] * n).cast(pl.Decimal(10, 2)),
    ]
    return frame.with_columns(dice.choice(makers)())


def mutate_frame(frame: pl.DataFrame, dice: random.Random) -> pl.DataFrame:
    """Change a table in one way."""
    column = dice.choice(frame.columns)
    row = dice.randrange(max(frame.height, 1))
    ways: list[Callable[[], pl.DataFrame]] = [
        lambda: cast_column(frame, column, dice),
        lambda: cast_column(frame, column, dice),
        lambda: frame.drop(column),
        lambda: frame.rename(
            {column: dice.choice(["row", "x", f"{column} ", column.upper(), "", "vector", "x" * 100_000])}
        ),
        lambda: frame.with_columns(
            frame[column].alias(dice.choice(["row", "index", "costs", "literal", "len", "count"]))
        ),
        lambda: pl.concat([frame, frame[row : row + 1]]),
        lambda: frame.clear(),
        lambda: frame[: max(1, frame.height // 2)],
        lambda: frame.sample(fraction=1, shuffle=True, seed=dice.randrange(99)),
        lambda: _with_cell(frame, column, row, dice.choice(ODD)),
        lambda: _with_cell(frame, column, row, dice.choice(ODD)),
        lambda: _with_cell(frame, column, row, None),
    ]
    return dice.choice(ways)()


def _with_cell(frame: pl.DataFrame, column: str, row: int, value: Any) -> pl.DataFrame:
    values = frame[column].to_list()
    if values:
        values[row] = value
    try:
        return frame.with_columns(pl.Series(column, values, strict=False))
    except (TypeError, OverflowError, UnicodeEncodeError, pl.exceptions.PolarsError):
        return frame.with_columns(pl.Series(column, [str(item).encode("utf-8", "replace").decode() for item in values]))


def mutate_bytes(content: bytes, dice: random.Random) -> bytes:
    """Change a file's bytes in one way."""
    if not content:
        return b"\0"
    at, until = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    ways = [
        content[:at],
        content[at:],
        content[:at] + bytes([dice.randrange(256)]) + content[at + 1 :],
        content[:at] + bytes(dice.randrange(1, 40)) + content[at:],
        content[:at] + bytes(len(content[at:until])) + content[until:],
        content + content,
        content[:at] + content[at:until] * 2 + content[until:],
        content[::-1],
        b"\xef\xbb\xbf" + content,
        content.replace(b"\n", b"\r\n"),
        content.replace(b",", b";"),
        content.decode("utf-8", "replace").encode("utf-16"),
        content.replace(b'"', b"'"),
        b"[" * 100_000,
        b"",
        content[:at] + b'\\ud800"' + content[at:],
        content[:at] + dice.choice([b"NaN", b"1e999", b"null", b"{}", b"[]", b'""', b"9" * 5000]) + content[until:],
    ]
    return dice.choice(ways)


def mutate_json(value: Any, dice: random.Random) -> Any:
    """Put an odd value in the place of one part of a JSON value, drop it, or double it."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        key = dice.choice(list(value))
        if dice.random() < 0.15:
            return {name: part for name, part in value.items() if name != key}
        if dice.random() < 0.1:
            return {
                (dice.choice(["row", "", "\ud800", "x" * 9999]) if name == key else name): part
                for name, part in value.items()
            }
        return {**value, key: mutate_json(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.85:
        at = dice.randrange(len(value))
        return [*value[:at], mutate_json(value[at], dice), *value[at + dice.choice([0, 1, 1, 1]) :]]
    odd = dice.choice(ODD)
    return "bytes" if isinstance(odd, bytes) else odd


def mutate_text_file(file: Path, dice: random.Random) -> None:
    """Change a file of lines of JSON, of JSON or of a table by its content; any other by its bytes."""
    content = file.read_bytes()
    kind = file.suffix.lower()
    if kind == ".jsonl" and dice.random() < 0.7 and content.strip():
        lines = content.decode().splitlines()
        at = dice.randrange(len(lines))
        lines[at] = json.dumps(mutate_json(json.loads(lines[at]), dice))
        file.write_text("\n".join(lines) + "\n")
    elif kind == ".json" and dice.random() < 0.7:
        file.write_text(json.dumps(mutate_json(json.loads(content), dice)))
    elif kind in (".csv", ".tsv") and dice.random() < 0.6:
        frame = pl.read_csv(file, infer_schema=False)
        mutated = mutate_frame(frame, dice)
        plain = {name: [str(value) for value in mutated[name].to_list()] for name in mutated.columns}
        pl.DataFrame(plain).write_csv(file)
    elif kind == ".parquet" and dice.random() < 0.7:
        mutate_frame(pl.read_parquet(file), dice).write_parquet(file)
    else:
        file.write_bytes(mutate_bytes(content, dice))


def log_case(base: Path, folder: Path, dice: random.Random) -> Callable[[], object]:
    """Mutate a log on disk, and return what reads it as `graphrouter inspect` does, responses too."""
    shutil.copytree(base, folder)
    for _ in range(dice.choice([1, 1, 1, 2])):
        file = dice.choice(sorted(folder.iterdir()))
        mutate_text_file(file, dice)

    def read() -> object:
        log = load_log(folder)
        inspect_log(log).text()
        return log.responses().height if log.has_responses else None

    return read


def import_case(bases: list[tuple[str, Path]], folder: Path, dice: random.Random) -> Callable[[], object]:
    """Mutate a file of a public layout, and return what imports and saves it."""
    name, base = dice.choice(bases)
    target = folder / base.name
    if base.is_dir():
        shutil.copytree(base, target)
        files = sorted(file for file in target.rglob("*") if file.is_file())
    else:
        folder.mkdir()
        shutil.copy(base, target)
        files = [target]
    mutate_text_file(dice.choice(files), dice)
    guessed = None if dice.random() < 0.3 else name
    skip = dice.random() < 0.3
    return lambda: read_log(target, guessed, skip_bad=skip)[0].save(folder / "saved")


def layouts(folder: Path) -> list[tuple[str, Path]]:
    """Write a small file of each public layout, and return its format and path."""
    from public_layouts import WRITERS  # type: ignore[import-not-found]

    pairs = [(name, write) for name, writers in WRITERS.items() for write in writers]
    return [(name, write(folder / write.__name__)) for name, write in pairs]


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Raise a TimeoutError where the body takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(case: Callable[[], object]) -> tuple[str, str]:
    """Run a case and return ``read``, ``refused`` or ``FAILED``, and why."""
    try:
        with no_longer_than(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case()
    except UserError as error:
        text = str(error)
        return (
            ("refused", text)
            if len(text) <= LONGEST
            else ("FAILED", f"an error of {len(text)} characters: {text[:200]}")
        )
    except BaseException as error:  # a panic of polars is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        where = traceback.extract_tb(error.__traceback__)
        ours = [f"{Path(part.filename).name}:{part.lineno}" for part in where if "graphrouter" in part.filename]
        return "FAILED", f"{type(error).__name__} at {ours[-1] if ours else where[-1].name}: {str(error)[:200]!r}"
    return "read", ""


def run(what: str, count: int, seed: int, only: int | None = None, report: bool = True) -> list[tuple[int, str]]:
    """Try mutations and return the number and the reason of each that failed."""
    failures, counts, began = [], Counter[str](), time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        base = simulate(40, 3, 4, seed=1).save(Path(work) / "base")
        bases = layouts(Path(work)) if what == "imports" else []
        for number in [only] if only is not None else range(count):
            dice = random.Random(f"{what}-{seed}-{number}")
            folder = Path(work) / "case"
            shutil.rmtree(folder, ignore_errors=True)
            try:
                case = log_case(base, folder, dice) if what == "logs" else import_case(bases, folder, dice)
            except KeyboardInterrupt:
                raise
            except BaseException:  # a panic of polars is no Exception
                counts["not made"] += 1  # no such file can be written
                continue
            kind, why = outcome(case)
            counts[kind] += 1
            if kind == "FAILED":
                failures.append((number, why))
            if only is not None and report:
                print(kind, why)
    if report:
        print(f"{what}: {count} mutations, seed {seed}: {dict(counts)}, {time.perf_counter() - began:.0f} s")
    return failures


def main() -> None:
    """Run from the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("what", choices=("logs", "imports"))
    made.add_argument("--count", type=int, default=5000)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--only", type=int, metavar="N", help="only the mutation of this number")
    args = made.parse_args()
    failures = run(args.what, args.count, args.seed, args.only)
    for number, why in failures:
        print(f"{number}: {why}".encode("utf-8", "replace").decode())
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
