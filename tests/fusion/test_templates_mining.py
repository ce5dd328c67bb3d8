import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import scripted
import template_logs

from fusion.engines import ENGINES
from fusion.llms import LLM
from fusion.tasks import find_task
from fusion.templates import Library
from fusion.templates.mining import MiningSettings, mine
from fusion.templates.ranked_query import Best, RankedQuery, sources_of
from fusion.templates.summary import Summariser
from fusion.templates.truths import Truth
from fusion.templates.validation import Validation
from graphrouter.encoders import TfidfEncoder, find_encoder
from graphrouter.errors import UserError
from graphrouter.splits import by_query

RANK = template_logs.rank_by_performance


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    monkeypatch.setitem(ENGINES, "local", ("template_engines", "Summarises"))
    monkeypatch.setitem(ENGINES, "guided", ("template_engines", "Guided"))
    scripted.ASKED.clear()


def run(out, log=None, rank=RANK, llm=None, budget=None, window=4096, validation=None, **settings):
    summariser = Summariser(llm, window, budget=budget) if llm else None
    log = log or template_logs.make_log()
    return mine(
        log,
        rank,
        out,
        MiningSettings("performance", **settings),
        TfidfEncoder(16),
        summariser=summariser,
        validation=validation,
        progress=False,
    )


def summariser(model="sage", **options):
    return LLM(model, model, "local", 1.0, 1.0, options=options)


class TestExtractive:
    def test_steps_of_the_right_response_become_a_template(self, tmp_path):
        library = run(tmp_path / "lib").library
        texts = dict(library.queries.select("query_id", "query").iter_rows())
        for one in library.templates:
            assert one.llms == ("good",)
            assert one.domain == f"{one.task} domain"
            assert (one.score, one.ranking) == (1.0, "performance")
            for query in one.queries:
                _, answer, _ = template_logs.question(*_parts(query))
                assert answer not in one.text
                assert texts[query] == template_logs.question(*_parts(query))[0]

    @pytest.mark.parametrize("seed", [0, 1])
    def test_no_template_comes_from_a_test_or_validation_query(self, tmp_path, seed):
        log = template_logs.make_log()
        seen = []

        def rank(part):
            seen.extend(part.queries["query_id"])
            return RANK(part)

        library = run(tmp_path / "lib", log, rank, seed=seed).library
        training = set(log.queries["query_id"].gather(by_query(log, seed).train))
        assert set(seen) == training
        assert set(library.queries["query_id"]) <= training
        assert len(library) > 4
        assert library.about["split_seed"] == seed

    def test_what_a_ranking_says_of_other_queries_is_not_taken(self, tmp_path):
        log = template_logs.make_log()
        library = run(tmp_path / "lib", log, lambda _: RANK(log)).library
        assert set(library.queries["query_id"]) <= set(log.queries["query_id"].gather(by_query(log, 0).train))

    def test_the_same_library_from_any_row_order(self, tmp_path):
        log = template_logs.make_log()
        turned = replace(log, records=log.records.reverse(), texts=log.texts.reverse())
        one, other = run(tmp_path / "one", log).library, run(tmp_path / "other", turned).library
        assert one.templates == other.templates

    def test_the_counts_add_up(self, tmp_path):
        log = template_logs.make_log()
        wrong = log.records.with_columns(
            performance=pl.when(pl.col("query_id").str.ends_with("7")).then(0.0).otherwise("performance")
        )
        counts = run(tmp_path / "lib", replace(log, records=wrong)).library.about["counts"]
        assert counts["training_queries"] == counts["chosen"] == 24
        assert counts["dropped"]["no right response"] > 0
        assert counts["before_merging"] + sum(counts["dropped"].values()) == 24
        assert sum(row["templates"] for row in counts["by_task"].values()) == counts["templates"]
        assert sum(row["kept"] for row in counts["by_task"].values()) == counts["before_merging"]

    def test_a_limit_is_spread_over_tasks(self, tmp_path):
        counts = run(tmp_path / "lib", limit=8).library.about["counts"]
        assert counts["chosen"] == 8
        assert {task: row["kept"] for task, row in counts["by_task"].items()} == {"sums": 4, "rivers": 4}

    def test_only_the_best_responses_are_taken(self, tmp_path):
        with pytest.raises(
            UserError, match=r"none did: 24 no steps in its responses; collect .* styles: \[reasoning\]"
        ):
            run(tmp_path / "lib", rank=lambda log: RANK(log).filter(pl.col("llm") == "bare"))
        assert not (tmp_path / "lib").exists()

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"log": replace(template_logs.make_log(), texts=None)}, "has no responses"),
            ({"top_k": 0}, "top-k must be 1 or more"),
            ({"limit": 0}, "limit must be 1 or more"),
        ],
    )
    def test_bad_settings(self, tmp_path, change, says):
        with pytest.raises(UserError, match=says):
            run(tmp_path / "lib", **change)

    def test_an_encoder_that_takes_no_new_text_is_refused(self, tmp_path):
        with pytest.raises(UserError, match="needs? an encoder that takes new texts"):
            mine(template_logs.make_log(), RANK, tmp_path, MiningSettings("performance"), find_encoder("log"))

    def test_a_folder_with_other_things_is_refused_before_any_work(self, tmp_path):
        (tmp_path / "notes.txt").touch()
        with pytest.raises(UserError, match=r"notes.txt"):
            run(tmp_path, rank=lambda _: pytest.fail("ranked"))


