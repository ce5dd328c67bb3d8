"""Results of an evaluation, gathered seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from graphrouter import metrics
from graphrouter.display import Displayed, listed
from graphrouter.evaluation.record import shares_of
from graphrouter.evaluation.rows import choice_table
from graphrouter.evaluation.scores import ALPHAS, curve
from graphrouter.evaluation.store import Outcomes, Predictions
from graphrouter.evaluation.support import Support
from graphrouter.scenario import Scenario
from graphrouter.typing import Array, Record

RESULT_COLUMNS = ("log", "router", "seed", "split", "scenario", "task", "metric", "value")


@dataclass(repr=False)
class Evaluation(Displayed):
    """All that was measured.

    Attributes:
        config: Config of the runs.
        support: How far the outcomes can score choices. Where they cannot, nothing below is about choices but ``shares``.
        results: One row per value; columns as in `RESULT_COLUMNS`.
        summary: One row per router, scenario and metric: ``mean`` over seeds with the 95% interval ``low`` to ``high``,
            the ``best_baseline``, and the paired ``difference`` to it with ``difference_low`` and ``difference_high``.
        curves: By router, mean cost [A] and mean performance [A] over seeds; empty where the log has no cost.
        bands: By router, the 95% interval of the mean performance at each point of its curve, low [A] and high [A].
        singles: Mean cost [M] and mean performance [M] of each LLM over seeds.
        shares: By scenario and router, [M], the share of test queries that goes to each LLM: of those that the log has
            an outcome of, or of all, where choices cannot be scored.
        reliability: By router, [bins, 3], see `graphrouter.metrics.reliability`; all seeds pooled.
        about: By router, what is known of each seed's fit.
        sizes: By seed, the number of queries in each split.
        choices: By router, seed and scenario, one row per test query; see `graphrouter.evaluation.rows.choice_table`.
    """

    config: Record
    support: Support
    results: pl.DataFrame
    summary: pl.DataFrame
    curves: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    bands: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    singles: tuple[Array, Array] | None = None
    shares: dict[str, dict[str, Array]] = field(default_factory=dict)
    reliability: dict[str, Array] = field(default_factory=dict)
    about: dict[str, list[Record]] = field(default_factory=dict)
    sizes: dict[int, dict[str, int]] = field(default_factory=dict)
    choices: pl.DataFrame = field(default_factory=pl.DataFrame)

    def curve_table(self) -> pl.DataFrame:
        """Return the points of the cost-quality curves, those of the LLMs alone last.

        Returns:
            ``name`` of the router or LLM, ``kind`` (``router`` or ``llm``), ``alpha`` (weight of performance; null for an
            LLM), mean ``cost`` of a query in US dollars and mean ``performance`` over seeds with its 95% interval ``low``
            to ``high`` (null for an LLM); no rows where the log has no cost, or its outcomes cannot score choices.
        """
        alphas = [scenario["alpha"] for scenario in self.config["scenarios"]]
        rows: list[tuple[str | float | None, ...]] = []
        for name, points in self.curves.items():
            if name in self.config["routers"]:
                weights = ALPHAS if len(points[0]) == len(ALPHAS) else np.array(alphas)
                numbers = np.stack([weights, *points, *self.bands[name]], axis=1)
                rows += [(name, "router", *point) for point in numbers.tolist()]
        if self.curves and self.singles is not None:
            llms = zip(self.config["log"]["llms"], np.stack(self.singles, axis=1).tolist(), strict=True)
            rows += [(llm, "llm", None, *point, None, None) for llm, point in llms if np.isfinite(point).all()]
        columns = dict.fromkeys(("alpha", "cost", "performance", "low", "high"), pl.Float64)
        return pl.DataFrame(rows, schema={"name": pl.String, "kind": pl.String, **columns}, orient="row")

    def facts(self) -> tuple[str, dict[str, object]]:
        """See `graphrouter.display.Displayed`; `graphrouter.evaluation.format_table` has the figures."""
        return f"Evaluation on {self.config['log']['label']}", {
            "routers": listed(list(self.config["routers"])),
            "seeds": listed([str(seed) for seed in self.sizes]),
            "scenarios": listed([scenario["name"] for scenario in self.config["scenarios"]]),
            "tables": f"results ({self.results.height:,} rows), summary ({self.summary.height:,} rows)",
        }

    def _repr_html_(self) -> str:
        """Return the facts and, for each router, the means of what is read first, for a notebook."""
        first = self.summary.filter(pl.col("metric").is_in(("reward", "nll", "auroc")))
        column = pl.concat_str("scenario", "metric", separator=" ").str.strip_chars().alias("column")
        means = first.select("router", column, pl.col("mean").round(4)).pivot("column", index="router", values="mean")
        with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True):
            return super()._repr_html_() + str(means._repr_html_())


def collect(
    evaluation: Evaluation,
    seed: int,
    outcomes: Outcomes,
    labels: list[str],
    predictions: list[Predictions],
    scenarios: list[Scenario],
    resampled: Sequence[tuple[Array, Array]],
) -> None:
    """Add up over seeds what the report draws; ``resampled`` has the `curve` of each router in 1 + B resamples, or is empty."""
    routable = evaluation.support.routable
    evaluation.sizes[seed] = outcomes.about["sizes"]
    singles = np.stack(metrics.single_points(outcomes.performance, outcomes.cost))
    evaluation.singles = _add(evaluation.singles, singles)
    chosen = [evaluation.choices]
    for row, (label, given) in enumerate(zip(labels, predictions, strict=True)):
        evaluation.about.setdefault(label, []).append(given.about)
        for name, share in shares_of(outcomes, given, routable).items():
            shares = evaluation.shares.setdefault(name, {})
            shares[label] = np.array(list(share.values())) + shares.get(label, 0)
        for scenario in scenarios:
            if label in evaluation.config["routers"]:  # and no LLM that is a reference
                about = {"router": pl.lit(label), "seed": pl.lit(seed, pl.Int64), "scenario": pl.lit(scenario.name)}
                columns = [value.alias(name) for name, value in about.items()]
                chosen.append(choice_table(outcomes, given, scenario, routable).select(*columns, pl.all()))
        if given.quality is not None:
            table = metrics.reliability(given.quality, outcomes.performance)
            evaluation.reliability[label] = _pool(evaluation.reliability.get(label), table)
        if resampled:
            points = np.stack(curve(outcomes, given, scenarios, None))
            evaluation.curves[label] = _add(evaluation.curves.get(label), points)
            heights = resampled[row][1]
            evaluation.bands[label] = _add(evaluation.bands.get(label), np.stack([heights, heights]))
    evaluation.choices = pl.concat(chosen, how="diagonal")


def _add(total: tuple[Array, Array] | None, points: Array) -> tuple[Array, Array]:
    return (points[0], points[1]) if total is None else (total[0] + points[0], total[1] + points[1])


def _pool(total: Array | None, table: Array) -> Array:
    """Pool two reliability tables, weighing their means by their edges."""
    if total is None:
        return table
    edges = total[:, 0] + table[:, 0]
    filled = np.where(edges > 0, edges, np.nan)
    means = [(np.nan_to_num(a[:, 1:]) * a[:, :1]) for a in (total, table)]
    return np.column_stack([edges, (means[0] + means[1]) / filled[:, None]])


def average(evaluation: Evaluation, seeds: int) -> None:
    """Turn the sums over seeds into means."""
    if evaluation.singles is not None:
        evaluation.singles = (evaluation.singles[0] / seeds, evaluation.singles[1] / seeds)
    evaluation.curves = {label: (cost / seeds, high / seeds) for label, (cost, high) in evaluation.curves.items()}
    for label, (resampled, _) in evaluation.bands.items():
        low, high = np.percentile(resampled[:, 1:] / seeds, [2.5, 97.5], axis=1)
        evaluation.bands[label] = (low, high)
    for by_router in evaluation.shares.values():
        for label in by_router:
            by_router[label] = by_router[label] / seeds
