import random
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selection_logs import inputs, make_log, rows

from fusion.selection import RULES, make_settings
from fusion.selection.choice import best, fewer_of_easy, not_too_easy, not_too_hard, within_budget, within_share
from fusion.selection.decontamination import near, no_near_vector, no_shared_ngram, shares_ngram
from fusion.selection.eligibility import answered, complete, from_llms, loops, right, unrefused
from fusion.selection.responses import of_usual_length, without_duplicates
from fusion.selection.rules import SelectionRule, chosen_rules, run
from fusion.selection.settings import SelectionSettings
from fusion.selection.texts import alike, shingles, words
from graphrouter.errors import UserError
from graphrouter.log import LLMLog

PROSE = [
    "the",
    "old",
    "mill",
    "stands",
    "where",
    "two",
    "rivers",
    "meet",
    "and",
    "its",
    "wheel",
    "still",
    "turns",
    "every",
    "spring",
    "when",
    "snow",
    "melts",
]


def kept(rule, frame, **settings):
    return sorted(rule(frame, inputs(**settings))["query_id"])


class TestOneResponse:
    def test_a_record_without_text_is_dropped(self):
        frame = rows({"response": "yes"}, {"response": None}, {"response": ""})
        assert kept(answered, frame) == ["q000"]

    def test_a_refusal_is_dropped_and_a_wrong_one_is_not_called_one(self):
        frame = rows({}, {"reason": "refused"}, {"reason": "wrong"})
        assert kept(unrefused, frame) == ["q000", "q002"]

    def test_what_is_cut_or_goes_on_to_a_new_question_is_dropped(self):
        asks = "It is 4.\n\nQuestion: What is 3 + 3?"
        names = "Question: what is 2 + 2?\nIt is 4."
        frame = rows(
            {}, {"reason": "truncated"}, {"response": asks}, {"response": names}, {"response": "a\n**User:** b"}
        )
        assert kept(complete, frame) == ["q000", "q003"]

    def test_a_long_response_that_does_not_repeat_itself_is_complete(self):
        frame = rows({"response": " ".join(f"{word} {n}" for n, word in enumerate(PROSE * 4))})
        assert kept(complete, frame) == ["q000"]

    @given(st.text("abc =(", min_size=1, max_size=60), st.text(max_size=50))
    def test_a_part_that_repeats_to_the_end_is_a_loop(self, part, before):
        assert loops(before + part * (300 // len(part) + 1))

    def test_a_list_of_similar_lines_is_no_loop(self):
        assert not loops("\n".join(f"Step {n}: add {n} to the sum and carry on" for n in range(40)))
        assert not loops("ab" * 50)  # too short to tell

    @pytest.mark.parametrize(("least", "expected"), [(0.5, ["q000", "q001"]), (0.9, ["q000"])])
    def test_a_right_response_is_one_of_enough_performance(self, least, expected):
        frame = rows({"performance": 1.0}, {"performance": 0.5}, {"performance": 0.49})
        assert kept(right, frame, right=least) == expected


class TestLLMs:
    frame = rows({"llm": "ada"}, {"llm": "bob"}, {"llm": "cyd"})

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({}, [0, 1, 2]),
            ({"llms": ["b*", "ad?"]}, [0, 1]),
            ({"without_llms": ["*d*"]}, [1]),
            ({"max_size": 7.0}, [1]),  # the size of cyd is unknown
            ({"max_size": 70.0}, [0, 1]),
            ({"styles": ["Reasoning"]}, [2]),
            ({"llms": ["ada", "bob"], "max_size": 10.0}, [1]),
        ],
    )
    def test_filters(self, settings, expected):
        assert kept(from_llms, self.frame, **settings) == [f"q{n:03d}" for n in expected]

    def test_a_licence_that_is_not_known_is_not_among_those_asked_for(self):
        log = make_log()
        licences = pl.Series("licence", ["MIT", "llama3", None])
        licensed = LLMLog("tiny", log.queries, log.llms.with_columns(licences), log.records, texts=log.texts)
        assert kept(from_llms, self.frame, log=licensed, licences=["mit"]) == ["q000"]

    def test_a_log_without_licences_is_an_error(self):
        with pytest.raises(UserError, match="needs the column 'licence'"):
            kept(from_llms, self.frame, licences=["mit"])

    def test_a_pattern_that_names_no_llm_is_an_error(self):
        with pytest.raises(UserError, match="'bop' names none; did you mean 'bob'"):
            kept(from_llms, self.frame, llms=["bop"])

    def test_the_ground_truth_comes_from_no_llm(self):
        assert kept(from_llms, rows({"llm": "ground_truth"}), llms=["ada"]) == ["q000"]


