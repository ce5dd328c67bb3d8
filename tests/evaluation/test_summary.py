import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from graphrouter.evaluation import bootstrap, scores
from graphrouter.evaluation.differences import best_of
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.store import Outcomes, Predictions
from graphrouter.evaluation.summary import evaluate_store
from graphrouter.scenario import SCENARIOS

NAN = np.nan
FIRST, BALANCE = SCENARIOS["performance_first"], SCENARIOS["balance"]


def outcomes(
    performance: Sequence[Sequence[float]], cost: float = 1.0, groups: Sequence[int] | None = None
) -> Outcomes:
    """Outcomes where the second LLM costs twice as much as the first, with a cost scale of twice the first."""
    cells = np.array(performance, dtype=np.float32)
    dollars = np.where(np.isnan(cells), NAN, cost * np.arange(1, cells.shape[1] + 1))
    numbers = np.arange(len(cells)) if groups is None else np.array(groups)
    about = {"cost_scale": 2.0, "sizes": {"test": len(cells)}, "llms": [f"llm{m}" for m in range(cells.shape[1])]}
    tasks = np.array([f"task{row % 2}" for row in range(len(cells))])
    return Outcomes(tasks, numbers.astype(np.int64), cells, dollars, about)


def predictions(quality: Sequence[Sequence[float]], given: Outcomes, sweeps: bool = True) -> Predictions:
    cells = np.array(quality, dtype=np.float32)
    dollars = np.tile(np.arange(1.0, cells.shape[1] + 1), (len(cells), 1))
    utility = {s.name: s.reward(cells.astype(float), dollars, given.cost_scale) for s in (FIRST, BALANCE)}
    ends = np.stack([cells.astype(float), -dollars / given.cost_scale]) if sweeps else None
    return Predictions(cells, dollars, utility, {}, ends)


def store_of(folder: Path, kept: dict[int, Outcomes], made: dict[str, dict[int, Predictions]], **changed: Any) -> Store:
    store = Store(folder)
    llms = next(iter(kept.values())).performance.shape[1]
    router = {"router": "r", "source": "", "oracle": False, "hyperparameters": {}, "search_space": []}
    log = {"name": "tiny", "label": "tiny", "llms": [f"llm{m}" for m in range(llms)]}
    config = {
        "kind": "compare",
        "log": log,
        "scenarios": [asdict(FIRST), asdict(BALANCE)],
        "split": "test",
        "seeds": list(kept),
        "ours": ["ours"],
        "tune_by": "nll",
        "routers": dict.fromkeys(made, router),
    }
    store.begin(config | changed)
    for seed, given in kept.items():
        store.keep_outcomes(seed, given)
        for name, by_seed in made.items():
            store.save_predictions(name, seed, by_seed[seed])
    return store


def row_of(frame: pl.DataFrame, **where: str) -> dict[str, Any]:
    for key, wanted in where.items():
        frame = frame.filter(pl.col(key) == wanted)
    assert frame.height == 1, frame
    return frame.row(0, named=True)


@pytest.fixture
def tiny(tmp_path: Path) -> Store:
    """Two seeds of two queries. Ours chooses rightly in the first seed, the first baseline in the second."""
    kept = {0: outcomes([[1, 0], [0, 1]]), 7: outcomes([[1, 1], [0.5, NAN]], groups=[1, 2])}
    made = {
        "ours": {
            0: predictions([[0.9, 0.1], [0.2, 0.8]], kept[0]),
            7: predictions([[0.9, 0.1], [0.4, 0.9]], kept[7]),
        },
        "first": {seed: predictions([[0.6, 0.4], [0.6, 0.4]], given) for seed, given in kept.items()},
        "second": {seed: predictions([[0.4, 0.6], [0.4, 0.6]], given) for seed, given in kept.items()},
    }
    return store_of(tmp_path / "tiny", kept, made)


