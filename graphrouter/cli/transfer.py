"""``graphrouter import`` and ``graphrouter export``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from graphrouter.cli.options import add_command, finish, tell

REJECTED = "rejected.csv"


def add_commands(commands: Any) -> None:
    """Add both commands."""
    from graphrouter.formats import EXPORTS, FORMATS

    parser = add_command(commands, "import", import_log, "make a log of one in a public layout")
    parser.add_argument("path", metavar="PATH", help="file or folder; for FusionBench also its name on the hub")
    parser.add_argument("--format", metavar="F", help=f"one of {', '.join(FORMATS)} (default: guessed)")
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
    from graphrouter.formats import read_log
    from graphrouter.formats.builder import write_rejected
    from graphrouter.log import check_log_folder

    out = Path(args.out)
    check_log_folder(out)
    check_writable(out, "the log")
    log, rejected = read_log(args.path, args.format, args.name, args.skip_bad, progress=not args.quiet)
    log.save(out)
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


def export_log(args: argparse.Namespace) -> None:
    """Write a log in a public layout."""
    from graphrouter.formats import export_log as export
    from graphrouter.log import load_log

    export(load_log(args.log), args.format, args.out)
    tell(f"{args.out}: {args.format}")
