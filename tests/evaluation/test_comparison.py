import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fakes import Broken, ByTopic, Cautious, ForOne, Last, Means, Scorer, Stepwise, TopicEncoder, topics

from graphrouter.cli import main
from graphrouter.errors import UserError
from graphrouter.evaluation import compare, summarise
from graphrouter.evaluation.collected import RESULT_COLUMNS
from graphrouter.evaluation.folder import Store
from graphrouter.log import LLMLog
from graphrouter.routers import find_router
from graphrouter.run import RunOptions
from graphrouter.scenario import SCENARIOS, Scenario, find_scenario, fit_cost_scale
from graphrouter.splits import by_query
from graphrouter.testing.logs import make_log

TWO = [find_scenario("performance_first"), find_scenario("balance")]


@pytest.fixture(scope="module")
def log() -> LLMLog:
    return make_log(150)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    Means.fits.clear()
    Means.stop_at = -1
    yield
    Means.stop_at = -1


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def value(frame: pl.DataFrame, column: str = "mean", **where: object) -> float:
    for key, wanted in where.items():
        frame = frame.filter(pl.col(key) == wanted)
    assert frame.height == 1
    return frame[column][0]


def test_a_comparison_writes_every_value_once_in_the_columns_that_were_agreed(log: LLMLog, tmp_path: Path) -> None:
    compare(
        log, topics, [Means(), ByTopic(), Last()], seeds=[0, 3], scenarios=TWO, out=tmp_path / "out", ours=["by_topic"]
    )
    results = pl.read_csv(tmp_path / "out" / "results.csv").with_columns(pl.col("scenario", "task").fill_null(""))
    assert tuple(results.columns) == RESULT_COLUMNS
    key = ["router", "seed", "split", "scenario", "task", "metric"]
    assert results.select(key).is_duplicated().sum() == 0
    assert set(results["log"]) == {"planted (simulated)"}
    assert set(results["seed"]) == {0, 3}
    assert set(results["task"]) == {"", "algebra", "history"}
    assert set(results["split"]) == {"test", "validation"}
    by_scenario = {name: set(part["scenario"]) for (name,), part in results.group_by("metric")}
    assert all(
        by_scenario[name] == {""} for name in ("nll", "auroc", "brier", "calibration_error", "aiq", "pareto_dist")
    )
    assert all(by_scenario[name] == {"performance_first", "balance"} for name in ("reward", "cost", "gain_over_mix"))
    assert by_scenario["ndcg"] == {"performance_first"}
    assert not {".results.csv", ".summary.csv"} & {file.name for file in (tmp_path / "out").iterdir()}


def test_the_router_that_sees_the_topic_wins_and_the_intervals_say_so(log: LLMLog, tmp_path: Path) -> None:
    done = compare(log, topics, [Means(), ByTopic(), Last()], seeds=range(3), out=tmp_path / "out", ours=["by_topic"])
    row = {"router": "by_topic", "scenario": "performance_first", "metric": "reward"}
    assert value(done.summary, "best_baseline", **row) == "means"
    assert value(done.summary, "difference_low", **row) > 0.1
    likelihood = {"router": "by_topic", "metric": "nll"}
    assert value(done.summary, "difference_high", **likelihood) < 0
    assert value(done.summary, "mean", router="last", scenario="balance", metric="cost") > 0


def test_a_killed_comparison_goes_on_and_refits_nothing_that_was_finished(log: LLMLog, tmp_path: Path) -> None:
    routers = [Means(), Last()]
    Means.stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        compare(log, topics, routers, seeds=[0, 1], out=tmp_path / "out", tune=False)
    assert Means.fits == [("means", 0, 0.0), ("last", 0, 0.0), ("means", 1, 0.0)]
    before = contents(tmp_path / "out" / "runs")
    runs = ("last-seed0", "means-seed0", "means-seed1")
    assert sorted(before) == [f"{run}/{file}" for run in runs for file in ("predictions.npz", "run.json")]
    Means.stop_at = -1
    resumed = compare(log, topics, routers, seeds=[0, 1], out=tmp_path / "out", tune=False)
    assert Means.fits[3:] == [("last", 1, 0.0)]
    assert before.items() <= contents(tmp_path / "out" / "runs").items()
    whole = compare(log, topics, routers, seeds=[0, 1], out=tmp_path / "whole", tune=False)
    assert resumed.results.equals(whole.results)
    assert resumed.summary.equals(whole.summary)


