import numpy as np
import polars as pl
import pytest

from graphrouter.costs import estimate_cost
from graphrouter.inspection import inspect_log
from graphrouter.log import LLMLog, load_log
from graphrouter.simulate import simulate

NAN = float("nan")


def make_log(performance: list[list[float]], tasks: list[str | None], **changes) -> LLMLog:
    """One query per row and one LLM per column (``m0, m1, ...``); NaN is a missing cell."""
    matrix = np.array(performance)
    row, column = np.nonzero(~np.isnan(matrix))
    ids = [f"q{number:02d}" for number in range(len(matrix))]
    queries = {"query_id": ids, "task": tasks, "query": [f"text {number}" for number in range(len(matrix))]}
    records = {
        "query_id": [ids[place] for place in row],
        "llm": [f"m{place}" for place in column],
        "performance": matrix[row, column],
    }
    llms = {"llm": [f"m{place}" for place in range(matrix.shape[1])]}
    frames = {"queries": queries, "llms": llms, "records": records}
    return LLMLog("tiny", **{name: pl.DataFrame(columns | changes.get(name, {})) for name, columns in frames.items()})


@pytest.fixture
def tiny() -> LLMLog:
    """Five scored queries of two tasks and one without a record; m0 is best at s, m2 at t, m1 has gaps."""
    performance = [
        [1.0, 1.0, 1.0],
        [1.0, NAN, 0.0],
        [0.0, 0.0, 0.0],
        [0.0, 0.5, 1.0],
        [NAN, NAN, NAN],
        [0.25, 0.5, 0.5],
    ]
    texts = ["one", "two", "three", "ONE ", "five", "six"]
    cost = [0.1, 0.2, 0.3, 0.1, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3]
    return make_log(performance, ["s", "s", "t", "t", "t", "t"], queries={"query": texts}, records={"cost": cost})


def test_figures_by_hand(tiny):
    found = inspect_log(tiny)
    assert found.counts == {
        "queries": 6,
        "scored queries": 5,
        "queries that repeat the text of another": 1,
        "tasks": 2,
        "domains": 0,
        "LLMs": 3,
        "records": 14,
    }
    assert found.density == pytest.approx(14 / 15)
    assert found.draws == (1, 1)
    assert (found.noise.all_solve.value, found.noise.none_solves.value) == pytest.approx((1 / 8, 1 / 4))
    assert found.ties == pytest.approx(3 / 5)
    assert found.reference == pytest.approx(
        {
            "random": (1 + 0.5 + 0 + 0.5 + 1.25 / 3) / 5,
            "best single": 0.5,
            "best per task": (2 * 1.0 + 3 * 0.5) / 5,
            "oracle": (1 + 1 + 0 + 1 + 0.5) / 5,
        }
    )


def test_tables_by_hand(tiny):
    found = inspect_log(tiny)
    assert found.llms["llm"].to_list() == ["m1", "m2", "m0"]
    assert found.llms["missing"].to_list() == [0.2, 0, 0]
    np.testing.assert_allclose(found.llms["performance"], [0.5, 0.5, 0.45])
    np.testing.assert_allclose(found.llms["cost"], [0.2, 0.3, 0.1])
    tasks = found.tasks.select("task", "queries", "scored", "best_llm", "best").rows()
    assert tasks == [("s", 2, 2, "m0", 1.0), ("t", 4, 3, "m2", 0.5)]
    np.testing.assert_allclose(found.tasks["missing"], [1 / 6, 0])
    np.testing.assert_allclose(found.tasks["performance"], [4 / 5, 2.75 / 9])
    np.testing.assert_allclose(found.performance, [[1, 1 / 3], [0.5, 0.5], [1, 0.25 / 3]])


def test_llms_are_ordered_by_performance_with_those_without_records_last():
    found = inspect_log(make_log([[0.1, NAN, 0.7], [0.2, NAN, 0.9]], ["t", "t"]))
    assert found.llms["llm"].to_list() == ["m2", "m0", "m1"]
    assert found.performance[:2, 0] == pytest.approx([0.8, 0.15])
    assert any("m1 has no record" in line for line in found.suspicious)


def test_draws_are_counted_and_averaged():
    found = inspect_log(simulate(40, llms=3, draws=4))
    assert found.draws == (4, 4)
    assert found.counts["records"] == 480