def test_the_summary_is_the_mean_over_seeds_of_what_is_computed_by_hand(tiny: Store) -> None:
    done = evaluate_store(tiny)
    ours = {"router": "ours", "scenario": "performance_first"}
    # Seed 0: both right. Seed 7: the first query right, and the only LLM with an outcome has 0.5 on the second.
    assert row_of(done.summary, **ours, metric="performance")["mean"] == pytest.approx((1 + 0.75) / 2)
    assert row_of(done.summary, **ours, metric="cost")["mean"] == pytest.approx((1.5 + 1) / 2)
    row = row_of(done.summary, **ours, metric="reward")
    # "first" has (1 + 0) / 2 and (1 + 0.5) / 2, "second" (0 + 1) / 2 and (1 + 0.5) / 2: they tie, the first is named.
    assert row["best_baseline"] == "first"
    assert row["difference"] == pytest.approx(0.875 - 0.625)
    nll = row_of(done.summary, router="first", scenario="", metric="nll")
    seeds = [-(np.log(0.6) * 2 + np.log(0.4) * 2) / 4, -(np.log(0.6) + np.log(0.4) + np.log(0.6 * 0.4) / 2) / 3]
    assert nll["mean"] == pytest.approx(np.mean(seeds), rel=1e-6)
    balance = row_of(done.summary, router="second", scenario="balance", metric="reward")
    # Seed 0: 0.5 * 0.5 - 0.5 * 1.5 / 2, for it takes the cheaper LLM only where that is better by 0.5.
    assert balance["mean"] == pytest.approx((0.5 * 0.5 - 0.5 * 1 / 2 + 0.5 * 0.75 - 0.5 * 1 / 2) / 2)


def test_results_hold_each_seed_and_task(tiny: Store) -> None:
    results = evaluate_store(tiny).results.filter(pl.col("metric") == "reward", pl.col("router") == "ours")
    results = results.filter(pl.col("scenario") == "performance_first")
    kept = {(row["seed"], row["task"]): row["value"] for row in results.iter_rows(named=True)}
    assert kept == {(0, ""): 1, (0, "task0"): 1, (0, "task1"): 1, (7, ""): 0.75, (7, "task0"): 1, (7, "task1"): 0.5}
    assert (results["split"] == "test").all()


def test_the_best_baseline_of_a_cost_is_the_cheapest(tiny: Store) -> None:
    summary = evaluate_store(tiny).summary
    row = row_of(summary, router="ours", scenario="performance_first", metric="cost")
    assert row["best_baseline"] == "first"
    assert row["difference"] == pytest.approx(0.25)
    assert row_of(summary, router="first", scenario="performance_first", metric="cost")["difference"] is None
    assert best_of(["a", "b"], {"a": 1.0, "b": 2.0}, "nll") == "a"
    assert best_of(["a", "b"], {"a": 1.0, "b": 2.0}, "auroc") == "b"
    assert best_of(["a", "b"], {"a": NAN}, "auroc") is None


def test_the_same_predictions_give_the_same_intervals(tiny: Store) -> None:
    first, again = evaluate_store(tiny), evaluate_store(tiny)
    assert first.summary.equals(again.summary)
    assert first.results.equals(again.results)


def test_without_baselines_there_is_no_difference(tmp_path: Path) -> None:
    kept = {0: outcomes([[1, 0], [0, 1]])}
    store = store_of(tmp_path, kept, {"ours": {0: predictions([[0.9, 0.1], [0.2, 0.8]], kept[0])}})
    summary = evaluate_store(store).summary
    assert summary["best_baseline"].is_null().all()
    assert summary["difference"].is_null().all()


def test_shares_curves_and_reliability_by_hand(tiny: Store) -> None:
    done = evaluate_store(tiny)
    np.testing.assert_allclose(done.shares["performance_first"]["ours"], [(0.5 + 1) / 2, 0.5 / 2])
    cost, performance = done.curves["ours"]
    assert len(cost) == len(scores.ALPHAS)
    # All weight on performance: as in the scenario; none: the cheaper LLM always.
    assert (cost[0], performance[0]) == pytest.approx((1.25, 0.875))
    assert (cost[-1], performance[-1]) == pytest.approx((1.0, (0.5 + 0.75) / 2))
    singles = done.singles
    assert singles is not None
    np.testing.assert_allclose(singles[1], [(0.5 + 0.75) / 2, (0.5 + 1) / 2])
    # Three predictions of 0.6 with outcomes 1, 0, then 1 and 0.5; 0.4 with 0, 1 and 1.
    table = done.reliability["first"]
    np.testing.assert_allclose(table[table[:, 0] > 0], [[3, 0.4, 2 / 3], [4, 0.6, 2.5 / 4]], rtol=1e-6)


def test_the_curve_is_swept_from_all_performance_to_all_cost() -> None:
    assert (scores.ALPHAS[0], scores.ALPHAS[-1]) == (1, 0)
    steps = -np.diff(scores.ALPHAS)
    assert (steps > 0).all()
    assert (np.diff(steps) > 0).all()


def test_a_router_that_cannot_be_swept_has_the_points_of_its_scenarios(tmp_path: Path) -> None:
    kept = {0: outcomes([[1, 0], [0, 1]])}
    given = predictions([[0.9, 0.1], [0.2, 0.8]], kept[0], sweeps=False)
    done = evaluate_store(store_of(tmp_path, kept, {"ours": {0: given}}))
    cost, performance = done.curves["ours"]
    np.testing.assert_allclose(cost, [1.5, 1.5])
    np.testing.assert_allclose(performance, [1, 1])


