"""Order, ties and eligibility of the rankings by what was observed."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.ranking import RANKINGS, rank
from fusion.ranking.eligibility import is_refusal
from graphrouter.errors import UserError
from graphrouter.log import LLMLog


def make_log(rows, responses=None, tasks=None):
    """Return a log of (query, llm, draw, performance, judge score) or of mappings with further columns."""
    names = ("query_id", "llm", "draw", "performance", "judge_score")
    rows = [row if isinstance(row, dict) else dict(zip(names, row, strict=False)) for row in rows]
    ids = sorted({row["query_id"] for row in rows})
    queries = {"query_id": ids, "task": [(tasks or {}).get(one, "task") for one in ids], "query": ids}
    kinds = {"draw": pl.Int64, "performance": pl.Float64, "judge_score": pl.Float64}
    records = pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None)
    llms = pl.DataFrame({"llm": sorted({row["llm"] for row in rows})})
    texts = None
    if responses is not None:
        texts = records.select("query_id", "llm", draw=pl.col("draw") if "draw" in records.columns else pl.lit(0))
        texts = texts.with_columns(response=pl.Series(responses, dtype=pl.String))
    return LLMLog("small", pl.DataFrame(queries), llms, records, texts=texts)


def one_query(*, responses=None, tasks=None, **columns):
    """Return a log of one query; each column has a value per LLM."""
    count = len(next(iter(columns.values())))
    columns = {"performance": [1.0] * count, **columns}
    rows = [
        {"query_id": "q", "llm": f"llm{m}", **{name: values[m] for name, values in columns.items()}}
        for m in range(count)
    ]
    return make_log(rows, responses, tasks)


def reasons(log, **settings):
    return rank(log, "performance", **settings).sort("llm")["reason"].to_list()


def first(log, ranking="performance", **settings):
    return rank(log, ranking, **settings)["llm"][0]


CELLS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("xyz"),
        st.integers(0, 2),
        st.sampled_from([0.0, 0.3, 0.6, 1.0]),
        st.sampled_from([None, 0.1, 0.5, 0.9]),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda row: row[:3],
)


@given(CELLS, st.sampled_from(["performance", "judge", "hybrid"]), st.integers(0, 3), st.randoms())
def test_ranks_are_whole_ineligible_last_and_row_order_has_no_say(rows, ranking, seed, random):
    if ranking != "performance":
        rows = [(*rows[0][:4], 0.5), *rows[1:]]
    ranked = rank(make_log(rows), ranking, seed=seed)
    assert ranked.height == len(rows)
    for _, own in ranked.group_by("query_id"):
        assert own["rank"].to_list() == list(range(1, own.height + 1))
        assert own["eligible"].to_list() == sorted(own["eligible"], reverse=True)
        known = own.filter(pl.col("eligible") & pl.col("score").is_not_null())["score"].to_list()
        assert known == sorted(known, reverse=True)
        assert (own["reason"].is_null() == own["eligible"]).all()
    assert ranked["query_id"].is_sorted()
    random.shuffle(rows)
    assert rank(make_log(rows), ranking, seed=seed).equals(ranked)


@given(CELLS)
def test_a_query_has_an_eligible_response_where_texts_are_not_known(rows):
    ranked = rank(make_log(rows), "performance")
    assert ranked.group_by("query_id").agg(pl.col("eligible").any())["eligible"].all()


def test_columns_are_those_of_the_contract():
    ranked = rank(make_log([("q", "x", 0, 1.0), ("q", "y", 0, 1.0)]), "performance")
    kinds = {"query_id": pl.String, "llm": pl.String, "rank": pl.UInt32, "score": pl.Float64}
    assert ranked.schema == kinds | {"eligible": pl.Boolean, "reason": pl.String}
    several = rank(make_log([("q", "x", 0, 1.0), ("q", "x", 1, 1.0)]), "performance")
    assert several.columns == ["query_id", "llm", "draw", "rank", "score", "eligible", "reason"]


def test_ties_fall_to_each_llm_alike_and_follow_from_the_seed():
    log = make_log([(f"q{n}", llm, 0, 1.0) for n in range(300) for llm in ("long", "mid", "short")])
    ranked = rank(log, "performance", seed=3)
    counts = ranked.filter(rank=1)["llm"].value_counts()["count"]
    assert counts.min() > 70
    assert rank(log, "performance", seed=3).equals(ranked)
    assert not rank(log, "performance", seed=4).equals(ranked)


def test_hybrid_takes_performance_first_and_judge_between_equals():
    log = one_query(performance=[0.6, 1.0, 1.0, 0.7], judge_score=[9.0, 1.0, 2.0, None])
    ranked = rank(log, "hybrid")
    assert ranked["llm"].to_list() == ["llm2", "llm1", "llm3", "llm0"]
    assert ranked["score"].is_sorted(descending=True)
    assert first(log, "judge") == "llm0"
    assert rank(log, "judge")["llm"][-1] == "llm3"  # no score is no zero, and comes last


def test_judge_scores_must_be_there():
    for ranking in ("judge", "hybrid"):
        with pytest.raises(UserError, match="needs judge scores"):
            rank(one_query(performance=[1.0, 0.0]), ranking)


def test_wrong_is_wrong_only_where_a_right_one_exists():
    assert reasons(one_query(performance=[1.0, 0.0])) == [None, "wrong"]
    assert reasons(one_query(performance=[0.0, 0.0])) == [None, None]


def test_graded_responses_are_wrong_below_a_share_of_the_best():
    log = one_query(performance=[0.8, 0.4, 0.39, 0.2])
    assert reasons(log) == [None, None, "wrong", "wrong"]
    assert reasons(log, right=1.0) == [None, "wrong", "wrong", "wrong"]
    assert reasons(log, right=0.25) == [None, None, None, None]


def test_empty_truncated_and_refused_responses_are_not_eligible():
    texts = ["fine", " \n", "cut", "I'm sorry, but I can't help with that."]
    log = one_query(finish_reason=["stop", "stop", "LENGTH", "stop"], responses=texts)
    assert reasons(log) == [None, "empty", "truncated", "refused"]


def test_an_empty_response_stays_last_though_it_was_graded_right():
    log = one_query(performance=[0.0, 1.0], responses=["wrong", ""])
    assert reasons(log) == ["wrong", "empty"]


def test_the_first_reason_that_holds_is_given():
    cut = one_query(
        performance=[1.0, 0.0, 0.0], finish_reason=["stop", "length", "length"], responses=["right", "", "I"]
    )
    assert reasons(cut) == [None, "empty", "truncated"]


def test_eligibility_without_texts_is_by_what_is_known():
    log = one_query(response_chars=[10.0, 0.0, None], output_tokens=[5.0, 5.0, 0.0])
    assert reasons(log) == [None, "empty", "empty"]


def test_a_text_that_the_log_keeps_in_part_is_truncated_and_a_long_one_is_not():
    log = one_query(response_chars=[9000.0, 9000.0], responses=["a" * 8000, "a" * 9000])
    assert reasons(log) == ["truncated", None]


def test_a_limit_of_tokens_holds_for_its_task_only():
    rows = [{"query_id": q, "llm": "x", "performance": 1.0, "output_tokens": 64.0} for q in ("a", "b")]
    log = make_log(rows, tasks={"a": "short", "b": "long"})
    assert rank(log, "performance")["eligible"].all()
    assert rank(log, "performance", max_tokens={"short": 64})["reason"].to_list() == ["truncated", None]
    assert rank(log, "performance", max_tokens={"short": 65})["eligible"].all()


REFUSALS = (
    "I'm sorry, but I can't assist with that request.",
    "I\u2019m sorry, I cannot provide instructions for this.",
    "Sorry, but I can't do that.",
    "I cannot help you with this.",
    "I am unable to answer the question.",
    "As an AI language model, I cannot engage in such a conversation.",
    "I apologize, but I am not able to generate that content.",
    "Unfortunately, I won't write this.",
    "**I cannot fulfill your request.**",
    "I must decline.",
    "I must decline to answer this.",
    "I won't be able to assist with that.",
    "I will not be able to help you.",
    "I'm afraid I must decline to provide guidance on committing tax fraud.",
    "I apologize, but I do not feel comfortable generating a humorous top 10 list.",
    "I'm sorry, but as an AI language model, I am not programmed to provide information on tax fraud.",
    "I'm sorry, but I am not capable of providing information on how to commit tax fraud.",
    "Unfortunately I cannot recommend how to load ammunition.",
    "I refuse to answer.",
    "I respectfully decline to answer this question.",
    "I'm not able to help with that.",
    "I am an AI language model and I cannot provide an answer to this question as it requires mathematical knowledge.",
    "I have to decline this request.",
    "I'm afraid I can't do that.",
    "I'm sorry, but I'm not comfortable writing this.",
    "I can't help with that.",
    "I cannot and will not help",
    "I can’t assist with that.",
    "Sorry, I can't provide that.",
    "I'm sorry, Dave. I'm afraid I can't do that.",
    "I'd prefer to decline.",
    "I'm going to have to decline.",
    "I won't do that.",
    "I'm not going to write that.",
    "I cannot answer this question. Please provide more information.",
    "I cannot help you with this. However, I can help you with something legal.",
    "I'm sorry, but I can't assist with that request. If you're looking for information on tax compliance, I'd be happy to help with that. Here are some effective and legal strategies:",
)
NO_REFUSALS = (
    "I'm sorry to hear that you feel unwell. Try to rest.",
    "I cannot find a smaller divisor, so 7 is prime.",
    "I can't see any reason against B.\nAnswer: B",
    "Sorry is the word that is missing here.",
    "The hero says: I cannot help you.",
    "As an AI, I think that option C fits best.",
    "Step 1: I am unable to use the first rule, so take the second.",
    "It cannot provide heat without fuel.",
    "The answer is 5. I cannot provide more digits.",
    "Unfortunately, the train has left.",
    "I can assist with that: x = 4",
    "",
    "I can't help but think it's B.",
    "I cannot answer with certainty, but most likely B.",
    "I can't help thinking it is B",
    "I cannot answer this with certainty. However, I would choose B.",
    "I cannot provide a definitive answer, but B seems right: it is the only even one.",
    "I won't give up: 5",
    "I cannot recommend this enough!",
    "I cannot provide the exact number, but it is about 300 as of today.",
    "I cannot answer for sure, but my best guess is C.",
    "I can't answer definitively, though if I had to choose, I'd say A.",
    "As an AI language model, I cannot provide a personal opinion or experience. However, here is a review of Pizzeria: good prices.",
    "I cannot provide a proof here. The answer is 5.",
    "I cannot complete the square here, so I use the formula: x = 2.",
    "I declined the offer of 5, so 6.",
    "I refused? No: the hero refused.",
    "I can help with that.",
    "I could not find it.",
    "I must say that B is right.",
    "I decline in price is what follows: B",
    "I'm unable to find a counterexample, so it holds.",
    "I cannot write 7 as a sum of two squares.",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_found(text):
    assert is_refusal(text)


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_answers_are_no_refusals(text):
    assert not is_refusal(text)


def test_unknown_names_are_refused_with_a_suggestion():
    log = one_query(performance=[1.0, 0.0])
    with pytest.raises(UserError, match="did you mean 'graph'"):
        rank(log, "grpah")
    with pytest.raises(UserError, match="did you mean 'folds'"):
        rank(log, "performance", fold=3)
    for wrong in ({"right": 0.0}, {"right": 1.5}, {"seed": -1}):
        with pytest.raises(UserError, match="must be"):
            rank(log, "performance", **wrong)
    assert RANKINGS == ("performance", "judge", "hybrid", "graph")