def test_text_shows_figures_and_says_that_best_figures_are_upper_ones(tiny):
    text = inspect_log(tiny).text()
    for piece in ("tiny\n", "best single 0.500", "upper figures", "oracle 0.700", "LLMs tie for the best 0.600"):
        assert piece in text
    assert "simulated" not in text
    assert "estimated" not in text


def test_text_says_simulated_and_estimated():
    log = simulate(30, llms=2)
    bare = LLMLog("bare", log.queries, log.llms.drop("input_price"), log.records.drop("cost"), simulated=True)
    assert "simulated: its records are simulated\n" in inspect_log(log).text()
    assert "its records are simulated and its costs are estimated" in inspect_log(estimate_cost(bare)).text()


def test_a_log_without_tasks_and_costs_can_be_inspected():
    found = inspect_log(make_log([[0.0, 1.0], [1.0, 0.0]], [None, None]))
    assert found.tasks["task"].to_list() == ["(no task)"]
    assert found.reference["best per task"] == 0.5
    assert "(no task)" in found.text()


def suspicious(performance: np.ndarray, tasks: list[str] | None = None, **changes) -> str:
    return "\n".join(
        inspect_log(make_log(performance.tolist(), tasks or ["t"] * len(performance), **changes)).suspicious
    )


@pytest.fixture
def outcomes() -> np.ndarray:
    """[40, 3] outcomes with nothing odd about them."""
    return np.random.default_rng(0).integers(0, 2, (40, 3)).astype(float)


def test_nothing_is_made_of_ordinary_outcomes(outcomes):
    known = ("no value in", "luck of the draw")  # these outcomes are coins
    assert [line for line in suspicious(outcomes).split("\n") if not any(word in line for word in known)] == []


def test_constant_performance_is_found(outcomes):
    outcomes[:, 1] = 0.25
    assert "m1 has the performance 0.25 in all its 40 cells" in suspicious(outcomes)
    outcomes[20:] = 1.0
    assert "task u has the performance 1 in all its 60 cells" in suspicious(outcomes, ["t"] * 20 + ["u"] * 20)


def test_copies_are_found(outcomes):
    outcomes[3, 2] = NAN
    outcomes[:, 0] = outcomes[:, 2]
    assert "m2 has the same performance as m0 in every cell" in suspicious(outcomes)


def test_a_leak_is_found_and_a_mere_hint_is_not(outcomes):
    flat = outcomes.flatten()
    assert "score_again correlates with performance by 1.0000" in suspicious(
        outcomes, records={"score_again": 3 * flat + 1}
    )
    assert "lost correlates with performance by -1.0000" in suspicious(outcomes, records={"lost": 1 - flat})
    assert "hint" not in suspicious(outcomes, records={"hint": flat + np.linspace(0, 1, len(flat))})


def test_failed_parsing_is_found_and_a_weak_llm_is_not():
    every = np.arange(90)
    performance = np.stack([every % 10 < 7, every % 10 < 2, every % 3 > 0], axis=1).astype(float)
    performance[:30, 0] = 0
    found = suspicious(performance, ["a"] * 30 + ["b"] * 30 + ["c"] * 30)
    assert "m0 has 0.000 on a (median LLM" in found
    assert "m1 has" not in found


def test_little_to_gain_is_said_where_the_noise_budget_says_so(outcomes):
    one_best = np.stack([np.ones(400), np.arange(400) % 2, np.zeros(400)], axis=1)
    one_best[:3, 0] = 0
    found = suspicious(one_best)
    assert "routing has little to gain: even the oracle" in found
    assert "above the best single LLM" in found
    many = np.tile(outcomes, (20, 1))
    found = suspicious(many)
    assert "all that the oracle gains may be luck of the draw" in found
    by_task = np.stack([np.arange(800) < 400, np.arange(800) >= 400], axis=1).astype(float)
    found = suspicious(by_task, ["s"] * 400 + ["t"] * 400)
    assert "little to gain" not in found
    assert "luck of the draw" not in found


def test_the_noise_budget_is_shown_by_task():
    text = inspect_log(simulate(120, tasks=3, llms=3, draws=3)).text()
    assert "Noise budget\n  No LLM solves" in text
    header = text.split("Noise budget by task\n")[1].split("\n")[0].split("  ")
    assert {"none solve", "luck up to"} <= set(header)
    assert "luck up to" not in inspect_log(simulate(120, tasks=3, llms=3)).text()