def _parts(query):
    task, number = query.split("-")
    return task, int(number)


def test_draws_are_told_apart():
    log = template_logs.make_log(4)
    more = [log.records.with_columns(draw=pl.lit(draw, pl.Int64), performance=pl.lit(float(draw))) for draw in (0, 1)]
    texts = [log.texts.with_columns(draw=pl.lit(draw, pl.Int64), response=pl.lit(f"draw {draw}")) for draw in (0, 1)]
    drawn = replace(log, records=pl.concat(more), texts=pl.concat(texts))
    ranked = pl.concat(more).with_columns(
        rank=pl.int_range(1, pl.len() + 1).over("query_id"), score=pl.col("performance"), eligible=pl.lit(True)
    )
    (one,) = sources_of(drawn, ranked, ["sums-1"], 9)
    assert [best.text for best in one.responses] == ["draw 1"] * 3  # draw 0 is wrong


def test_what_is_not_eligible_is_no_source_however_right():
    log = template_logs.make_log(4)
    ranked = RANK(log).with_columns(eligible=pl.col("llm") == "bare")
    (one,) = sources_of(log, ranked, ["sums-1"], 9)
    assert [best.llm for best in one.responses] == ["bare"]


class TestSummariser:
    def test_its_words_become_templates_of_all_that_it_saw(self, tmp_path):
        done = run(tmp_path / "lib", llm=summariser(), top_k=2)
        one = done.library.templates[0]
        assert one.text.startswith("Look at what is asked first.\nThen apply the rule")
        assert one.llms == ("bare", "good")
        assert done.library.about["summariser"] == "sage"
        assert done.summaries.answered.spent == pytest.approx(24 * 150 / 1e6)

    @pytest.mark.parametrize(
        ("model", "reason"),
        [
            ("nothing", "24 empty"),
            ("leaky", "24 gives the answer away: answer"),
            ("sorry", "24 refused"),
            ("error", "the server is on fire"),
            ("nobody", "the key must be right"),
        ],
    )
    def test_one_that_gives_nothing_of_use_is_an_error_that_says_why(self, tmp_path, model, reason):
        with pytest.raises(UserError, match=reason):
            run(tmp_path / "lib", llm=summariser(model))

    @pytest.mark.parametrize("model", ["novel", "endless"])
    def test_ten_thousand_words_are_cut(self, tmp_path, model):
        library = run(tmp_path / "lib", llm=summariser(model)).library
        assert library.about["counts"]["shortened"] == 24
        assert all(len(one.text.split()) <= 120 for one in library.templates)

    def test_failures_are_counted_and_asked_again(self, tmp_path):
        first = run(tmp_path / "lib", llm=summariser(fail="crosses Neira")).library.about["counts"]
        assert first["dropped"]["the summariser failed"] > 0
        scripted.ASKED.clear()
        second = run(tmp_path / "lib", llm=summariser()).library.about["counts"]
        assert len(scripted.ASKED) == first["dropped"]["the summariser failed"]
        assert second["dropped"] == {}

    def test_an_interrupted_run_goes_on(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "lib", llm=summariser(interrupt_after=10))
        assert not (tmp_path / "lib" / "about.json").exists()
        scripted.ASKED.clear()
        done = run(tmp_path / "lib", llm=summariser())
        assert len(scripted.ASKED) == 14
        assert done.library.templates == run(tmp_path / "other", llm=summariser()).library.templates

    def test_a_budget_is_never_exceeded_and_what_is_there_is_used(self, tmp_path):
        done = run(tmp_path / "lib", llm=summariser(), budget=0.003)
        assert done.summaries.answered.over_budget
        assert done.summaries.answered.spent <= 0.003
        counts = done.library.about["counts"]
        assert 0 < counts["before_merging"] < 24
        assert counts["dropped"]["not asked within the budget"] == 24 - counts["before_merging"]

    def test_a_budget_for_an_llm_without_prices_is_refused(self, tmp_path):
        with pytest.raises(UserError, match="a budget needs"):
            run(tmp_path / "lib", llm=LLM("sage", "sage", "local"), budget=1.0)

    def test_answers_to_other_prompts_are_not_mixed_in(self, tmp_path):
        run(tmp_path / "lib", llm=summariser(), top_k=1)
        with pytest.raises(UserError, match="must hold answers to the prompts"):
            run(tmp_path / "lib", llm=summariser(), top_k=2)