def test_a_finished_comparison_is_only_read(log: LLMLog, tmp_path: Path) -> None:
    compare(log, topics, [Means()], seeds=[0], out=tmp_path)
    before = {name: data for name, data in contents(tmp_path).items() if name.endswith((".npz", ".csv"))}
    fits = len(Means.fits)
    compare(log, topics, [Means()], seeds=[0], out=tmp_path)
    assert len(Means.fits) == fits
    assert before.items() <= contents(tmp_path).items()


def test_routers_and_seeds_can_be_added_but_not_left_out(log: LLMLog, tmp_path: Path) -> None:
    compare(log, topics, [Means()], seeds=[0], out=tmp_path)
    Means.fits.clear()
    compare(log, topics, [Means(), Last()], seeds=[0, 1], out=tmp_path)
    assert {(name, seed) for name, seed, _ in Means.fits} == {("means", 1), ("last", 0), ("last", 1)}
    before = contents(tmp_path)
    with pytest.raises(UserError, match="'last'.*another folder"):
        compare(log, topics, [Means()], seeds=[0, 1], out=tmp_path)
    with pytest.raises(UserError, match=r"seed 0.*another folder"):
        compare(log, topics, [Means(), Last()], seeds=[1], out=tmp_path)
    assert contents(tmp_path) == before


def test_what_never_finished_can_be_left_out_or_changed(log: LLMLog, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="broken must predict"):
        compare(log, topics, [Means(), Broken()], seeds=[0], out=tmp_path, tune=False)
    compare(log, topics, [Means()], seeds=[0], out=tmp_path, tune=False)
    assert Means.fits == [("means", 0, 0.0), ("broken", 0, 0.0)]
    assert list(json.loads((tmp_path / "config.json").read_text())["routers"]) == ["means"]
    with pytest.raises(UserError, match="broken must predict"):
        compare(log, topics, [Broken()], seeds=[0], out=tmp_path / "other", tune=False)
    compare(log, topics, [Means()], seeds=[0], out=tmp_path / "other", tune=False, scenarios=TWO[:1])


def test_another_config_is_refused_and_nothing_is_overwritten(log: LLMLog, tmp_path: Path) -> None:
    compare(log, topics, [ByTopic()], seeds=[0], scenarios=TWO, out=tmp_path)
    before = contents(tmp_path)
    Means.fits.clear()

    def other(match: str, **changed: object) -> None:
        asked = {"log": log, "encoder": topics, "routers": [ByTopic()], "seeds": [0], "scenarios": TWO, "out": tmp_path}
        with pytest.raises(UserError, match=f"{match}.*another folder"):
            compare(**{**asked, **changed})
        assert contents(tmp_path) == before

    other(r"by_topic.hyperparameters.bias \(0.0, not 0.1\)", routers=[ByTopic(bias=0.1)])
    other("log.digest", log=make_log(150, seed=1))
    other(r"encoder \(\"topics\"", encoder=lambda log, split: topics(log, split))
    other("scenarios", scenarios=TWO[:1])
    other(r"tune_by \(\"nll\", not \"reward\"\)", tune_by="reward")
    other("settings", settings=1)
    assert not Means.fits


def test_other_splits_and_vectors_of_a_seed_are_refused(log: LLMLog, tmp_path: Path) -> None:
    compare(log, topics, [Means()], seeds=[0], out=tmp_path)
    before = contents(tmp_path / "outcomes")
    asked = {"routers": [Means(), Last()], "seeds": [0], "out": tmp_path}
    with pytest.raises(UserError, match="other splits or vectors of seed 0"):
        compare(log, topics, **asked, split=lambda log, seed: by_query(log, seed + 1))

    def shifted(log: LLMLog, split: object) -> tuple[np.ndarray, np.ndarray]:
        queries, llms = topics(log, split)
        return queries + 0.25, llms

    shifted.__qualname__ = topics.__qualname__
    with pytest.raises(UserError, match="other splits or vectors of seed 0"):
        compare(log, shifted, **asked)
    assert contents(tmp_path / "outcomes") == before