def test_free_records_empty_responses_and_empty_columns_are_found(outcomes):
    places = np.arange(120)
    chars = np.where(places % 3 == 1, 0, 50)
    assert "40 responses are empty, most of them (40) by m1" in suspicious(outcomes, records={"response_chars": chars})
    assert "cost is 0 in every record" in suspicious(outcomes, records={"cost": np.zeros(120)})
    assert "m2 has cost 0 in all its records" in suspicious(outcomes, records={"cost": (places % 3 != 2).astype(float)})
    assert "records: no value in judge_score, input_tokens, output_tokens, cost, response_chars" in suspicious(outcomes)


def test_odd_queries_are_found(outcomes):
    outcomes[5] = NAN
    texts = ["same", "Same "] + [f"text {number}" for number in range(38)]
    found = suspicious(outcomes, ["t"] * 39 + ["lonely"], queries={"query": texts})
    assert "1 queries have no record, first 'q05'" in found
    assert "2 queries share their text with another, first 'q00'" in found
    assert "task lonely has 1 differently worded query" in found
    assert "there is one LLM only, 'm0'" in suspicious(outcomes[:5, :1])


def test_constant_tokens_are_found(outcomes):
    texts = [f"text {'x' * number}" for number in range(40)]
    places = np.arange(120)
    counts = {"input_tokens": np.full(120, 40), "output_tokens": np.full(120, 3)}
    found = suspicious(outcomes, queries={"query": texts}, records=counts)
    assert "input_tokens is 40 in all its 120 records although queries differ in length" in found
    assert "output_tokens is" not in found  # one letter may be all that was asked for
    found = suspicious(outcomes, records=counts | {"response_chars": 5 + places % 7})
    assert "output_tokens is 3 in all its 120 records although responses differ in length" in found
    one = {"input_tokens": np.where(places % 3 == 1, 7, 10 + places % 9)}
    found = suspicious(outcomes, queries={"query": texts}, records=one)
    assert "m1 has input_tokens 7 in all its 40 records" in found
    assert "m0 has input_tokens" not in found
    assert "input_tokens is" not in suspicious(outcomes, queries={"query": ["a", "b"] * 20}, records=counts)


@pytest.mark.parametrize(("kept", "said"), [(1, True), (3, True), (4, False), (6, False)])
def test_many_missing_outcomes_are_found(kept, said):
    performance = np.full((30, 6), NAN)
    for row in range(30):
        performance[row, [(row + step) % 6 for step in range(kept)]] = row % 2
    found = suspicious(performance)
    line = f"30 of 30 scored queries have outcomes of half of the 6 LLMs or fewer (the median query has {kept})"
    assert (line in found) == said


@pytest.mark.parametrize("twin", ["m0 ", " m0", "M0", "m\xa00", "ｍ0", "m0\u200b"])
def test_names_that_differ_in_white_space_are_found(outcomes, twin):
    names = {"llm": ["m0", twin, "m2"]}
    rows = [names["llm"][place % 3] for place in range(120)]
    found = suspicious(outcomes, llms=names, records={"llm": rows})
    assert "differ in case, width or white space only" in found
    assert f"{'m0'!r}" in found
    tasks = suspicious(outcomes, ["t"] * 20 + ["t "] * 20)
    assert "tasks 't', 't ' differ in case, width or white space only" in tasks
    assert "differ in case" not in suspicious(outcomes, ["t"] * 20 + ["u"] * 20)


def test_wordings_that_differ_in_white_space_are_found(outcomes):
    texts = ["Same?", "same ?", "twin", "twin"] + [f"text {number}" for number in range(36)]
    found = suspicious(outcomes, queries={"query": texts})
    assert "4 queries share their text with another" in found
    assert "1 texts are spelled in several ways" in found
    assert "spelled" not in suspicious(outcomes, queries={"query": ["twin"] * 2 + texts[4:] + ["a", "b"]})


@pytest.mark.parametrize(
    ("table", "column", "meant"),
    [
        ("records", "costs", "cost"),
        ("records", "Cost", "cost"),
        ("records", "cost_usd", "cost"),
        ("records", "input_token", "input_tokens"),
        ("records", "output-tokens", "output_tokens"),
        ("llms", "size_B", "size_b"),
        ("queries", "domains", "domain"),
        ("records", "latency", None),
        ("queries", "style", None),
    ],
)
def test_a_misspelt_column_is_found(outcomes, table, column, meant):
    rows = {"records": 120, "llms": 3, "queries": 40}[table]
    found = suspicious(outcomes, **{table: {column: np.arange(rows) % 5}})
    line = f"{table}: a column {column} is not read; did you mean {meant}?"
    assert (line in found) if meant else ("is not read" not in found)


