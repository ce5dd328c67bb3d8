"""How fast the GNN router trains and routes, and how much memory that takes, against the targets for the mmlu_pro log.

Training and routing run in a process of their own, with a given number of threads, after another process has filled
the cache of vectors. Peak memory is that of the whole process, Python and torch included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import describe, limit_threads, load_average, machine, parser, run, table, write_json

GB, MS = 1e9, 1e-3
TARGETS = {"fit_seconds": 60.0, "fit_peak_bytes": 2 * GB, "all_seconds": 2.0, "single_seconds": 5 * MS}
"""For mmlu_pro with 29 LLMs on 2 cores."""
Line = tuple[str, float, float | None, float, str]
"""What is measured, its value, its target, and the unit of both, as a number and in words."""


def measure(args: argparse.Namespace, threads: int) -> dict[str, Any]:
    """Run the measuring process; with 0 threads it fills the cache with all cores and returns nothing."""
    script = Path(__file__).with_name("measure_gnn.py")
    command = [sys.executable, str(script), args.log, args.encoder or "", str(args.seed), str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout.splitlines()[-1]) if threads else {}


def lines(figures: dict[str, Any]) -> list[Line]:
    """Return the rows of the table."""
    pipeline, router, single = figures["pipeline"], figures["router"], TARGETS["single_seconds"]
    return [
        ("training", figures["fit_seconds"], TARGETS["fit_seconds"], 1, "s"),
        ("  CPU seconds of it, all threads", figures["fit_cpu_seconds"], None, 1, "s"),
        ("peak memory until trained", figures["fit_peak_bytes"], TARGETS["fit_peak_bytes"], GB, "GB"),
        ("  of it, Python, torch and the log", figures["import_peak_bytes"], None, GB, "GB"),
        ("splitting, and looking vectors up", figures["prepare_seconds"], None, 1, "s"),
        ("10,000 queries, pipeline", pipeline["all_seconds"], TARGETS["all_seconds"], 1, "s"),
        ("10,000 queries, router alone", router["all_seconds"], None, 1, "s"),
        ("peak memory until these were routed", figures["peak_bytes"], None, GB, "GB"),
        ("single query, pipeline, median", pipeline["single_median_seconds"], single, MS, "ms"),
        ("single query, pipeline, 95th percentile", pipeline["single_p95_seconds"], single, MS, "ms"),
        ("single query, router alone, median", router["single_median_seconds"], None, MS, "ms"),
        ("single query, router alone, 95th percentile", router["single_p95_seconds"], None, MS, "ms"),
    ]


def cells(line: Line) -> list[str]:
    """Return a row as text."""
    name, value, target, unit, word = line
    if target is None:
        return [name, "", f"{value / unit:.2f} {word}", ""]
    met = "yes" if value < target else "no"
    return [name, f"< {target / unit:g} {word}", f"{value / unit:.2f} {word}", met]


def main() -> None:
    """Measure and print."""
    args = parser(__doc__.splitlines()[0]).parse_args()
    measure(args, 0)
    limit_threads(args.threads)
    result = machine(args.threads)
    result |= measure(args, args.threads)
    result |= {"load_average_after": load_average(), "targets": TARGETS}
    print(describe(result))
    rows = [cells(line) for line in lines(result["figures"])]
    print(table(["", "target", "measured", "met"], rows))
    write_json(args.out, result)


if __name__ == "__main__":
    run(main)