class TestNgrams:
    def shared(self, text, *evaluation):
        return bool(shares_ngram([text], evaluation, 13)[0])

    def test_thirteen_words_in_a_row_are_a_copy_and_twelve_are_not(self):
        evaluation = " ".join(PROSE)
        assert self.shared(f"Look: {' '.join(PROSE[2:15])} again and more", evaluation)
        assert not self.shared(f"Look: {' '.join(PROSE[2:14])} again and more", evaluation)

    def test_case_and_punctuation_do_not_hide_a_copy(self):
        assert self.shared(", ".join(PROSE).upper(), " ".join(PROSE))

    def test_a_short_evaluation_query_must_occur_whole(self):
        eight = " ".join(PROSE[:8])
        assert self.shared(f"Please help me. {eight}?", eight)
        assert not self.shared(f"Please help me. {' '.join(PROSE[:7])} or not?", eight)

    def test_a_very_short_one_must_be_the_query(self):
        assert self.shared("What is 4 * 5?", "what is 4 * 5")
        assert not self.shared("Please: what is 4 * 5?", "what is 4 * 5")

    def test_signs_of_arithmetic_count(self):
        assert not self.shared("What is 4 + 5?", "What is 4 * 5?")

    @pytest.mark.parametrize(("copies", "expected"), [(9, True), (10, False)])
    def test_a_run_that_many_queries_share_is_the_wording_of_a_prompt(self, copies, expected):
        prompt = " ".join(PROSE[:13])
        texts = [f"{prompt} topic {n}" for n in range(copies)]
        assert shares_ngram(texts, [f"{prompt} other"], 13).tolist() == [expected] * copies
        assert shares_ngram([f"{prompt} other"], texts, 13).tolist() == [expected]

    def test_the_wording_of_a_prompt_is_not_half_of_a_run(self):
        prompt = " ".join(PROSE[:12])
        others = [f"{prompt} topic {n} in other words than before" for n in range(10)]
        question = "one two three four five six seven eight nine"
        assert not self.shared(f"{prompt} one two three and so on", *others, f"{prompt} {question}")
        assert self.shared(f"{prompt} {question}", *others, f"{prompt} {question}")
        assert self.shared(f"see: {question}", *others, f"{prompt} {question}")

    def test_a_run_may_go_on_behind_the_wording_of_a_prompt(self):
        prompt = " ".join(PROSE[:12])
        others = [f"{prompt} topic {n} in other words than before" for n in range(10)]
        question = f"one two three four five {prompt} six seven eight nine"
        assert self.shared(f"look {question}", *others, question)

    def test_copies_of_one_wording_are_no_prompt(self):
        text = " ".join(PROSE)
        assert shares_ngram([*[text] * 12, f"see {text}"], [text], 13).all()

    def test_a_query_of_nothing_but_common_wording_is_compared_whole(self):
        prompt = " ".join(PROSE[:12])
        others = [f"{prompt} {n}" for n in range(12)]
        assert shares_ngram([f"{prompt} 3", f"{prompt} 99", prompt], others, 13).tolist() == [True, False, False]

    def test_the_rule_looks_at_the_test_part_and_at_further_logs(self, tmp_path):
        log = make_log()
        here = inputs(log)
        test, train = (
            log.queries["query"][int(part[0])] for part in (here.prepared.split.test, here.prepared.split.train)
        )
        frame = rows({"query": test}, {"query": train})
        assert kept(no_shared_ngram, frame) == ["q001"]
        folder = str(log.save(tmp_path / "log"))
        assert kept(no_shared_ngram, frame, against=[folder]) == []


