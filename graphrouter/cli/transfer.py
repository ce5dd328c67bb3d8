"""``graphrouter import`` and ``graphrouter export``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graphrouter.cli.options import add_command, finish, tell
from graphrouter.errors import UserError

REJECTED = "rejected.csv"


def add_commands(commands: Any) -> None:
    """Add both commands."""
    from graphrouter.formats import EXPORTS, FORMATS

    parser = add_command(commands, "import", import_log, "make a log of one in a public layout")
    parser.add_argument("path", metavar="PATH", help="file or folder; for FusionBench also its name on the hub")
    parser.add_argument(
        "--format", metavar="F", help=f"one of {', '.join(FORMATS)} (default: guessed, and named; never table)"
    )
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help="for a plain table (CSV, TSV, JSON, JSONL or Parquet, one row per query and LLM): which column is query, llm, "
        "performance (in [0, 1]), cost (US dollars), task, response and so on; once per column, and left out where the "
        "names are these",
    )
    parser.add_argument(
        "--failed",
        choices=("missing", "wrong"),
        default="missing",
        help="what a failed request or generation counts as (default: missing, so its cell has no score)",
    )
    parser.add_argument(
        "--samples",
        action="append",
        default=[],
        metavar="TASK=N",
        help="the performance of this task is the share of N samples that were right, and becomes N draws of 1 and 0; once per "
        "task",
    )
    parser.add_argument("--out", required=True, metavar="LOG", help="folder for the log; a log there is replaced")
    parser.add_argument("--name", metavar="N", help="of the log (default: that of the file or folder)")
    parser.add_argument("--skip-bad", action="store_true", help=f"leave bad rows out, and list them in LOG/{REJECTED}")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)
    parser = add_command(commands, "export", export_log, "write a log in a public layout, so that others can read it")
    parser.add_argument("log", metavar="LOG")
    parser.add_argument("--format", required=True, metavar="F", help=f"one of {', '.join(EXPORTS)}")
    parser.add_argument("--out", required=True, metavar="PATH", help="folder; for routerbench a .csv or .parquet file")
    finish(parser)


def import_log(args: argparse.Namespace) -> None:
    """Read a public log, and save it whole or not at all."""
    from graphrouter.files import check_writable
    from graphrouter.formats import cost_of, guess_format, read_log
    from graphrouter.formats.builder import write_rejected
    from graphrouter.formats.samples import split_samples
    from graphrouter.log import check_log_folder

    out = Path(args.out)
    check_log_folder(out)
    check_writable(out, "the log")
    columns = _columns(args.column)
    samples = _samples(args.samples)
    layout = args.format or ("table" if columns else guess_format(args.path))
    wrong = args.failed == "wrong"
    log, rejected = read_log(args.path, layout, args.name, args.skip_bad, not args.quiet, wrong, columns)
    if samples:
        log = split_samples(log, samples)
    log.save(out)
    tell(f"read as {layout}; {cost_of(log, layout)}")
    if rejected:
        write_rejected(rejected, out / REJECTED)
    draws = log.records["draw"].n_unique()
    counts = [
        f"{log.queries.height:,} queries",
        f"{log.llms.height} LLMs",
        f"{log.records.height:,} records",
        f"{len(log.tasks)} tasks",
        *([f"up to {draws} draws"] if draws > 1 else []),
    ]
    tell(f"{out}: {', '.join(counts)}" + (f"; {len(rejected):,} bad rows, see {out / REJECTED}" if rejected else ""))


def _columns(words: list[str]) -> dict[str, str]:
    """Return the table's columns by the log's."""
    return _by_name("--column", "NAME=COLUMN, such as query=prompt", (word.partition("=") for word in words))


def _samples(words: list[str]) -> dict[str, int]:
    """Return the numbers of samples by task."""
    form = "TASK=N, such as gsm8k=10"
    found = _by_name("--samples", form, (word.rpartition("=") for word in words))
    for task, count in found.items():
        if not count.isdecimal():
            raise UserError(f"--samples must be {form}, but is {f'{task}={count}'!r}")
    return {task: int(count) for task, count in found.items()}


def _by_name(option: str, form: str, parts: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Return the values by name, each of which may be given once."""
    found: dict[str, str] = {}
    for name, equals, value in parts:
        if not equals or not name or not value:
            raise UserError(f"{option} must be {form}, but is {name + equals + value!r}")
        if name in found:
            raise UserError(f"{option} must name one thing once, but {name!r} is given twice")
        found[name] = value
    return found


def export_log(args: argparse.Namespace) -> None:
    """Write a log in a public layout."""
    from graphrouter.formats import export_log as export
    from graphrouter.log import load_log

    export(load_log(args.log), args.format, args.out)
    tell(f"{args.out}: {args.format}")