class TestPrompt:
    def source(self, response, responses=3, query="Which river?"):
        best = tuple(Best(f"llm{number}", response, 1.0) for number in range(responses))
        return RankedQuery("q", query, "t", None, Truth(), best)

    def ask(self, source, window):
        return Summariser(summariser(), window, max_tokens=100).prompt(source)

    def test_short_texts_are_shown_whole(self):
        prompt = self.ask(self.source("{query} and {number} stay."), 4096)
        assert prompt.count("{query} and {number} stay.") == 3
        assert "and 3 of the best responses" in prompt
        assert "<query>\nWhich river?\n</query>" in prompt

    @pytest.mark.parametrize("window", [700, 1000, 4096])
    @pytest.mark.parametrize("responses", [1, 3, 9])
    def test_long_texts_keep_both_ends_and_fit(self, window, responses):
        from fusion.templates.sentences import estimate_tokens

        long = "Here it begins. " + "The middle goes on. " * 2000 + "Here it ends."
        prompt = self.ask(self.source(long, responses, query="Begin the query. " + "More of it. " * 3000), window)
        assert estimate_tokens(prompt) <= window - 100
        shown = prompt.count("Here it begins.")
        assert 1 <= shown <= (min(responses, 5) if window == 700 else responses)
        assert prompt.count("Here it ends.") == shown
        assert "Begin the query." in prompt

    def test_a_window_without_room_is_refused(self):
        with pytest.raises(UserError, match=r"the window must be \d+ tokens or more, but is 300"):
            self.ask(self.source("x"), 300)


KILLED = """
import sys
sys.path.insert(0, "tests/fusion")
import template_engines, template_logs
from pathlib import Path
from fusion.engines import ENGINES
from fusion.llms import LLM
from fusion.templates.mining import MiningSettings, mine
from fusion.templates.summary import Summariser
from graphrouter.encoders import TfidfEncoder
ENGINES["local"] = ("template_engines", "Summarises")
llm = LLM("sage", "sage", "local", options={"wait_s": 0.0, "flavour": ""})
answer = template_engines.Summarises._answer
def slowly(self, request):
    import time
    time.sleep(float(sys.argv[2]))
    return answer(self, request)
template_engines.Summarises._answer = slowly
mine(template_logs.make_log(), template_logs.rank_by_performance, Path(sys.argv[1]), MiningSettings("performance"),
     TfidfEncoder(16), summariser=Summariser(llm), progress=False)
"""


