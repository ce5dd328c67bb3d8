"""How long `fusion select` takes on a log, rule by rule, and what each rule keeps.

The vectors of the queries are made first and timed apart: they come from the cache where another command has made them.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import limit_threads, load_average, machine, parser, run, seconds, table, write_json

TARGET_S = 180


def options() -> argparse.Namespace:
    """Parse the command line."""
    made = parser(__doc__.splitlines()[0])
    made.add_argument("--ranking", default="performance", help="as in fusion select (default: performance)")
    made.add_argument("--rows", type=int, help="budget in rows (default: a tenth of the training queries, times top_k)")
    made.add_argument("--keep", type=Path, metavar="DATA", help="folder for the selection (default: thrown away)")
    return made.parse_args()


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Select once, and return times, counts and the peak of memory."""
    from fusion.selection import SelectionSettings, select
    from fusion.selection.candidates import candidates
    from fusion.selection.inputs import SelectionInputs
    from graphrouter.log import load_log
    from graphrouter.prepared import prepare

    took: dict[str, float] = {}
    log = load_log(args.log)
    settings = SelectionSettings(ranking=args.ranking, seed=args.seed, encoder=args.encoder)
    prepared = prepare(log, settings.encoder, seed=settings.seed, progress=True)
    settings.rows = args.rows or len(prepared.split.train) * settings.top_k // 10
    took["vectors"] = seconds(lambda: prepared.vectors)
    ranked: list[Any] = []
    took["candidates and ranking"] = seconds(lambda: ranked.append(candidates(SelectionInputs(prepared, settings))))
    made: list[Any] = []
    took["all, vectors cached"] = seconds(lambda: made.append(select(log, settings)))
    with tempfile.TemporaryDirectory() as folder:
        took["writing"] = seconds(lambda: made[0].save(args.keep or Path(folder) / "data"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 30 if sys.platform == "darwin" else 1 << 20)
    rules = [{**rule, "seconds": made[0].seconds[rule["rule"]]} for rule in made[0].about["rules"]]
    counts = made[0].about["counts"] | {"responses": log.records.height}
    return {"seconds": took, "rules": rules, "counts": counts, "peak_gb": peak, "log": log.name}


def main() -> None:
    """Measure, print and write."""
    args = options()
    limit_threads(args.threads)
    about = machine(args.threads)
    figures = measure(args)
    figures["machine"] = about | {"load_average_after": load_average()}
    print(f"{figures['log']}: {figures['counts']['responses']:,} responses, ranking {args.ranking}; {about['date']}")
    print(f"{args.threads} threads; load average {about['load_average']} before, {load_average()} after\n")
    rules = [(r["rule"], f"{r['seconds']:.2f}", f"{r['kept']:,}", f"{r['dropped']:,}") for r in figures["rules"]]
    print(table(("rule", "seconds", "kept", "dropped"), rules))
    total = figures["seconds"]["all, vectors cached"] + figures["seconds"]["writing"]
    steps = [(name, f"{took:.1f}") for name, took in figures["seconds"].items()]
    print("\n" + table(("step", "seconds"), [*steps, (f"selected and written (target {TARGET_S})", f"{total:.1f}")]))
    print(f"\npeak memory {figures['peak_gb']:.2f} GB")
    write_json(args.out, figures)


if __name__ == "__main__":
    run(main)