def test_a_folder_with_other_files_is_left_alone(log: LLMLog, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        compare(log, topics, [Means()], seeds=[0], out=tmp_path)
    assert list(contents(tmp_path)) == ["thesis.txt"]
    with pytest.raises(UserError, match="must be written"):
        compare(log, topics, [Means()], seeds=[0], out=tmp_path / "thesis.txt")


def test_a_damaged_prediction_is_named(log: LLMLog, tmp_path: Path) -> None:
    compare(log, topics, [Means()], seeds=[0], out=tmp_path)
    file = tmp_path / "runs" / "means-seed0" / "predictions.npz"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UserError, match=r"means-seed0/predictions.npz must be a whole"):
        summarise(tmp_path)
    file.unlink()
    with pytest.raises(UserError, match="is absent"):
        summarise(tmp_path)
    (file.parent / "run.json").unlink()
    with pytest.raises(UserError, match="not finished"):
        summarise(tmp_path)
    with pytest.raises(UserError, match="no config.json"):
        summarise(tmp_path / "runs")


def test_everything_can_be_rebuilt_from_the_predictions(log: LLMLog, tmp_path: Path) -> None:
    compare(log, topics, [Means(), ByTopic()], seeds=[0, 1], out=tmp_path)
    derived = ("results.csv", "summary.csv", "report.html", "figures/cost_quality.svg", "tables/scenario_balance.tex")
    before = {name: (tmp_path / name).read_bytes() for name in derived}
    for name in derived:
        (tmp_path / name).unlink()
    assert main(["report", str(tmp_path)]) == 0
    assert {name: (tmp_path / name).read_bytes() for name in derived} == before


def test_the_setting_of_the_best_validation_score_is_kept_and_predicts_the_test(log: LLMLog, tmp_path: Path) -> None:
    compare(log, topics, [ByTopic(bias=0.4)], seeds=[0], out=tmp_path / "tuned", scenarios=TWO)
    # The default has the bias 0.4 and the other setting 0.3, which is nearer to the truth.
    about = Store(tmp_path / "tuned").predictions("by_topic", 0).about
    assert about["settings"] == {"bias": 0.3}
    assert about["tried"] == 2
    assert about["hyperparameters"] == {"bias": 0.3}
    assert Means.fits == [("by_topic", 0, 0.4), ("by_topic", 0, 0.3)]
    config = json.loads((tmp_path / "tuned" / "config.json").read_text())
    assert config["routers"]["by_topic"]["hyperparameters"] == {"bias": 0.4}
    compare(log, topics, [ByTopic(bias=0.4)], seeds=[0], out=tmp_path / "plain", scenarios=TWO, tune=False)
    assert Store(tmp_path / "plain").predictions("by_topic", 0).about["settings"] == {}
    kept = [Store(tmp_path / name).predictions("by_topic", 0).quality for name in ("tuned", "plain")]
    assert kept[0] is not None
    assert kept[1] is not None
    assert kept[0].max() < kept[1].max() or kept[0].min() < kept[1].min()


def test_tuning_by_reward_does_not_care_for_the_likelihood(log: LLMLog, tmp_path: Path) -> None:
    # A bias changes no choice, so by reward the first setting stays.
    done = compare(log, topics, [ByTopic(bias=0.4)], seeds=[0], out=tmp_path, scenarios=TWO, tune_by="reward")
    about = Store(tmp_path).predictions("by_topic", 0).about
    assert about["settings"] == {}
    row = {"router": "by_topic", "split": "validation"}
    assert value(done.results, "value", **row) == pytest.approx(about["validation"])
    assert value(done.results, "metric", **row) == "reward"


