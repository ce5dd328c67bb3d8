import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from graphrouter.formats.samples import split_samples
from graphrouter.log import LLMLog, load_log
from graphrouter.noise import NoiseBudget, clopper_pearson, noise_budget
from graphrouter.simulate import simulate_with_truth

NAN = float("nan")


def log_of(performance: np.ndarray, tasks: list[str] | None = None, texts: list[str] | None = None) -> LLMLog:
    """Log of performance [Q, M] or [Q, M, draws]; NaN is a missing record."""
    cells = performance[..., None] if performance.ndim == 2 else performance
    ids = [f"q{number:05d}" for number in range(len(cells))]
    row, column, draw = np.nonzero(~np.isnan(cells))
    queries = {"query_id": ids, "task": tasks or ["t"] * len(ids), "query": texts or ids}
    records = {"query_id": [ids[q] for q in row], "llm": [f"m{m}" for m in column], "draw": draw}
    records["performance"] = cells[row, column, draw]
    llms = {"llm": [f"m{m}" for m in range(cells.shape[1])]}
    return LLMLog("tiny", pl.DataFrame(queries), pl.DataFrame(llms), pl.DataFrame(records))


def test_clopper_pearson_is_that_of_the_tables():
    assert clopper_pearson(0, 10) == pytest.approx((0, 0, 0.3085), abs=1e-4)  # 1 - 0.025^(1/10)
    assert clopper_pearson(10, 10) == pytest.approx((1, 0.6915, 1), abs=1e-4)
    assert clopper_pearson(3, 10) == pytest.approx((0.3, 0.0667, 0.6525), abs=1e-4)


def test_clopper_pearson_holds_the_share_at_least_as_often_as_it_says():
    counts = np.random.default_rng(0).binomial(60, 0.05, size=2000)
    spans = {count: clopper_pearson(float(count), 60) for count in np.unique(counts)}
    assert np.mean([spans[count].low <= 0.05 <= spans[count].high for count in counts]) >= 0.95


def test_the_shares_of_solved_queries_by_hand():
    performance = np.array([[0.0, 0.4], [0.5, 0.4], [1.0, 0.5], [1.0, NAN], [NAN, NAN]])
    found = noise_budget(log_of(performance))
    assert found.queries == found.groups == 4
    assert found.none_solves.value == 1 / 4
    assert found.all_solve.value == 2 / 4
    assert found.none_solves == clopper_pearson(1, 4)


def test_queries_of_equal_text_count_once():
    performance = np.array([[0.0, 0.0]] * 3 + [[1.0, 0.0]])
    found = noise_budget(log_of(performance, texts=["same", "Same", "same ", "other"]))
    assert (found.queries, found.groups) == (4, 2)
    assert found.none_solves == clopper_pearson(1, 2)


def test_with_one_draw_the_bound_is_a_choice_by_task_that_has_not_seen_the_query():
    """At s the first LLM is always right, at t the second; each query's own outcome has no part in the choice."""
    performance = np.array([[1.0, 0.0]] * 30 + [[0.0, 1.0]] * 20)
    found = noise_budget(log_of(performance, ["s"] * 30 + ["t"] * 20))
    assert (found.best_single, found.oracle, found.held_out) == pytest.approx((0.6, 1.0, 1.0))
    assert found.luck == (0.0, 0.0)
    lonely = noise_budget(log_of(np.array([[1.0, 0.0], [0.0, 1.0]])))
    assert lonely.held_out == 0.0  # the other query tells of the other LLM
    assert lonely.luck == (0.0, 1.0)


def test_where_queries_are_alike_all_of_the_gain_is_luck_and_draws_show_it():
    """Each of 5 LLMs is right by half, on every query: an oracle of few draws gains much, a router nothing."""
    rng = np.random.default_rng(0)
    one = noise_budget(log_of(rng.integers(0, 2, (2000, 5, 1)).astype(float)))
    assert one.gain > 0.4
    assert one.luck[1] > 0.95
    assert one.one_draw_luck[0] == 0
    ten = noise_budget(log_of(rng.integers(0, 2, (2000, 5, 10)).astype(float)))
    assert ten.luck[1] > 0.9
    assert 0.5 < ten.one_draw_luck[0] < 0.7  # of the gain of 0.47, ten draws take away about 0.29
    assert ten.one_draw_luck[1] > 0.95