def test_the_curve_metrics_by_hand(tmp_path: Path) -> None:
    # The cheap LLM solves half for $1, the dear one all but a quarter for $2.
    kept = {0: outcomes([[1, 1], [1, 1], [0, 1], [0, 0]])}
    clever = predictions([[0.9, 0.5], [0.9, 0.5], [0.1, 0.9], [0.1, 0.05]], kept[0], sweeps=False)
    done = evaluate_store(store_of(tmp_path, kept, {"ours": {0: clever}}))

    def mean(metric: str) -> float:
        return row_of(done.summary, router="ours", scenario="", metric=metric)["mean"]

    # Its one point in both scenarios: 0.75 for $1.25. With the cheap LLM at (1, 0.5), the hull rises to it and stays.
    assert mean("aiq") == pytest.approx((0.25 * (0.5 + 0.75) / 2 + 0.75 * 0.75) / 1)
    assert mean("performance_gain") == pytest.approx(0)
    assert mean("cost_saving") == pytest.approx(1 - 1.25 / 2)
    assert mean("pareto_dist") == 0


def test_a_log_without_cost_has_no_curve(tmp_path: Path) -> None:
    kept = {0: outcomes([[1, 0], [0, 1]], cost=NAN)}
    given = predictions([[0.9, 0.1], [0.2, 0.8]], kept[0])
    done = evaluate_store(store_of(tmp_path, kept, {"ours": {0: given}}, scenarios=[asdict(FIRST)]))
    assert not done.curves
    assert not {"cost", "aiq", "gain_over_mix"} & set(done.summary["metric"])


def test_the_oracle_is_no_baseline_and_off_the_front(tmp_path: Path) -> None:
    kept = {0: outcomes([[1, 0], [0, 1], [0, 1]])}
    best = {0: predictions([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], kept[0])}
    flat = {0: predictions([[0.4, 0.6], [0.4, 0.6], [0.4, 0.6]], kept[0])}
    base = {"router": "r", "source": "", "hyperparameters": {}, "search_space": []}
    routers = {"knows": base | {"oracle": True}, "flat": base | {"oracle": False}}
    done = evaluate_store(store_of(tmp_path, kept, {"knows": best, "flat": flat}, routers=routers))
    assert set(done.summary.filter(pl.col("metric") != "logged_choice")["best_baseline"]) == {"flat"}
    assert done.summary.filter(pl.col("router") == "knows", pl.col("metric") == "pareto_dist").height == 0
    assert row_of(done.summary, router="flat", scenario="", metric="pareto_dist")["mean"] == 0


def test_queries_of_equal_text_are_drawn_together_in_all_seeds() -> None:
    first, second = bootstrap.draw_weights([np.array([5, 9, 5]), np.array([9, 2])], resamples=50, seed=3)
    assert first.shape == (51, 3)
    assert (first[0] == 1).all()
    np.testing.assert_array_equal(first[:, 0], first[:, 2])
    np.testing.assert_array_equal(first[:, 1], second[:, 0])
    # Three groups are drawn three times.
    np.testing.assert_array_equal(first[1:, 0] + first[1:, 1] + second[1:, 1], 3)
    assert len(np.unique(first[1:, 0])) > 2
    again = bootstrap.draw_weights([np.array([5, 9, 5]), np.array([9, 2])], resamples=50, seed=3)
    np.testing.assert_array_equal(again[1], second)
    other = bootstrap.draw_weights([np.array([5, 9, 5]), np.array([9, 2])], resamples=50, seed=4)
    assert not np.array_equal(other[1], second)


def test_the_paired_interval_covers_the_true_difference() -> None:
    random, covered = np.random.default_rng(0), 0
    for _ in range(200):
        # Two routers that share the difficulty of a query; the true difference is 0.1.
        shared = random.normal(0, 1, 80)
        difference = (shared + 0.1 + random.normal(0, 0.2, 80)) - (shared + random.normal(0, 0.2, 80))
        (weights,) = bootstrap.draw_weights([np.arange(80)], resamples=300, seed=int(random.integers(10**9)))
        low, high = bootstrap.interval((weights[1:] @ difference) / 80)
        covered += low <= 0.1 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_an_interval_is_as_wide_as_the_standard_error_says_and_wider_for_repeated_queries() -> None:
    values = np.random.default_rng(1).normal(0, 1, 400)
    (alone,) = bootstrap.draw_weights([np.arange(400)])
    low, high = bootstrap.interval((alone[1:] @ values) / 400)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)
    # The same 400 queries twice are no more evidence than once.
    twice, _ = bootstrap.draw_weights([np.arange(400), np.arange(400)])
    low_twice, high_twice = bootstrap.interval((twice[1:] @ values) / 400)
    assert high_twice - low_twice == pytest.approx(high - low, rel=0.1)
    # Four copies of 100 queries are the evidence of 100.
    (copies,) = bootstrap.draw_weights([np.repeat(np.arange(100), 4)])
    repeated = np.repeat(values[:100], 4)
    low, high = bootstrap.interval((copies[1:] @ repeated) / copies[1:].sum(axis=1))
    assert (high - low) / 2 == pytest.approx(1.96 * values[:100].std() / 10, rel=0.1)


