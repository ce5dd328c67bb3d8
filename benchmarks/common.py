"""What both benchmarks share: options, threads, the machine, tables and JSON. Importing it imports nothing heavy."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphrouter.errors import UserError
from graphrouter.run import provenance

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
Row = Sequence[str]


def parser(text: str, log: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the options that the benchmarks share; ``log`` says whether they take one."""
    made = argparse.ArgumentParser(description=text, allow_abbrev=False)
    if log:
        made.add_argument("log", metavar="LOG", help="folder of a log, or simulated")
    made.add_argument("--encoder", help="as in graphrouter train (default: MiniLM, and tfidf for a simulated log)")
    made.add_argument("--threads", type=int, default=2, help="of OpenMP, BLAS, torch and Polars (default: 2)")
    made.add_argument("--seed", type=int, default=0, help="of the split and the routers (default: 0)")
    made.add_argument("--out", type=Path, help="JSON file for all figures")
    return made


def limit_threads(threads: int) -> None:
    """Set the number of threads for this process and its children; the libraries read it when they are imported.

    Raises:
        UserError: If it is below 1.
        RuntimeError: If torch is imported already.
    """
    if threads < 1:
        raise UserError(f"--threads must be 1 or more, but is {threads}")
    if "torch" in sys.modules:
        raise RuntimeError("threads must be limited before torch is imported")
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def machine(threads: int) -> dict[str, Any]:
    """Return when and where the figures were taken, and how busy the machine was before."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": os.cpu_count(),
        "threads": threads,
        "processor": _processor(),
        "load_average": load_average(),
        **provenance(),
    }


def load_average() -> list[float] | None:
    """Return how many processes wanted to run in the last 1, 5 and 15 minutes; None where the system does not tell."""
    return [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def describe(about: dict[str, Any]) -> str:
    """Return the lines that say what was measured and where; ``about`` is `machine` with ``data``."""
    data, where = about["data"], f"{about['threads']} threads on {about['cores']} cores ({about['processor']})"
    return (
        f"{data['log']}: {data['llms']} LLMs, {data['train']:,} training, {data['validation']:,} validation and "
        f"{data['test']:,} test queries; encoder {data['encoder']}; seed {data['seed']}\n"
        f"{about['date']}, {where}; load average {about['load_average']} before, {about['load_average_after']} after; "
        f"commit {about['commit']}"
    )


def table(head: Row, rows: Sequence[Row]) -> str:
    """Return a table of plain text: the first column flush left, the others flush right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in (head, *rows))
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def write_json(file: Path | None, figures: dict[str, Any]) -> None:
    """Write figures to a file, where one is named."""
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(figures, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"--out must be a file that can be written, but {file}: {error.strerror}") from None


def seconds(work: Callable[[], object]) -> float:
    """Return the wall seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; an error that the user can mend is one line and exit status 2."""
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