def test_where_draws_agree_nothing_is_luck():
    rng = np.random.default_rng(0)
    sure = np.repeat(rng.integers(0, 2, (500, 4, 1)).astype(float), 5, axis=2)
    found = noise_budget(log_of(sure))
    assert found.luck[1] < 0.01
    assert found.one_draw_luck == pytest.approx((0.0, found.luck[1]), abs=1e-9)
    assert noise_budget(log_of(sure[..., :1])).luck[1] > 0.8  # one draw cannot tell


@pytest.mark.parametrize("draws", [1, 2, 10])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_ranges_hold_the_truth_of_simulated_logs(draws, missing):
    lowest, highest = [], []
    for seed in range(4):
        log, truth = simulate_with_truth(1000, 8, 7, missing=missing, draws=draws, seed=seed)
        found = noise_budget(log)
        seen = log.cells("draws") > 0
        ceiling = np.where(seen, truth, -np.inf)[seen.any(axis=1)].max(axis=1).mean()
        # Where LLMs are missing, the ceiling of those that were asked may be below the best single LLM.
        luck = min((found.oracle - ceiling) / found.gain, 1)
        one = min((found.one_draw_oracle - ceiling) / (found.one_draw_oracle - found.best_single), 1)
        assert found.luck[0] <= luck <= found.luck[1]
        assert found.one_draw_luck[0] <= one <= found.one_draw_luck[1]
        lowest.append(found.one_draw_luck[0])
        highest.append(found.luck[1])
    if draws == 10 and not missing:
        assert np.mean(lowest) > 0.35  # of 0.67
        assert np.mean(highest) < 0.8  # of 0.36


def test_more_draws_bound_luck_closer():
    log, _ = simulate_with_truth(1000, 4, 6, draws=10, seed=1)
    few = replace(log, records=log.records.filter(pl.col("draw") < 2))
    more, less = noise_budget(log), noise_budget(few)
    assert more.luck[1] < less.luck[1]
    assert more.one_draw_luck[1] - more.one_draw_luck[0] < less.one_draw_luck[1] - less.one_draw_luck[0]


def test_tasks_have_budgets_of_their_own():
    performance = np.array([[1.0, 1.0]] * 10 + [[0.0, 0.0]] * 10 + [[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 5)
    found = noise_budget(log_of(performance, ["easy"] * 10 + ["hard"] * 10 + ["split"] * 10))
    assert list(found.tasks) == ["easy", "hard", "split"]
    assert found.tasks["easy"].all_solve.value == found.tasks["hard"].none_solves.value == 1
    assert found.tasks["split"].gain == 0.5
    assert np.isnan(found.tasks["hard"].luck).all()  # nothing is gained there
    assert noise_budget(log_of(performance)).tasks == {}


def test_row_order_does_not_matter_and_the_record_is_whole():
    log, _ = simulate_with_truth(200, 3, 4, draws=3, seed=2)
    turned = LLMLog("turned", log.queries[::-1], log.llms[::-1], log.records[::-1])
    found = noise_budget(log)
    assert noise_budget(turned) == found
    assert NoiseBudget.from_about(json.loads(json.dumps(found.about(), allow_nan=False))) == found


def test_one_llm_alone_has_nothing_to_gain():
    found = noise_budget(log_of(np.array([[1.0], [0.0]])))
    assert np.isnan(found.luck).all()
    assert len(list(found.sentences())) == 1


def test_the_words_say_what_draws_can_tell():
    single, _ = simulate_with_truth(200, 2, 4, seed=0)
    assert "One draw per cell bounds it no further" in " ".join(noise_budget(single).sentences())
    several, _ = simulate_with_truth(200, 2, 4, draws=4, seed=0)
    said = " ".join(noise_budget(several).sentences())
    assert "is luck" in said
    assert "One draw per cell bounds" not in said


@pytest.mark.real_data
def test_ten_recorded_draws_tell_that_most_of_what_an_oracle_gains_is_no_luck(real_data):
    tasks = ("gsm8k", "humaneval", "mbpp")
    log = load_log(real_data / "routerdc")
    found = noise_budget(split_samples(log, dict.fromkeys(tasks, 10)))
    for task in tasks:
        assert found.tasks[task].luck[1] < 0.25
        assert 0.05 < found.tasks[task].one_draw_luck[0] < found.tasks[task].one_draw_luck[1] < 0.45
    assert found.tasks["mmlu"].luck[1] == pytest.approx(1)  # one draw
    assert found.none_solves == noise_budget(log).none_solves
