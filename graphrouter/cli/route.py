"""``graphrouter route``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from graphrouter.cli.options import add_command, add_device, add_saved_router, finish, run_options
from graphrouter.errors import UserError

if TYPE_CHECKING:  # it imports NumPy, for which --help would wait
    from graphrouter.typing import Record

CHUNK = 256
"""Queries that are encoded and scored together."""


def add_commands(commands: Any) -> None:
    """Add the command."""
    text = "choose an LLM for each query, and print one JSON line each with the predicted quality and cost of all LLMs"
    parser = add_command(commands, "route", route, text, resume="the lines that were printed are whole")
    add_saved_router(parser)
    parser.add_argument(
        "text", metavar="TEXT", nargs="?", help="one query; without it, queries come from --file or standard input"
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        help='one query per line; where the first line begins with "{", each is JSON with "query", and optionally "task" and "vector"',
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--scenario", default="performance_first", help="performance_first, balance, cost_first or judge"
    )
    which.add_argument("--alpha", type=float, help="weight of performance, in [0, 1]; 1 - alpha is that of cost")
    parser.add_argument("--task", help="task of all queries that do not name their own")
    add_device(parser)
    parser.set_defaults(quiet=True)
    finish(parser)


def route(args: argparse.Namespace) -> None:
    """Print a JSON line for each query, chunk by chunk."""
    if args.text is not None and args.file:
        raise UserError("queries must come from TEXT or from --file, but both were given; leave one out")
    from graphrouter.pipeline import RoutingPipeline

    pipeline = RoutingPipeline.load(args.router, args.encoder, run_options(args), args.code)
    pipeline.find_scenario(args.scenario, args.alpha)
    with ExitStack() as stack:
        rows = iter([{"query": args.text}]) if args.text is not None else _rows(_source(args.file, stack))
        for chunk in _chunks(rows, 1 if sys.stdin.isatty() and not args.file else CHUNK):
            decisions = pipeline.route(
                [row["query"] for row in chunk],
                [row.get("task") or args.task for row in chunk],
                scenario=args.scenario,
                alpha=args.alpha,
                vectors=_vectors(chunk),
            )
            for decision in decisions:
                print(json.dumps(decision.to_dict()))
            sys.stdout.flush()


def _source(file: str | None, stack: ExitStack) -> BinaryIO:
    if file is None or file == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(file).open("rb"))
    except OSError as error:
        raise UserError(f"--file must name a file with queries, but {file}: {error.strerror}") from None


def _rows(lines: Iterable[bytes]) -> Iterator[Record]:
    """Read plain lines or JSON lines; the first that is not empty tells which. Empty lines are skipped."""
    as_json = None
    for number, raw in enumerate(lines, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise UserError(
                f"line {number}: the input must be UTF-8, but is not ({error.reason}); convert it"
            ) from None
        if not line:
            continue
        as_json = line.startswith("{") if as_json is None else as_json
        yield _parse(line, number) if as_json else {"query": line}


def _chunks(rows: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Collect rows; what comes before a broken line is handed out before its error is raised."""
    chunk: list[Record] = []
    broken = None
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except UserError as error:
        broken = error
    if chunk:
        yield chunk
    if broken:
        raise broken


def _parse(line: str, number: int) -> Record:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"line {number} must be JSON like the first line, but is not ({error}); mend it") from None
    if not isinstance(row, dict) or not isinstance(row.get("query"), str):
        raise UserError(f'line {number} must be a JSON object with a text "query", but is {line[:60]!r}; mend it')
    if not isinstance(row.get("task"), str | None):
        raise UserError(f'line {number}: "task" must be text or null, but is {row["task"]!r}; mend it')
    vector = row.get("vector")
    if vector is not None and not (isinstance(vector, list) and all(type(x) in (int, float) for x in vector)):
        raise UserError(f'line {number}: "vector" must be a list of numbers; mend it')
    return row | {"line": number}


def _vectors(chunk: list[Record]) -> Any:
    """Return the vectors of the queries, or None where they have none."""
    given = [row for row in chunk if row.get("vector") is not None]
    if not given:
        return None
    import numpy as np

    odd = next((row for row in chunk if len(row.get("vector") or ()) != len(given[0]["vector"])), None)
    if odd:
        raise UserError(
            f'line {odd["line"]}: every line must have a "vector" of {len(given[0]["vector"])} numbers, or none'
        )
    return np.array([row["vector"] for row in chunk], dtype=np.float64)