class TestVectors:
    def test_a_close_query_with_the_same_numbers_is_a_copy(self):
        vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
        texts = ["add 4 to 5", "add 4 to 6", "add 4 to 5"]
        assert near(vectors, vectors[:1], texts, ["5 and 4 make"], 0.95).tolist() == [True, False, False]

    def test_the_rule_compares_with_the_test_part(self):
        log = make_log()
        here = inputs(log, similarity=0.999)
        ids = log.queries["query_id"].gather([here.prepared.split.train[0], here.prepared.split.test[0]]).to_list()
        texts = dict(log.queries.select("query_id", "query").iter_rows())
        frame = rows(*({"query_id": query_id, "query": texts[query_id]} for query_id in ids))
        assert no_near_vector(frame, here)["query_id"].to_list() == ids[:1]


class TestDifficulty:
    frame = rows({"solved": 1.0}, {"solved": 0.95}, {"solved": 0.1}, {"solved": 0.05})

    def test_a_query_that_all_solve_is_too_easy(self):
        assert kept(not_too_easy, self.frame) == ["q001", "q002", "q003"]
        assert kept(not_too_easy, self.frame, easy=0.9) == ["q002", "q003"]

    def test_the_graph_is_never_sure_that_all_solve_a_query(self):
        frame = rows({"solved": 0.98}, {"solved": 0.96})
        assert kept(not_too_easy, frame, ranking="graph") == ["q001"]
        assert kept(not_too_easy, frame, ranking="graph", difficulty="observed") == ["q000", "q001"]

    def test_a_query_that_hardly_any_solves_is_too_hard(self):
        assert kept(not_too_hard, self.frame) == ["q000", "q001", "q002"]

    def test_an_easy_query_keeps_fewer_responses_than_a_hard_one(self):
        shares = {"a": 0.95, "b": 0.6, "c": 0.1}
        given = [{"query_id": q, "rank": rank, "solved": s} for q, s in shares.items() for rank in range(1, 6)]
        thinned = fewer_of_easy(rows(*given), inputs(top_k=5))
        ranks = thinned.group_by("query_id").agg("rank").sort("query_id")["rank"].to_list()
        assert ranks == [[1], [1, 2], [1, 2, 3, 4, 5]]


class TestLength:
    def test_verbose_and_terse_responses_are_dropped_by_the_middle_half_of_their_task(self):
        sizes = {"sums": [24, 26, 100, 100, 100, 100, 100, 149, 151], "totals": [1000, 1000, 1000]}
        given = [{"task": task, "response": "x" * size} for task, sizes in sizes.items() for size in sizes]
        usual = of_usual_length(rows(*given), inputs(shortest=0.25, longest=1.5))
        assert sorted(usual["chars"]) == [26, 100, 100, 100, 100, 100, 149, 1000, 1000, 1000]

    def test_a_task_may_have_short_and_reasoned_answers(self):
        given = [{"response": "x" * size} for size in [3] * 4 + [90] * 4]
        assert of_usual_length(rows(*given), inputs()).height == 8

    def test_a_hard_query_may_have_long_answers(self):
        easy = [{"response": "x" * 100} for _ in range(20)]
        hard = [{"query_id": "hard", "llm": str(n), "response": "x" * 400} for n in range(5)]
        assert of_usual_length(rows(*easy, *hard), inputs()).height == 25
        assert of_usual_length(rows(*easy, *hard[:4]), inputs()).height == 20


class TestDuplicates:
    def test_the_best_ranked_of_nearly_equal_responses_stays(self):
        text = " ".join(PROSE)
        given = [
            {"query_id": "q", "llm": "ada", "rank": 2, "response": text},
            {"query_id": "q", "llm": "bob", "rank": 1, "response": text.upper() + "!"},
            {"query_id": "q", "llm": "cyd", "rank": 3, "response": text.replace("snow melts", "rain falls again")},
            {"query_id": "other", "llm": "ada", "rank": 1, "response": text},
        ]
        left = without_duplicates(rows(*given), inputs(overlap=0.9))
        assert sorted(zip(left["query_id"], left["llm"], strict=True)) == [("other", "ada"), ("q", "bob"), ("q", "cyd")]
        assert without_duplicates(rows(*given), inputs(overlap=0.6)).height == 2

    def test_queries_of_the_same_wording_are_one(self):
        given = [
            {"query_id": name, "query": text, "response": "Four."} for name, text in (("a", "2+2?"), ("b", " 2+2? "))
        ]
        assert kept(without_duplicates, rows(*given)) == ["a"]

    def test_short_answers_that_differ_are_not_alike(self):
        assert not alike(shingles("The answer is (A)."), shingles("The answer is (B)."), 0.8)
        assert alike(shingles("42"), shingles("42."), 0.8)
        assert not alike(shingles("..."), shingles("!!"), 0.8)

    @given(*[st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12)] * 2, st.floats(0.05, 1))
    def test_likeness_is_the_jaccard_index(self, first, second, overlap):
        one, other = frozenset(first), frozenset(second)
        assert alike(one, other, overlap) == (len(one & other) >= overlap * len(one | other))