def test_a_router_without_likelihoods_is_tuned_by_reward_and_the_record_says_so(log: LLMLog, tmp_path: Path) -> None:
    routers = [ByTopic(bias=0.4), Scorer(bias=0.4)]
    done = compare(log, topics, routers, seeds=[0], out=tmp_path, scenarios=TWO)
    chosen = {name: Store(tmp_path).predictions(name, 0).about for name in ("by_topic", "scorer")}
    assert {name: about["tuned_by"] for name, about in chosen.items()} == {"by_topic": "nll", "scorer": "reward"}
    assert chosen["by_topic"]["settings"] == {"bias": 0.3}
    assert chosen["scorer"]["settings"] == {}
    assert json.loads((tmp_path / "runs" / "scorer-seed0" / "run.json").read_text())["tune_by"] == "reward"
    assert value(done.results, "metric", router="scorer", split="validation") == "reward"
    assert "scorer by reward, which suits it" in (tmp_path / "report.html").read_text()


def test_every_router_tries_at_most_so_many_settings(log: LLMLog, tmp_path: Path) -> None:
    router = ByTopic(bias=0.4)
    router.search_space = ({}, {"bias": 0.3}, {"bias": 0.2})  # type: ignore[misc]
    compare(log, topics, [router], seeds=[0], out=tmp_path / "two", settings=2)
    compare(log, topics, [router], seeds=[0], out=tmp_path / "one", settings=1)
    assert [bias for _, _, bias in Means.fits] == [0.4, 0.3, 0.4]
    with pytest.raises(UserError, match="search_space"):
        compare(log, topics, [ByTopic(bias=0.4)], seeds=[0], out=tmp_path / "two", settings=2)


def test_an_encoder_learns_from_the_training_queries_only(log: LLMLog, tmp_path: Path) -> None:
    encoder = TopicEncoder()
    compare(log, encoder, [ByTopic()], seeds=[0, 1], out=tmp_path)
    texts = log.queries["query"].to_list()
    assert encoder.fitted == [[texts[row] for row in by_query(log, seed).train] for seed in (0, 1)]
    assert json.loads((tmp_path / "config.json").read_text())["encoder"] == "topics"


def test_the_cost_scale_is_fitted_on_train(log: LLMLog, tmp_path: Path) -> None:
    compare(log, topics, [Means()], seeds=[2], out=tmp_path)
    split = by_query(log, 2)
    outcomes = Store(tmp_path).outcomes(2)
    assert outcomes.cost_scale == fit_cost_scale(log.cells("cost")[split.train])
    np.testing.assert_array_equal(outcomes.performance, log.cells("performance")[split.test])
    assert outcomes.about["sizes"] == {
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
    }


def test_the_oracle_sees_the_test_outcomes_and_is_no_baseline(log: LLMLog, tmp_path: Path) -> None:
    done = compare(log, topics, [Means(), find_router("oracle")()], seeds=[0], out=tmp_path, ours=[])
    rows = done.summary.filter(pl.col("metric") == "gap_to_oracle")
    assert rows.filter(pl.col("router") == "oracle")["mean"].to_list() == pytest.approx([0, 0, 0])
    assert set(rows["best_baseline"]) == {"means"}
    assert value(done.summary, "mean", router="oracle", scenario="balance", metric="hit_at_1") == 1


def test_a_log_without_cost_has_one_scenario_unless_its_cost_is_estimated(tmp_path: Path) -> None:
    log = make_log(120, cost=False)
    done = compare(log, topics, [Means(), Last()], seeds=[0], out=tmp_path / "out")
    assert set(done.summary["scenario"]) == {"", "performance_first"}
    assert not {"cost", "gain_over_mix", "aiq", "cost_saving"} & set(done.summary["metric"])
    with pytest.raises(UserError, match="balance weighs cost.*--estimate-cost"):
        compare(log, topics, [Means()], seeds=[0], out=tmp_path / "other", scenarios=TWO)
    assert not (tmp_path / "other").exists()


