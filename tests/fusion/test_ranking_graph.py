"""The ranking by the graph, on logs whose truth is known; and its command."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from fusion.cli import main
from fusion.ranking import crossfit, rank
from fusion.ranking.crossfit import Prior, cross_fit, fold_of
from fusion.ranking.graph import domains_of, graph_posterior, posterior_of
from fusion.ranking.response_model import ResponseModel, make_edges
from graphrouter.errors import UserError
from graphrouter.prepared import prepare, undivided
from graphrouter.simulate import simulate_with_truth

QUICK = {
    "neighbours": 30,
    "heads": 2,
    "metric": 4,
    "members": 2,
    "hidden": 16,
    "dropout": 0.2,
    "steps": 80,
    "batch_size": 64,
    "learning_rate": 1e-2,
}
GRAPH = {"folds": 3, "gnn": QUICK, "encoder": "tfidf:16", "device": "cpu"}


@pytest.fixture(scope="module")
def simulated():
    """A log of one draw per cell, its truth [Q, M], and its ranking by the graph."""
    log, truth = simulate_with_truth(queries=200, tasks=3, llms=5, seed=2)
    return log, truth, rank(log, "graph", **GRAPH)


def with_truth(ranked, log, truth):
    known = pl.DataFrame(
        {
            "query_id": np.repeat(log.queries["query_id"].to_numpy(), truth.shape[1]),
            "llm": np.tile(np.array(log.llm_names), len(truth)),
            "truth": truth.ravel(),
        }
    )
    return ranked.join(known, on=["query_id", "llm"], maintain_order="left")


def test_the_posterior_is_nearer_to_the_truth_than_the_observed_score(simulated):
    log, truth, ranked = simulated
    by_graph = with_truth(ranked, log, truth)
    observed = with_truth(rank(log, "performance"), log, truth)
    errors = [((frame["score"] - frame["truth"]) ** 2).mean() for frame in (by_graph, observed)]
    assert errors[0] < errors[1] / 3
    best = [frame.filter(rank=1)["truth"].mean() for frame in (by_graph, observed)]
    assert best[0] > best[1] + 0.05


def test_ranks_are_whole_and_ineligible_ones_last(simulated):
    ranked = simulated[2]
    for _, own in ranked.group_by("query_id"):
        assert own["rank"].to_list() == list(range(1, own.height + 1))
        assert own["eligible"].to_list() == sorted(own["eligible"], reverse=True)
        eligible = own.filter("eligible")["score"]
        assert eligible.is_sorted(descending=True)


def test_the_same_seed_gives_the_same_ranking_whatever_the_order_of_rows(simulated):
    log, _, ranked = simulated
    mixed = replace(log, queries=log.queries.sample(fraction=1, shuffle=True, seed=1), records=log.records.reverse())
    again = rank(mixed, "graph", **GRAPH)
    assert again.drop("score").equals(ranked.drop("score"))
    assert np.allclose(again["score"], ranked["score"], atol=1e-6)


def test_no_own_outcome_reaches_a_prior():
    log, _ = simulate_with_truth(queries=60, tasks=2, llms=4, seed=3)
    data = prepare(log, "tfidf:8", split=undivided).data
    gnn = {**QUICK, "steps": 20}
    before = cross_fit(data, 3, 0, gnn, "cpu")
    changed = data.performance.copy()
    row = 7
    changed[row] = 1 - changed[row]
    after = cross_fit(replace(data, performance=changed), 3, 0, gnn, "cpu")
    own = before.fold == before.fold[row]
    for name in ("task_mean", "quality", "spread"):
        assert np.array_equal(getattr(before, name)[own], getattr(after, name)[own])
    assert not np.array_equal(before.task_mean[~own], after.task_mean[~own])
    assert not np.array_equal(before.quality[~own], after.quality[~own])


def test_folds_in_processes_of_their_own_tell_the_same(monkeypatch):
    log, _ = simulate_with_truth(queries=60, tasks=2, llms=4, seed=3)
    data = prepare(log, "tfidf:8", split=undivided).data
    quick = QUICK | {"members": 1, "steps": 40}
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        one = cross_fit(data, 2, 0, quick, "cpu")
        assert torch.get_num_threads() == 2
        monkeypatch.setattr(crossfit, "LARGE", 0)
        monkeypatch.setattr(crossfit, "_one_thread", None)  # must not be reached
        several = cross_fit(data, 2, 0, quick, "cpu")
    finally:
        torch.set_num_threads(threads)
    for name in ("fold", "task_mean", "quality", "spread"):
        assert np.array_equal(getattr(one, name), getattr(several, name))


def test_own_outcomes_are_evidence():
    log, _ = simulate_with_truth(queries=60, tasks=2, llms=4, seed=3)
    data = prepare(log, "tfidf:8", split=undivided).data
    settings = {"folds": 3, "seed": 0, "gnn": {**QUICK, "steps": 20}, "device": "cpu"}
    row = 7
    posteriors = []
    for outcome in (0.0, 1.0):
        changed = data.performance.copy()
        changed[row] = outcome
        posteriors.append(graph_posterior(replace(data, performance=changed), domains_of(log), **settings)[row])
    assert (posteriors[1] > posteriors[0] + 0.1).all()


def test_the_response_model_never_learns_from_the_fold_that_it_judges(monkeypatch):
    log, _ = simulate_with_truth(queries=60, tasks=2, llms=4, seed=3)
    data = prepare(log, "tfidf:8", split=undivided).data
    half = np.full(data.performance.shape, 0.5)
    fold = np.arange(60) % 3
    learnt = []
    fit = ResponseModel.fit
    monkeypatch.setattr(ResponseModel, "fit", lambda model, edges: learnt.append(edges) or fit(model, edges))
    posterior_of(data, Prior(fold, half, half, half * 0), domains_of(log), 0)
    for part, edges in enumerate(learnt):
        right = np.nan_to_num(data.performance[fold != part])
        assert np.array_equal(edges.right.numpy(), right)


def test_folds_keep_equal_wording_together_and_are_even():
    groups = np.array([5, 5, 9, 1, 2, 3, 9, 8, 7, 6, 4, 0])
    fold = fold_of(groups, 3, seed=1)
    assert fold[0] == fold[1]
    assert fold[2] == fold[6]
    assert set(np.bincount(fold)) <= {3, 4, 5}
    order = np.random.default_rng(0).permutation(len(groups))
    assert np.array_equal(fold_of(groups[order], 3, seed=1), fold[order])


def edges_of(outcomes, task, draws=None, shift=None, spread=0.0):
    """Return edges of outcomes [Q, M] whose prior says nothing beyond the task."""
    half = np.full(outcomes.shape, 0.5)
    quality = half if shift is None else half + shift
    draws = np.ones(outcomes.shape) if draws is None else draws
    return make_edges(task, half, quality, np.full(outcomes.shape, spread), outcomes, draws)


def planted(queries, guess, seed=0, llms=8, draws=1, particular=0.0):
    """Return outcomes of LLMs of one task with a known guess rate."""
    random = np.random.default_rng(seed)
    ability = np.linspace(-2.5, 1.0, llms)
    ease = random.standard_normal((queries, 1))
    own = particular * random.standard_normal((queries, llms))
    knows = torch.special.ndtr(torch.as_tensor(ability + 1.5 * ease + own)).numpy()
    chance = guess + (1 - guess) * knows
    return random.binomial(draws, chance) / draws, chance


def test_the_guess_rate_is_learnt_per_task():
    outcomes = np.concatenate([planted(1500, 0.25)[0], planted(1500, 0.0, seed=1)[0]])
    task = np.repeat([0, 1], 1500)
    guess = ResponseModel(np.array([0, 0])).fit(edges_of(outcomes, task)).guess_rate()
    assert guess[0] == pytest.approx(0.25, abs=0.05)
    assert guess[1] < 0.03


def test_the_posterior_is_calibrated_and_uses_other_llms():
    outcomes, chance = planted(1500, 0.0, seed=2)
    task = np.zeros(1500, dtype=np.int64)
    edges = edges_of(outcomes, task)
    model = ResponseModel(np.array([0])).fit(edges)
    others, all_ = model.posterior(edges, own=False), model.posterior(edges)
    assert abs(others.mean() - chance.mean()) < 0.02
    plain = ((chance.mean(axis=0) - chance) ** 2).mean()
    assert ((others - chance) ** 2).mean() < plain / 2
    assert ((all_ - chance) ** 2).mean() < ((others - chance) ** 2).mean()


def test_many_draws_outweigh_the_prior():
    outcomes, chance = planted(200, 0.0, seed=3, draws=20, particular=1.0)
    task = np.zeros(200, dtype=np.int64)
    edges = edges_of(outcomes, task, draws=np.full(outcomes.shape, 20.0))
    model = ResponseModel(np.array([0])).fit(edges)
    assert float(model.parameters.particular.exp()) == pytest.approx(1.0, abs=0.25)
    assert ((model.posterior(edges) - chance) ** 2).mean() < ((outcomes - chance) ** 2).mean()


def test_contrasts_of_the_gnn_count_as_far_as_they_prove_true():
    random = np.random.default_rng(4)
    shift = np.where(random.random((1500, 1)) < 0.5, 0.3, -0.3) * np.array([1.0, -1.0, 0.0, 0.0])
    right = random.random((1500, 4)) < 0.5 + shift
    task = np.zeros(1500, dtype=np.int64)
    weights = []
    for told in (shift, random.permutation(shift)):
        model = ResponseModel(np.array([0])).fit(edges_of(right.astype(float), task, shift=told))
        weights.append(float(model.parameters.contrast))
    assert weights[0] > 0.7
    assert abs(weights[1]) < 0.2


def test_effects_of_tasks_spread_as_far_as_the_data_show():
    random = np.random.default_rng(5)
    task = np.arange(1500) % 6
    spreads = []
    for scale in (0.0, 0.8):
        effect = scale * random.standard_normal((6, 8))
        right = random.random((1500, 8)) < torch.special.ndtr(torch.as_tensor(effect)).numpy()[task]
        model = ResponseModel(np.zeros(6, dtype=np.int64)).fit(edges_of(right.astype(float), task))
        spreads.append(model.effects["llm_in_task"])
    assert spreads[0] < 0.15
    assert spreads[1] == pytest.approx(0.8, rel=0.3)


def test_an_unsure_gnn_counts_less():
    outcomes = planted(50, 0.0)[0][:, :4]
    shift = np.tile([0.2, -0.2, 0.0, 0.0], (50, 1))
    task = np.zeros(50, dtype=np.int64)
    model = ResponseModel(np.array([0])).fit(edges_of(outcomes, task, shift=shift))
    model.parameters.contrast.fill_(1.0)
    gaps = []
    for spread in (0.0, 0.5):
        expected = model.posterior(edges_of(outcomes, task, shift=shift, spread=spread), own=False)
        gaps.append((expected[:, 0] - expected[:, 1]).mean())
    assert gaps[0] > gaps[1] + 0.05


def test_missing_cells_and_queries_without_a_task_are_ranked_by_what_is_there():
    log, _ = simulate_with_truth(queries=90, tasks=2, llms=4, missing=0.4, seed=5)
    log = replace(
        log,
        queries=log.queries.with_columns(
            task=pl.when(pl.col("query_id") > "simulated-00000080").then(None).otherwise("task")
        ),
    )
    ranked = rank(log, "graph", **{**GRAPH, "gnn": {**QUICK, "steps": 20}})
    assert ranked.height == log.records.height
    assert ranked["score"].is_between(0, 1).all()


def test_of_draws_of_one_llm_the_better_and_then_the_cheaper_comes_first():
    log, _ = simulate_with_truth(queries=60, tasks=2, llms=3, draws=3, seed=6)
    log = replace(log, records=log.records.with_columns(pl.col("performance").clip(0.6, 1.0)))  # all are eligible
    ranked = rank(log, "graph", **{**GRAPH, "gnn": {**QUICK, "steps": 20}})
    assert "draw" in ranked.columns
    rows = ranked.join(log.records, on=["query_id", "llm", "draw"], maintain_order="left")
    for _, own in rows.group_by("query_id", "llm", maintain_order=True):
        keys = list(zip(-own["performance"], own["cost"], strict=True))
        assert own["score"].n_unique() == 1
        assert keys == sorted(keys)


def test_one_llm_or_few_queries_are_refused():
    log, _ = simulate_with_truth(queries=60, tasks=2, llms=3, seed=6)
    with pytest.raises(UserError, match="two LLMs or more"):
        rank(log.take_llms([log.llm_names[0]]), "graph", **GRAPH)
    with pytest.raises(UserError, match="32 differently worded queries or more"):
        rank(log.take(np.arange(5)), "graph", **GRAPH)
    with pytest.raises(UserError, match="2 folds or more"):
        rank(log, "graph", **{**GRAPH, "folds": 1})


def test_the_command_writes_ranks(tmp_path, capsys):
    log, _ = simulate_with_truth(queries=40, tasks=2, llms=3, seed=7)
    folder = log.save(tmp_path / "log")
    for name, read in (("ranks.parquet", pl.read_parquet), ("ranks.csv", pl.read_csv)):
        assert main(["rank", str(folder), "--ranking", "performance", "--out", str(tmp_path / name), "--quiet"]) == 0
        assert read(tmp_path / name).height == 120
    assert "120 responses ranked by performance" in capsys.readouterr().err
    words = ["folds=2", *(f"gnn.{key}={value}" for key, value in {**QUICK, "steps": 20}.items())]
    out = tmp_path / "graph.parquet"
    assert main(["rank", str(folder), "--out", str(out), "--encoder", "tfidf:8", "--quiet", *words]) == 0
    assert pl.read_parquet(out)["score"].is_between(0, 1).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ranking", "judge", "--out", "r.csv"], "needs judge scores"),
        (["--ranking", "grap", "--out", "r.csv"], "did you mean 'graph'"),
        (["--ranking", "performance", "--out", "r.txt"], "must end in .parquet or .csv"),
        (["--ranking", "performance", "--out", "r.csv", "rihgt=1"], "did you mean 'right'"),
        (["--ranking", "graph", "--out", "r.csv", "gnn.hiden=1", "--encoder", "tfidf:4"], "hidden"),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, monkeypatch, capsys, words, message):
    log, _ = simulate_with_truth(queries=60, tasks=2, llms=3, seed=7)
    folder = log.save(tmp_path / "log")
    monkeypatch.chdir(tmp_path)
    assert main(["rank", str(folder), "--quiet", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "r.csv").exists()