class TestTopK:
    def test_other_llms_come_before_a_second_draw(self):
        given = [("ada", 0, 1), ("ada", 1, 2), ("bob", 0, 3), ("cyd", 0, 4)]
        frame = rows(*({"query_id": "q", "llm": llm, "draw": draw, "rank": rank} for llm, draw, rank in given))
        assert best(frame, inputs(top_k=2))["llm"].to_list() == ["ada", "bob"]
        assert best(frame, inputs(top_k=4)).height == 4

    def many(self, queries, llms):
        names = [f"llm{n}" for n in range(llms)]
        given = [
            {"query_id": f"q{n:03d}", "llm": llm, "rank": rank}
            for n in range(queries)
            for rank, llm in enumerate(names)
        ]
        return rows(*given)

    def test_an_llm_that_has_given_its_share_lets_the_next_move_up(self):
        here = inputs(top_k=1, llm_share=0.25)
        chosen = best(within_share(self.many(40, 8), here), here)
        assert Counter(chosen["llm"]) == {"llm0": 10, "llm1": 10, "llm2": 10, "llm3": 10}

    def test_a_query_never_loses_its_last_response(self):
        here = inputs(top_k=1, llm_share=0.01)
        one_llm = self.many(10, 1)
        more = one_llm.head(1).with_columns(llm=pl.lit("other"), rank=pl.lit(5, pl.Int64))
        assert best(within_share(pl.concat([one_llm, more]), here), here)["query_id"].n_unique() == 10

    def test_a_share_too_small_for_the_llms_there_are_is_the_equal_share(self):
        here = inputs(top_k=1, llm_share=0.1)
        assert set(Counter(best(within_share(self.many(20, 2), here), here)["llm"]).values()) == {10}


