"""How often a nominal 95% interval for the difference of two routers holds the truth over fresh logs.

One simulated log is cut into many of equal size; each is split, fitted and scored on several seeds as `graphrouter
compare` does. The truth is the mean difference over all of these logs. It is compared with both intervals of each log:
for fitted routers (test queries resampled) and for methods (seeds too).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from common import limit_threads, machine, parser

QUERIES, LLMS, TASKS = 800, 8, 8
SMALL: dict[str, dict[str, Any]] = {"gnn": {"members": 4, "steps": 400}}
"""Settings that keep a fit short; all other routers have their defaults."""


def options() -> Any:
    """Read the command line."""
    made = parser(__doc__.splitlines()[0], log=False)
    made.set_defaults(encoder="tfidf:32", threads=1)
    made.add_argument("--logs", type=int, default=100, help="number of logs (default: 100)")
    made.add_argument("--seeds", type=int, default=5, help="seeds per log (default: 5)")
    made.add_argument("--routers", default="knn,linear", help="compared with --against (default: knn,linear)")
    made.add_argument("--against", default="best_per_task", metavar="ROUTER", help="(default: best_per_task)")
    return made.parse_args()


def main() -> None:
    """Measure, print a table, and write the figures where --out says."""
    args = options()
    limit_threads(args.threads)
    routers = [*args.routers.split(","), args.against]
    about, started = machine(args.threads), time.perf_counter()
    found: dict[tuple[str, str], list[dict[str, tuple[float, float, float]]]] = {}
    for number, log in enumerate(logs(args.logs, args.seed)):
        for key, bounds in intervals_of(log, args.encoder, range(args.seeds), routers).items():
            found.setdefault(key, []).append(bounds)
        if number % 10 == 9:
            print(
                f"{number + 1} of {args.logs} logs, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True
            )
    rows = [
        {"router": router, "metric": metric, "against": args.against} | row
        for (router, metric), bounds in found.items()
        for row in coverage(bounds)
    ]
    print(f"{args.logs} logs of {QUERIES} queries, {args.seeds} seeds, {time.perf_counter() - started:.0f} s")
    print("router  metric  interval  coverage  half width / 1.96  sd over logs")
    for row in rows:
        numbers = f"{row['coverage']:.2f}  {row['standard_error']:.4f}  {row['sd']:.4f}"
        print(f"{row['router']}  {row['metric']}  {row['interval']}  {numbers}")
    if args.out:
        settings = {name: str(value) for name, value in vars(args).items()}
        Path(args.out).write_text(json.dumps({"about": about, "settings": settings, "rows": rows}, indent=1) + "\n")


def logs(count: int, seed: int) -> Iterator[Any]:
    """Cut one simulated log, of the same LLMs and tasks, into logs without a common query."""
    import numpy as np

    from graphrouter.simulate import simulate

    whole = simulate(QUERIES * count, LLMS, TASKS, seed=seed + 5)
    for rows in np.random.default_rng(seed).permutation(QUERIES * count).reshape(count, QUERIES):
        yield whole.take(np.sort(rows))


def intervals_of(
    log: Any, encoder: str, seeds: Sequence[int], routers: Sequence[str]
) -> dict[tuple[str, str], dict[str, tuple[float, float, float]]]:
    """Return for each router and metric the difference to the last router, and its bounds by kind of interval."""
    from graphrouter import metrics
    from graphrouter.evaluation.bootstrap import draw_seeds, draw_weights, interval, mean_over_seeds

    fits = [fitted(log, encoder, seed, routers) for seed in seeds]
    draws = draw_weights([test.queries.groups for test, _, _ in fits])
    of_seeds = draw_seeds(len(fits), sum(len(test.queries) for test, _, _ in fits) / sum(seen for _, _, seen in fits))
    found = {}
    for row, router in enumerate(routers[:-1]):
        values: dict[str, list[Any]] = {"nll": [], "performance": []}
        for (test, quality, _), weights in zip(fits, draws, strict=True):
            likelihood = metrics.nll(quality[[row, -1]], test.performance, weights)
            choice = metrics.choose(quality[[row, -1]], test.performance)
            performance = metrics.performance(choice, test.performance, weights)
            values["nll"].append(likelihood[0] - likelihood[1])
            values["performance"].append(performance[0] - performance[1])
        for metric, by_seed in values.items():
            kinds = {"fitted": mean_over_seeds(by_seed), "methods": mean_over_seeds(by_seed, of_seeds)}
            found[router, metric] = {
                kind: (float(resampled[0]), *interval(resampled[1:])) for kind, resampled in kinds.items()
            }
    return found


def fitted(log: Any, encoder: str, seed: int, routers: Sequence[str]) -> tuple[Any, Any, int]:
    """Return the test part, the predicted quality [R, Q, M], and how many queries the routers have seen."""
    import numpy as np

    from graphrouter.config import make_router
    from graphrouter.evaluation.run import fit_router
    from graphrouter.prepared import prepare

    prepared = prepare(log, encoder, seed=seed)
    done = [fit_router(make_router(name, SMALL.get(name)), prepared).predict() for name in routers]
    seen = len(prepared.split.train) + len(prepared.split.validation)
    return prepared.test, np.stack([one.quality for one in done]), seen


def coverage(bounds: Sequence[dict[str, tuple[float, float, float]]]) -> Iterator[dict[str, Any]]:
    """Yield for each kind of interval how often it holds the mean over all logs, and how wide it is."""
    import numpy as np

    for kind in bounds[0]:
        value, low, high = np.array([of_log[kind] for of_log in bounds]).T
        truth = value.mean()
        yield {
            "interval": kind,
            "coverage": float(((low <= truth) & (truth <= high)).mean()),
            "standard_error": float((high - low).mean() / 3.92),
            "sd": float(value.std(ddof=1)),
        }


if __name__ == "__main__":
    main()