def test_killed_mining_goes_on_and_asks_for_nothing_twice(tmp_path):
    root = Path(__file__).parents[2]
    journal = tmp_path / "lib" / "mine" / "answers.jsonl"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "lib")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    first = subprocess.Popen([*command, "0.1"], cwd=root, env=environment, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
        assert first.poll() is None, first.stderr.read().decode()
        assert time.monotonic() < until
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stderr.close()
    before = journal.read_bytes().count(b"\n")
    assert 5 <= before < 24
    assert not (tmp_path / "lib" / "about.json").exists()
    subprocess.run([*command, "0"], cwd=root, env=environment, check=True, timeout=60)
    asked = [json.loads(line)["query_id"] for line in journal.read_bytes().splitlines()]
    assert len(asked) == len(set(asked)) == 24
    assert len(Library.load(tmp_path / "lib")) > 0


class TestValidation:
    @pytest.fixture
    def task(self, tmp_path):
        rows = [template_logs.question("sums", number) for number in range(60)]
        lines = [
            json.dumps({"id": str(n), "question": text, "ground_truth": answer})
            for n, (text, answer, _) in enumerate(rows)
        ]
        (tmp_path / "sums.jsonl").write_text("\n".join(lines) + "\n")
        (tmp_path / "sums.yaml").write_text("{metric: exact_match, prompts: {direct: '{question}'}}")
        return find_task(str(tmp_path / "sums.yaml"))

    def mine(self, out, task, budget=None, **options):
        log = template_logs.make_log(60)
        log = log.take(log.queries["task"].to_numpy() == "sums")
        thoughts = {0: "this one helps a lot", 1: "this one hurts a lot", 2: "this is a plain remark"}
        ids = {query: thoughts[int(query.split("-")[1]) % 3] for query in log.queries["query_id"]}
        said = (
            pl.col("query_id").replace_strict(ids, default=None)
            + pl.lit(" of place ")
            + pl.col("query_id").str.slice(5)
        )
        log = replace(log, texts=log.texts.with_columns(response=said + pl.lit(" names\nThe answer is so.")))
        llm = LLM("try", "try", "guided", 1.0, 1.0, options=options)
        return run(out, log, validation=Validation(llm, [task], budget=budget), near=1.0)

    def test_a_template_that_hurts_is_dropped_and_one_that_helps_is_worth_something(self, tmp_path, task):
        done = self.mine(tmp_path / "lib", task)
        library, worth = done.library, {}
        for one in done.measured.library.templates:
            worth.setdefault(one.text.split()[2], []).append(one.worth)
        assert max(worth["hurts"]) <= 0
        assert min(worth["hurts"]) < 0
        assert max(worth["helps"]) > 0
        assert min(worth["helps"]) >= 0
        assert set(worth["a"]) == {0.0}
        assert all(one.worth >= 0 for one in library.templates)
        assert library.about["validation"]["dropped"] == len(done.measured.library) - len(library) > 0
        assert [one.worth for one in Library.load(tmp_path / "lib").templates] == [
            one.worth for one in library.templates
        ]

    def test_no_template_comes_from_a_held_back_query_and_none_is_asked_outside_training(self, tmp_path, task):
        library = self.mine(tmp_path / "lib", task).library
        asked = {json.loads(key)[0] for _, key in scripted.ASKED}
        assert len(asked) == 7  # a fifth of 36
        assert not asked & set(library.queries["query_id"])
        log = template_logs.make_log(60)
        sums = log.take(log.queries["task"].to_numpy() == "sums")
        assert asked <= set(sums.queries["query_id"].gather(by_query(sums, 0).train))

    def test_nothing_is_asked_twice(self, tmp_path, task):
        with pytest.raises(KeyboardInterrupt):
            self.mine(tmp_path / "lib", task, interrupt_after=20)
        first = len(scripted.ASKED) - 1  # the last one was interrupted
        scripted.ASKED.clear()
        done = self.mine(tmp_path / "lib", task)
        assert len(scripted.ASKED) + first == 7 + 4 * done.library.about["counts"]["before_merging"]

    def test_a_template_that_the_budget_left_untried_stays(self, tmp_path, task):
        done = self.mine(tmp_path / "lib", task, budget=0.006)
        assert done.measured.answered.over_budget
        assert done.measured.answered.spent <= 0.006
        assert done.measured.tried < len(done.measured.library)
        assert len(done.library) > 0

    def test_tasks_that_know_none_of_the_queries_are_refused(self, tmp_path, task):
        (tmp_path / "other.yaml").write_text("{metric: exact_match, examples: sums.jsonl}")
        with pytest.raises(UserError, match="must be questions of the tasks that grade"):
            self.mine(tmp_path / "lib", find_task(str(tmp_path / "other.yaml")))

    @pytest.mark.parametrize(("change", "says"), [({"held_back": 1.0}, "within"), ({"near": 1}, "2 queries or more")])
    def test_bad_settings(self, task, change, says):
        with pytest.raises(UserError, match=says):
            Validation(LLM("try", "try", "guided"), [task], **change)