def test_an_estimated_cost_is_called_so_in_every_output(tmp_path: Path) -> None:
    log = replace(make_log(100), name="mine", simulated=False, cost_estimated=True)
    compare(log, topics, [Means()], seeds=[0], out=tmp_path)
    for name in ("results.csv", "summary.csv"):
        assert set(pl.read_csv(tmp_path / name)["log"]) == {"mine (cost estimated)"}
    assert "Cost is estimated" in (tmp_path / "report.html").read_text()


def test_the_judge_scenario_has_its_own_target(log: LLMLog, tmp_path: Path) -> None:
    judged = replace(log, records=log.records.with_columns(judge_score=1 - pl.col("performance")))
    done = compare(judged, topics, [Means()], seeds=[0], out=tmp_path / "judge", scenarios=[SCENARIOS["judge"]])
    plain = compare(judged, topics, [Means()], seeds=[0], out=tmp_path / "plain", scenarios=TWO[:1])
    judge = value(done.results, "value", router="means", metric="gain_over_random", split="test", task="")
    assert judge != value(plain.results, "value", router="means", metric="gain_over_random", split="test", task="")
    with pytest.raises(UserError, match="share a target"):
        compare(judged, topics, [Means()], seeds=[0], out=tmp_path / "both", scenarios=[TWO[0], SCENARIOS["judge"]])


def test_a_router_is_swept_where_its_utility_is_linear_in_the_weights(log: LLMLog, tmp_path: Path) -> None:
    routers = [Means(), Cautious(), Last(), Stepwise(), ForOne()]
    done = compare(log, topics, routers, seeds=[0], scenarios=TWO, out=tmp_path)
    points = {name: len(cost) for name, (cost, _) in done.curves.items()}
    assert points == {"means": 41, "cautious": 41, "last": 41, "stepwise": 2, "for_one": 2}
    # All weight on performance and all on cost: as the router itself decides there.
    store = Store(tmp_path)
    plain, cautious = (store.predictions(name, 0).ends for name in ("means", "cautious"))
    assert plain is not None
    assert cautious is not None
    np.testing.assert_allclose(cautious[0], plain[0] / 2)
    np.testing.assert_allclose(cautious[1], plain[1])
    assert store.predictions("for_one", 0).ends is None


def test_repeated_draws_count_by_their_mean(tmp_path: Path) -> None:
    log = make_log(100, draws=4)
    compare(log, topics, [Means()], seeds=[0], out=tmp_path, scenarios=TWO[:1])
    assert set(np.unique(Store(tmp_path).outcomes(0).performance)) == {0, 0.25, 0.5, 0.75, 1}


def test_missing_cells_are_never_chosen(tmp_path: Path) -> None:
    log = make_log(150, missing=0.4, unseen=True)
    done = compare(log, topics, [find_router("best_single")(), Last()], seeds=[0], out=tmp_path)
    shares = done.shares["performance_first"]["last"]
    assert shares[log.llm_names.index("unseen")] == 0
    assert shares.sum() == pytest.approx(1)
    assert np.isfinite(done.summary["mean"].to_numpy()).all()


@pytest.mark.parametrize(
    ("wrong", "match"), [(float("nan"), "NaN"), (1.2, r"within \[0, 1\]"), (-0.1, r"within \[0, 1\]")]
)
def test_a_prediction_that_is_no_probability_is_refused(log: LLMLog, tmp_path: Path, wrong: float, match: str) -> None:
    with pytest.raises(UserError, match=f"broken must predict.*{match}"):
        compare(log, topics, [Broken(value=wrong)], seeds=[0], out=tmp_path)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"routers": []}, "one router or more"),
        ({"routers": [Means(), Means(bias=0.1)]}, "'means' occurs more often"),
        ({"routers": {"../means": Means()}}, "letters, digits"),
        ({"seeds": []}, "seeds must be"),
        ({"seeds": [1, 1]}, "seeds must be"),
        ({"scenarios": []}, "one scenario or more"),
        ({"scenarios": [TWO[0], Scenario("performance_first", 0.5, 0.5)]}, "every scenario must occur once"),
        ({"tune_by": "accuracy"}, "tune_by must be"),
        ({"settings": 0}, "number of settings"),
    ],
)
def test_bad_arguments_leave_nothing_behind(log: LLMLog, tmp_path: Path, changed: dict, match: str) -> None:
    asked = {"log": log, "encoder": topics, "routers": [Means()], "seeds": [0], "out": tmp_path / "out"}
    with pytest.raises(UserError, match=match):
        compare(**{**asked, **changed})
    assert not (tmp_path / "out").exists()