@pytest.mark.parametrize(("seeds", "ratio"), [(2, 0.25), (5, 0.25), (5, 0.0), (20, 0.5)])
def test_resampled_seeds_have_the_corrected_variance_of_their_mean(seeds: int, ratio: float) -> None:
    values = np.random.default_rng(2).normal(0.3, 0.1, seeds)
    parts = [np.full((1, 4001), value) for value in values]  # no query matters: only seeds differ
    draws = bootstrap.draw_seeds(seeds, ratio, resamples=4000)
    resampled = bootstrap.mean_over_seeds(parts, draws)[0]
    assert resampled[0] == pytest.approx(values.mean())
    assert resampled[1:].mean() == pytest.approx(values.mean(), abs=0.01)
    assert resampled[1:].var() == pytest.approx(values.var(ddof=1) * (1 / seeds + ratio), rel=0.1)


def test_an_interval_for_methods_is_wider_and_around_the_same_mean(tmp_path: Path) -> None:
    # In each seed ours is right on other queries than the baseline, on a share that differs between the seeds.
    kept = {seed: outcomes([[1, 0]] * 40, groups=range(100 * seed, 100 * seed + 40)) for seed in range(4)}
    for given in kept.values():
        given.about["sizes"] |= {"train": 120, "validation": 40}
    right = [0.1, 0.4, 0.6, 0.9]
    made = {
        "ours": {
            n: predictions([[0.9, 0.1] if q < 40 * right[n] else [0.1, 0.9] for q in range(40)], kept[n]) for n in kept
        },
        "base": {n: predictions([[0.1, 0.9]] * 40, kept[n]) for n in kept},
    }
    rows = {}
    for kind in ("fitted", "methods"):
        done = evaluate_store(store_of(tmp_path / kind, kept, made, interval=kind))
        rows[kind] = row_of(done.summary, router="ours", scenario="performance_first", metric="performance")
    widths = {kind: row["difference_high"] - row["difference_low"] for kind, row in rows.items()}
    assert rows["fitted"]["difference"] == pytest.approx(0.5)
    assert rows["methods"]["difference"] == pytest.approx(0.5)
    # 160 queries alone: p (1 - p) / 40 of each seed; and the seeds on top: S^2 (1 / 4 + 40 / 160).
    of_queries = np.mean([p * (1 - p) for p in right]) / 160
    of_seeds = np.var(right, ddof=1) * (1 / 4 + 1 / 4)
    assert widths["fitted"] == pytest.approx(3.92 * np.sqrt(of_queries), rel=0.1)
    assert widths["methods"] == pytest.approx(3.92 * np.sqrt(of_queries + of_seeds), rel=0.15)


def test_equal_seeds_add_nothing_to_an_interval(tmp_path: Path) -> None:
    kept = {seed: outcomes([[1, 0], [0, 1], [1, 1]]) for seed in (0, 1)}
    for given in kept.values():
        given.about["sizes"] |= {"train": 9, "validation": 3}
    made = {"ours": {seed: predictions([[0.9, 0.1]] * 3, given) for seed, given in kept.items()}}
    summaries = [
        evaluate_store(store_of(tmp_path / kind, kept, made, interval=kind)).summary for kind in ("fitted", "methods")
    ]
    assert summaries[0].equals(summaries[1])


def test_an_interval_of_nothing_is_nothing() -> None:
    assert np.isnan(bootstrap.interval(np.array([NAN, NAN]))).all()


def test_a_large_comparison_is_summarised_fast(tmp_path: Path) -> None:
    # A tenth of 20 routers, 5 seeds, 2,000 queries and 29 LLMs, which may take 60 s.
    random = np.random.default_rng(0)
    kept = {0: outcomes((random.random((2000, 29)) < 0.5).astype(float).tolist())}
    made = {f"r{n}": {0: predictions(random.random((2000, 29)).tolist(), kept[0])} for n in range(10)}
    store = store_of(tmp_path, kept, made)
    started = time.process_time()
    evaluate_store(store)
    assert time.process_time() - started < 12