def test_a_column_beside_the_one_that_is_read_is_no_misspelling(outcomes):
    both = {"cost": np.arange(120) / 100, "costs": np.arange(120) / 100}
    assert "is not read" not in suspicious(outcomes, records=both)


def test_near_duplicates_are_measured():
    template = "A farmer has {} sheep and buys six more at the market on a rainy Tuesday. How many sheep has she now?"
    alike = [template.format(n) for n in range(10, 50)]
    rng = np.random.default_rng(0)
    unlike = [" ".join("".join(rng.choice(list("abcdefghij"), 7)) for _ in range(12)) for _ in range(160)]
    log = make_log([[0.0, 1.0]] * 200, ["t"] * 200, queries={"query": alike + unlike})
    share = inspect_log(log).near_duplicates
    assert share == pytest.approx(0.2, abs=0.1)
    assert inspect_log(make_log([[0.0, 1.0]] * 160, ["t"] * 160, queries={"query": unlike})).near_duplicates == 0
    assert np.isnan(inspect_log(make_log([[0.0, 1.0]] * 2, ["t"] * 2)).near_duplicates)
    assert "Near-duplicates of training queries" in inspect_log(log).text()


def test_names_cannot_change_the_terminal(outcomes):
    odd = ["m0\x1b[2J", "m1\x07", "m2\x00"]
    rows = [odd[place % 3] for place in range(120)]
    columns = {"llm": rows, "\x1b]0;title": np.ones(120), "no\x1b": [None] * 120}
    log = make_log(outcomes.tolist(), ["t\x1b[31m"] * 20 + ["t"] * 20, llms={"llm": odd}, records=columns)
    text = inspect_log(log).text()
    assert "m0\\x1b[2J" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_tasks_that_differ_in_a_nul_or_are_called_as_a_column_are_kept_apart(outcomes):
    tasks = ["a"] * 10 + ["a\x00"] * 10 + ["llm"] * 10 + ["cost"] * 10
    found = inspect_log(make_log(outcomes.tolist(), tasks))
    assert found.tasks.select("task", "queries").rows() == [("a", 10), ("a\x00", 10), ("cost", 10), ("llm", 10)]
    np.testing.assert_allclose(found.performance[:, 3].mean(), outcomes[20:30].mean())
    header, first, *_ = found.text().split("Performance per LLM and task\n")[1].split("\n")
    assert header.split() == ["llm", "a", "a\\x00", "cost", "llm"]
    assert first.split()[0] == found.llms["llm"][0]
    assert first.split()[3] == f"{found.performance[0, 2]:.3f}"


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "random", "single", "task", "oracle"),
    [
        ("mmlu_pro", 0.404, 0.701, 0.721, 0.946),
        ("fasteval", 0.309, 0.721, 0.721, 0.859),
        ("zeroeval", 0.673, 0.938, 0.941, 0.983),
        ("alpaca_eval", 0.116, 0.705, 0.711, 0.865),
        ("llm_cascades", 0.705, 0.845, 0.851, 0.962),
        ("routeprofile", 0.538, 0.612, 0.672, 0.757),
        ("routerbench", 0.678, 0.880, 0.880, 0.976),
        ("llmrouter", 0.424, 0.617, 0.664, 0.797),
        ("routerdc", 0.541, 0.566, 0.613, 0.821),
        ("routellm", 0.744, 0.811, 0.811, 0.865),
    ],
)
def test_real_logs_are_inspected(real_data, name, random, single, task, oracle):
    found = inspect_log(load_log(real_data / name))
    np.testing.assert_allclose(list(found.reference.values()), [random, single, task, oracle], atol=6e-4)
    assert found.text().startswith(f"{name}\n")


@pytest.mark.real_data
def test_the_llm_whose_answers_could_not_be_parsed_is_found(real_data):
    found = "\n".join(inspect_log(load_log(real_data / "llmrouter")).suspicious)
    assert "0.002 on mmlu" in found
    assert "144 queries share their text" in found