class TestBudget:
    def many(self, **sizes):
        given = [
            {"query_id": f"{task}{n}", "task": task, "rank": rank, "llm": str(rank), "solved": n / count}
            for task, count in sizes.items()
            for n in range(count)
            for rank in (1, 2)
        ]
        return rows(*given)

    def here(self, frame, **settings):
        texts = frame.select("query_id", "task", "query").unique("query_id")
        log = LLMLog("budget", texts, pl.DataFrame({"llm": ["1", "2"]}), frame.select("query_id", "llm", "performance"))
        return inputs(log, encoder="tfidf:4", **settings)

    def test_tasks_get_equal_parts_and_a_small_one_gives_all(self):
        frame = self.many(large=20, small=3, middle=10)
        left = within_budget(frame, self.here(frame, rows=26))
        assert Counter(left["task"]) == {"small": 6, "large": 10, "middle": 10}

    def test_first_responses_and_hard_queries_come_first(self):
        frame = self.many(large=20)
        left = within_budget(frame, self.here(frame, rows=8, clusters=1))
        assert sorted(left["query_id"]) == sorted(f"large{n}" for n in range(8))
        assert set(left["rank"]) == {1}

    def test_clusters_of_queries_get_equal_parts(self):
        frame = self.many(large=24)
        number = pl.col("query_id").str.strip_prefix("large")
        fruit = pl.concat_str(pl.lit("apple pear plum apple pear plum "), number)
        ship = pl.concat_str(pl.lit("ship sail sea ship sail sea "), number)
        frame = frame.with_columns(query=pl.when(number.cast(pl.Int64) < 21).then(fruit).otherwise(ship))
        left = within_budget(frame, self.here(frame, rows=6, clusters=2))
        assert Counter(query.split()[0] for query in left["query"]) == {"apple": 3, "ship": 3}

    @given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.integers(1, 600))
    def test_tokens_are_never_exceeded_and_what_fits_is_not_left_out(self, sizes, tokens):
        given = [{"response": "x" * size, "task": f"t{place % 3}"} for place, size in enumerate(sizes)]
        frame = rows(*given)
        here = inputs(tokens=tokens, clusters=1)
        here.prepared.__dict__["vectors"] = np.zeros((len(sizes), 2)), None
        here.__dict__["row_of"] = {q: n for n, q in enumerate(frame["query_id"])}
        left = within_budget(frame, here)
        used = sum(-(-size // 4) for size in left["chars"])
        out = frame.join(left, on="query_id", how="anti")
        assert used <= tokens
        assert all(used + -(-size // 4) > tokens for size in out["chars"])

    def test_without_a_budget_all_rows_stay(self):
        frame = self.many(large=10)
        assert within_budget(frame, self.here(frame)).equals(frame)


class TestRun:
    def test_the_order_of_rows_changes_nothing(self):
        log = make_log(90)
        here = inputs(log, rows=20, similarity=1.0, top_k=2)
        from selection_logs import rank_by_hand

        from fusion.selection.candidates import candidates

        frame = candidates(here, rank_by_hand(log)).filter(pl.col("part") == "train")
        for rule in RULES:
            after = rule.keep(frame, here).select("query_id", "llm").sort("query_id", "llm")
            shuffled = frame.sample(fraction=1, shuffle=True, seed=5)
            assert after.equals(rule.keep(shuffled, here).select("query_id", "llm").sort("query_id", "llm")), rule.name
            frame = rule.keep(frame, here)

    def test_what_is_kept_and_dropped_adds_up_per_task_and_llm(self):
        frame = rows({"performance": 0.0}, {"task": "totals"}, {"llm": "bob", "performance": 0.0}, {})
        done = run(frame, inputs(), [SelectionRule("right", "are right", right)])
        assert done.counts.rows() == [
            ("right", "sums", "ada", 1, 1),
            ("right", "sums", "bob", 0, 1),
            ("right", "totals", "ada", 1, 0),
        ]

    def test_an_empty_selection_names_the_rule(self):
        with pytest.raises(
            UserError, match="'right'.*dropped the last 2.*loosen right, or leave the rule out with --skip right"
        ):
            run(rows({"performance": 0.0}, {"performance": 0.2}), inputs(), RULES)

    def test_each_rule_that_can_be_skipped_is(self):
        for rule in RULES:
            if rule.always:
                with pytest.raises(UserError, match="must not be skipped"):
                    chosen_rules(SelectionSettings(skip=[rule.name]))
            else:
                assert rule not in chosen_rules(SelectionSettings(skip=[rule.name]))

    def test_extras_are_what_goes_beyond_the_best_right_responses(self):
        names = [rule.name for rule in chosen_rules(SelectionSettings(skip=["extras"]))]
        assert names == ["answered", "llms", "unrefused", "complete", "right", "top_k", "budget"]

    def test_a_mistyped_rule_is_an_error(self):
        with pytest.raises(UserError, match="'ngram' is none; did you mean 'ngrams'"):
            chosen_rules(SelectionSettings(skip=["ngram"]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ranking": "grpah"}, "did you mean 'graph'"),
        ({"top_k": 0}, "top_k must be 1 or more"),
        ({"rows": 5, "tokens": 5}, "rows or in tokens"),
        ({"difficulty": "graph", "ranking": "judge"}, "needs the ranking graph, but that is judge"),
        ({"similarty": 0.9}, "did you mean 'similarity'"),
        ({"easy": 1.5}, "easy must be above 0 and at most 1"),
        ({"top_k": "five"}, "top_k is of the wrong type"),
    ],
)
def test_a_bad_setting_is_an_error(values, message):
    with pytest.raises(UserError, match=message):
        make_settings(values)


def test_words_leave_out_punctuation_and_keep_signs():
    assert words("What's 4*5 (in Köln)?") == ["what", "s", "4", "*", "5", "in", "köln"]


def test_seeded_chance_is_used():
    generator = random.Random(0)
    names = [f"q{generator.random()}" for _ in range(20)]
    frame = rows(
        *({"query_id": name, "llm": llm, "rank": rank} for name in names for rank, llm in enumerate(("a", "b")))
    )
    chosen = []
    for seed in (0, 1):
        here = inputs(top_k=1, llm_share=0.5, seed=seed)
        chosen.append(best(within_share(frame, here), here).filter(pl.col("llm") == "a")["query_id"].to_list())
    assert len(chosen[0]) == len(chosen[1]) == 10
    assert chosen[0] != chosen[1]