def test_one_llm_is_nothing_to_route(log: LLMLog, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two LLMs or more"):
        compare(log.take_llms(["alpha"]), topics, [Means()], seeds=[0], out=tmp_path / "out")


def test_variants_of_one_router_are_told_apart_by_their_names(log: LLMLog, tmp_path: Path) -> None:
    variants = {"plain": Means(), "biased": Means(bias=0.2)}
    done = compare(log, topics, variants, seeds=[0], out=tmp_path, ours=["biased"])
    assert value(done.summary, "difference", router="biased", metric="nll") > 0


def test_progress_goes_to_standard_error(log: LLMLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(log, topics, [Means(), Last()], seeds=[0], out=tmp_path, run=RunOptions(progress=True))
    said = capsys.readouterr()
    assert said.out == ""
    assert "[2/2] last, seed 0: 1 settings" in said.err


@pytest.mark.real_data
def test_the_references_on_a_real_log_are_where_its_readme_has_them(real_data: Path, tmp_path: Path) -> None:
    log = LLMLog.load(real_data / "llm_cascades")

    def one(log: LLMLog, split: object) -> tuple[np.ndarray, np.ndarray]:
        return np.ones((log.queries.height, 1)), np.ones((len(log.llm_names), 1))

    routers = [find_router(name)() for name in ("random", "best_single", "best_per_task", "oracle")]
    done = compare(log, one, routers, seeds=[0, 1, 2], out=tmp_path, scenarios=TWO)
    known = {"random": 0.701, "best_single": 0.832, "best_per_task": 0.832, "oracle": 0.963}
    for name, expected in known.items():
        row = {"router": name, "scenario": "performance_first", "metric": "performance"}
        assert value(done.summary, "mean", **row) == pytest.approx(expected, abs=0.02)
    assert value(done.summary, "mean", router="oracle", scenario="balance", metric="gap_to_oracle") == 0


def test_choices_and_curves_are_written_and_add_up_to_the_results(tmp_path: Path) -> None:
    log = make_log(120)
    done = compare(log, topics, {"means": Means(), "by_topic": ByTopic()}, seeds=[0, 1], out=tmp_path)
    choices = pl.read_parquet(tmp_path / "choices.parquet")
    assert choices.columns[:6] == ["router", "seed", "scenario", "query_id", "task", "llm"]
    assert set(choices["query_id"]) <= set(log.queries["query_id"])
    assert not choices.select("router", "seed", "scenario", "query_id").is_duplicated().any()
    keys = ["router", "seed", "scenario"]
    whole = done.results.filter((pl.col("task") == "") & (pl.col("scenario") != ""))
    for column, metric in {
        "reward": "reward",
        "performance": "performance",
        "cost": "cost",
        "regret": "gap_to_oracle",
    }.items():
        joined = (
            choices.group_by(keys)
            .agg(pl.col(column).mean())
            .join(whole.filter(pl.col("metric") == metric), on=keys, how="inner")
        )
        assert joined.height == 2 * 2 * 3
        np.testing.assert_allclose(joined[column], joined["value"], atol=1e-12)
    assert choices["regret"].min() >= 0
    curves = pl.read_csv(tmp_path / "curves.csv")
    assert curves.columns == ["name", "kind", "alpha", "cost", "performance", "low", "high"]
    assert curves.filter(pl.col("kind") == "llm")["name"].to_list() == list(log.llm_names)
    first = curves.filter((pl.col("name") == "by_topic") & (pl.col("alpha") == 1)).row(0, named=True)
    means = done.summary.filter((pl.col("router") == "by_topic") & (pl.col("scenario") == "performance_first"))
    for name in ("cost", "performance"):
        assert first[name] == pytest.approx(means.filter(pl.col("metric") == name)["mean"][0])
