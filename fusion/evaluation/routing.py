"""Routers that may choose candidates with guides, against the same routers without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fusion.evaluation.thought import find_arms, part_rows
from graphrouter import metrics
from graphrouter.config import comparison_routers, read_comparison
from graphrouter.errors import UserError
from graphrouter.evaluation import compare
from graphrouter.evaluation.differences import Resampling, estimate
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.store import Outcomes
from graphrouter.evaluation.support import Support
from graphrouter.log import LLMLog
from graphrouter.run import RunOptions
from graphrouter.splits import PARTS, Split
from graphrouter.typing import Array

ROUTERS = ("best_single", "best_per_task", "gnn", "oracle")
SEEDS = 5
SCENARIO = "performance_first"


@dataclass(frozen=True)
class Gain:
    """Gain of a router from guided candidates.

    Attributes:
        router: Its name.
        without: Mean performance among the candidates without a guide, on the test part, over seeds.
        with_guides: The same among all candidates.
        low: Lower end of the 95% interval of the paired difference.
        high: Its upper end.
        cost_without: Mean cost of a query in US dollars, NaN where it is not known.
        cost_with: The same among all candidates.
        guided: Share of the test queries that go to a candidate with a guide.
    """

    router: str
    without: float
    with_guides: float
    low: float
    high: float
    cost_without: float
    cost_with: float
    guided: float


def compare_routers(
    log: LLMLog,
    out: Path,
    *,
    routers: Sequence[str] = ROUTERS,
    seeds: int = SEEDS,
    encoder: str | None = None,
    run: RunOptions | None = None,
) -> list[Gain]:
    """Fit routers with and without the candidates that have a guide, by performance alone.

    Both learn from the train and validation parts that the log names, and are scored on its test part: another split
    would score them on queries that guides come from. So the seeds are only those of the routers. Each router has its
    default hyperparameters. What is finished is kept in ``out``.

    Args:
        log: From ``fusion collect`` with guides, with answers to all parts.
        out: Gets the folders ``with`` and ``without``, each a comparison with a report.
        routers: See `graphrouter.routers.find_router`.
        seeds: How many.
        encoder: See `graphrouter.encoders.find_encoder`; None for the log's default.
        run: Where and how to run.

    Raises:
        UserError: If the log has no guides, no answers of a part, or hardly a test query with two answers or more.
    """
    run = run or RunOptions()
    find_arms(log)
    plain = log.llms.filter(log.llms["guide"].is_null())["llm"].to_list()
    named = read_comparison(None, routers=list(routers), seeds=seeds)
    scored = log.take_llms(plain).cells("draws").sum(axis=1) > 0
    both = log.take(scored)
    logs = {"without": both.take_llms(plain), "with": both}
    for one in logs.values():
        _check_choices(one)
    for name, one in logs.items():
        compare(
            one,
            encoder,
            comparison_routers(named),
            seeds=range(seeds),
            out=out / name,
            scenarios=[SCENARIO],
            tune=False,
            run=run,
            split=recorded_split,
        )
    return [_gain(router, out, range(seeds), both) for router in named.routers]


def _check_choices(log: LLMLog) -> None:
    """Refuse to compare choices where there is hardly a choice; before routers are fitted for hours."""
    support = Support.of([log.cells("performance")[recorded_split(log, 0).test]])
    if not support.routable:
        raise UserError(
            f"routers are compared by what they choose, but only {support.choice:.0%} of the test queries have outcomes of two "
            f"of {support.llms} candidates or more; collect the answers that are missing"
        )


def recorded_split(log: LLMLog, seed: int) -> Split:
    """Return the split that the log names, whatever the seed.

    Raises:
        UserError: If a part has no query.
    """
    parts = {part: part_rows(log, part) for part in PARTS}
    empty = next((part for part, rows in parts.items() if not len(rows)), None)
    if empty:
        raise UserError(
            f"{log.name} must have answers to train, validation and test queries, but has none of {empty}; collect "
            "without --part"
        )
    return Split(**parts)


def _gain(router: str, out: Path, seeds: Sequence[int], log: LLMLog) -> Gain:
    """Score a router's choices with and without guides on the same resamples of the test queries."""
    stores = {name: Store(out / name) for name in ("without", "with")}
    kept = [stores["with"].outcomes(seed) for seed in seeds]
    resampling = Resampling([outcomes.groups for outcomes in kept])
    guided = log.llms["guide"].is_not_null().to_numpy()
    means: dict[str, list[Array]] = {}
    for seed, draws in zip(seeds, resampling.weights, strict=True):
        for name, store in stores.items():
            outcomes = store.outcomes(seed)
            choice = _choice(store, router, seed, outcomes)
            means.setdefault(name, []).append(metrics.performance(choice, outcomes.performance, draws))
            means.setdefault(f"cost {name}", []).append(metrics.cost(choice, outcomes.cost, draws[:1]))
            if name == "with":
                means.setdefault("guided", []).append(np.array([guided[choice].mean()]))
    over_seeds = {name: resampling.over_seeds(values) for name, values in means.items()}
    found = estimate(over_seeds["with"] - over_seeds["without"])
    first = {name: float(values[0]) for name, values in over_seeds.items()}
    costs = first["cost without"], first["cost with"]
    return Gain(router, first["without"], first["with"], found.low, found.high, *costs, first["guided"])


def _choice(store: Store, router: str, seed: int, outcomes: Outcomes) -> Array:
    utility = store.predictions(router, seed).utility[SCENARIO]
    return metrics.choose(utility, outcomes.performance)


def routing_table(gains: Sequence[Gain]) -> list[list[str]]:
    """Return the head and the rows of the table."""
    head = ["router", "without guides", "with guides", "difference, 95% interval", "sent to a guide"]
    rows = [[*head, "$ per 1,000 without", "with"]]
    for gain in gains:
        difference = f"{gain.with_guides - gain.without:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        cells = [gain.router, f"{gain.without:.4f}", f"{gain.with_guides:.4f}", difference, f"{gain.guided:.0%}"]
        costs = ["-" if np.isnan(cost) else f"{1000 * cost:.4f}" for cost in (gain.cost_without, gain.cost_with)]
        rows.append([*cells, *costs])
    return rows
