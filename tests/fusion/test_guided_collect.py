import json

import polars as pl
import pytest
import scripted
import yaml
from guided import TASKS, make_library, make_log
from tiny_models import TEMPLATE, save_tiny

from fusion.cli import main
from fusion.engines import ENGINES
from fusion.prompts import THOUGHTS
from graphrouter.log import LLMLog
from graphrouter.splits import by_query

COUNT = 12


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    monkeypatch.setitem(ENGINES, "local", ("scripted", "Scripted"))
    scripted.ASKED.clear()


@pytest.fixture
def work(tmp_path):
    """The tasks that the guiding log was made of, the log, its library, and two LLMs."""
    log = make_log(COUNT)
    log.save(tmp_path / "source")
    make_library(log).save(tmp_path / "lib")
    for task, domain in TASKS.items():
        about = {"name": task, "domain": domain, "metric": "exact_match"}
        about["prompts"] = {"direct": "{question}", "reasoning": "Think. {question}"}
        (tmp_path / f"{task}.yaml").write_text(yaml.safe_dump(about | {"max_tokens": {"direct": 6, "reasoning": 9}}))
        rows = log.queries.filter(pl.col("task") == task).iter_rows(named=True)
        lines = [
            {"id": row["query_id"].split("-")[1], "question": row["query"], "ground_truth": row["ground_truth"]}
            for row in rows
        ]
        (tmp_path / f"{task}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_llms(tmp_path)
    return tmp_path


def write_llms(work, **right):
    llms = [
        {"name": "clever", "model": "right", "styles": ["direct", "reasoning"], "description": "Clever.", **right},
        {"name": "dull", "model": "wrong", "input_price": 1, "output_price": 2},
    ]
    (work / "llms.yaml").write_text(yaml.safe_dump({"defaults": {"engine": "local"}, "llms": llms}))


def run(work, *options):
    tasks = ",".join(str(work / f"{task}.yaml") for task in TASKS)
    words = ["collect", "--tasks", tasks, "--llms", str(work / "llms.yaml"), "--out", str(work / "log"), "--quiet"]
    return main([*words, "--source", str(work / "source"), *options])


def guides(work):
    return ["--guide", f"t=thought:{work / 'lib'}", "--guide", "s=few_shot:performance"]


@pytest.fixture
def prompts(monkeypatch):
    """What is asked, by query and candidate."""
    seen = {}
    answer = scripted.Scripted._answer

    def note(engine, request):
        query_id, llm, _ = json.loads(request.key)
        seen[query_id, llm] = request.messages
        return answer(engine, request)

    monkeypatch.setattr(scripted.Scripted, "_answer", note)
    return seen


class TestCandidates:
    def test_each_guide_in_each_style_is_a_candidate(self, work):
        assert run(work, *guides(work)) == 0
        log = LLMLog.load(work / "log")
        names = [f"{base}{guide}" for base in ("clever", "clever_think", "dull") for guide in ("", "_s", "_t")]
        assert log.llm_names == tuple(sorted(names))
        assert log.records.height == len(names) * COUNT * len(TASKS)
        assert log.encoder == "tfidf:16"
        row = log.llms.row(by_predicate=pl.col("llm") == "clever_think_t", named=True)
        assert [row[name] for name in ("model", "style", "guide", "guide_kind", "guide_ranking")] == [
            *("clever", "reasoning", "t"),
            *("thought", "performance"),
        ]
        assert "step by step. It is shown thoughts" in row["description"]
        plain = log.llms.row(by_predicate=pl.col("llm") == "clever", named=True)
        assert [plain[name] for name in ("guide", "guide_kind", "guide_ranking", "description")] == [None] * 3 + [
            "Clever."
        ]
        assert log.llms.row(by_predicate=pl.col("llm") == "dull_s", named=True)["description"] is None

    def test_guides_can_be_for_some_styles_only(self, work):
        assert run(work, *guides(work), "--guide-styles", "reasoning") == 0
        names = LLMLog.load(work / "log").llm_names
        assert names == ("clever", "clever_think", "clever_think_s", "clever_think_t", "dull")

    def test_the_parts_of_the_sources_split_are_kept(self, work):
        run(work, *guides(work), "--split-seed", "0")
        source = LLMLog.load(work / "source")
        split = by_query(source, 0)
        parts = dict(LLMLog.load(work / "log").queries.select("query_id", "part").iter_rows())
        for part in ("train", "validation", "test"):
            ids = source.queries["query_id"].gather(getattr(split, part))
            assert {parts[query_id] for query_id in ids} == {part}

    def test_a_log_without_guides_has_no_columns_of_theirs(self, work):
        assert run(work) == 0
        log = LLMLog.load(work / "log")
        assert "guide" not in log.llms.columns
        assert "part" not in log.queries.columns
        assert "shown" not in log.records.columns


class TestPrompts:
    def test_what_is_shown_is_in_the_prompt(self, work, prompts):
        run(work, *guides(work))
        log = LLMLog.load(work / "log")
        shown = dict(zip(log.records.select("query_id", "llm").iter_rows(), log.records["shown"], strict=True))
        source = LLMLog.load(work / "source")
        training = set(source.queries["query"].gather(by_query(source, 0).train))
        texts = dict(log.queries.select("query_id", "query").iter_rows())
        for (query_id, llm), messages in prompts.items():
            ask = f"Think. {texts[query_id]}" if "think" in llm else texts[query_id]
            if llm.endswith("_s"):
                assert shown[query_id, llm] == 3
                turns = messages[:-1]
                assert [turn["role"] for turn in turns] == ["user", "assistant"] * 3
                assert all(turn["content"].removeprefix("Think. ") in training for turn in turns[::2])
                assert all(turn["content"].startswith("Think. ") == ("think" in llm) for turn in turns[::2])
                assert all(turn["content"].startswith("because") == ("think" in llm) for turn in turns[1::2])
                assert all(turn["content"].removeprefix("Think. ").lower() != texts[query_id].lower() for turn in turns)
                assert messages[-1]["content"] == ask
            elif llm.endswith("_t"):
                assert shown[query_id, llm] == 3
                head, *thoughts, empty, last = messages[0]["content"].split("\n")
                assert (head, empty, last, len(thoughts)) == (THOUGHTS, "", ask, 3)
                assert all(f" {query_id} " not in f"{thought} " for thought in thoughts)
            else:
                assert shown[query_id, llm] == 0
                assert messages == ({"role": "user", "content": ask},)

    def test_the_system_message_stays_in_front(self, work, prompts):
        write_llms(work, system="Be brief.")
        run(work, *guides(work), "--only", "clever")
        assert {messages[0]["content"] for messages in prompts.values()} == {"Be brief."}
        assert {len(messages) for (_, llm), messages in prompts.items() if llm == "clever_s"} == {8}

    def test_the_budget_holds_and_what_has_no_room_is_told(self, work, prompts, capsys):
        assert run(work, *guides(work), "--guide-tokens", "60", "--only", "dull") == 0
        log = LLMLog.load(work / "log")
        shown = log.records.filter(pl.col("llm") == "dull_s")["shown"].unique().to_list()
        assert shown == [1]
        assert run(work, *guides(work), "--guide-tokens", "1", "--out", str(work / "b")) == 0
        assert "dull_t: in 36 of 36 cells the guide has nothing of the task that fits" in capsys.readouterr().err
        bare = {llm: messages for (query_id, llm), messages in prompts.items() if query_id == "sums-0"}
        assert bare["dull_t"] == bare["dull_s"] == bare["dull"]

    def test_fewer_can_be_shown(self, work):
        run(work, *guides(work), "--guide-shown", "1")
        assert set(LLMLog.load(work / "log").records["shown"]) == {0, 1}


class TestParts:
    @pytest.mark.parametrize("part", ["train", "validation", "test"])
    def test_only_a_part_is_asked(self, work, part):
        assert run(work, "--part", part) == 0
        source = LLMLog.load(work / "source")
        wanted = source.queries["query_id"].gather(getattr(by_query(source, 0), part))
        assert sorted(LLMLog.load(work / "log").queries["query_id"]) == sorted(wanted)

    def test_a_limit_is_of_the_part(self, work):
        assert run(work, "--part", "test", "--limit", "1", "--split-seed", "3") == 0
        queries = LLMLog.load(work / "log").queries
        assert queries["task"].to_list() == sorted(TASKS)
        assert set(ids_of_test(work, 3)) >= set(queries["query_id"])

    def test_a_part_of_another_log_is_refused(self, work, capsys):
        other = make_log(COUNT)
        texts = pl.col("query") + " of another world"
        LLMLog("other", other.queries.with_columns(texts), other.llms, other.records, texts=other.texts).save(
            work / "other"
        )
        assert run(work, "--source", str(work / "other"), "--part", "test") == 2
        assert "must have questions in the test part of other, but have none" in capsys.readouterr().err


def ids_of_test(work, seed):
    source = LLMLog.load(work / "source")
    return source.queries["query_id"].gather(by_query(source, seed).test)


class TestGoingOn:
    def test_a_killed_run_goes_on_with_the_same_guides(self, work):
        write_llms(work, interrupt_after=20)
        assert run(work, *guides(work)) == 130
        before = (work / "log" / "collect" / "guides" / "s.parquet").read_bytes()
        first = {tuple(json.loads(key)) for _, key in scripted.ASKED}
        write_llms(work)
        scripted.ASKED.clear()
        assert run(work, *guides(work)) == 0
        log = LLMLog.load(work / "log")
        assert log.records.height == 9 * COUNT * len(TASKS)
        # The one that was under way when it was interrupted is asked again.
        assert len(first & {tuple(json.loads(key)) for _, key in scripted.ASKED}) == 1
        assert (work / "log" / "collect" / "guides" / "s.parquet").read_bytes() == before

    def test_a_run_that_goes_on_shows_what_was_kept(self, work, monkeypatch):
        run(work, *guides(work), "--limit", "2")
        monkeypatch.setattr("fusion.guidance.shots.rank", None)  # a ranking that cannot be had any more
        assert run(work, *guides(work), "--limit", "2") == 0

    def test_a_guide_can_be_added(self, work):
        run(work)
        scripted.ASKED.clear()
        assert run(work, *guides(work)) == 0
        assert {json.loads(key)[1][-2:] for _, key in scripted.ASKED} == {"_s", "_t"}

    @pytest.mark.parametrize(
        ("option", "guide"),
        [(["--guide-shown", "2"], "s"), (["--guide-shown", "2"], "t"), ([], "random"), (["--guide-tokens", "60"], "s")],
    )
    def test_answers_under_other_guidance_are_refused(self, work, option, guide, capsys):
        named = {"s": "s=few_shot:performance", "t": f"t=thought:{work / 'lib'}", "random": "s=few_shot:performance"}[
            guide
        ]
        assert run(work, "--guide", named) == 0
        kept = sorted(file.read_bytes() for file in (work / "log" / "collect" / "guides").iterdir())
        named = "s=few_shot:random" if guide == "random" else named
        assert run(work, "--guide", named, *option) == 2
        assert "are to others (first: clever" in capsys.readouterr().err
        assert sorted(file.read_bytes() for file in (work / "log" / "collect" / "guides").iterdir()) == kept

    def test_what_guided_is_written_down(self, work):
        run(work, *guides(work))
        about = json.loads((work / "log" / "collect" / "run.json").read_text())["guides"]
        assert about["s"]["ranking"] == about["t"]["ranking"] == "performance"
        assert about["s"]["styles"] == ["direct", "reasoning"]
        assert {about[name]["seed"] for name in "st"} == {0}


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--guide", "x=thinking:lib"], "a guide must be few_shot or thought, but is 'thinking'"),
            (["--guide", "x=few_shot:grph"], "unknown ranking 'grph'; did you mean 'graph'"),
            (["--guide", "x=thought:nowhere"], "a library must be a folder"),
            (["--guide", "x"], "must be NAME=thought:LIBRARY"),
            (["--guide", "think=few_shot:random"], "'clever_think' occurs twice"),
            (["--guide", "t=few_shot:random", "--guide", "t=few_shot:random"], "'t' occurs twice"),
            (["--guide", "x=few_shot:random", "--guide-styles", "slow"], "a guide's style must be among"),
            (
                ["--guide", "x=few_shot:random", "--guide-styles", "reasoning", "--only", "dull"],
                "are for the styles reasoning, but the LLMs are asked in direct",
            ),
            (["--guide", "x=few_shot:random", "--guide-shown", "0"], "must show 1 piece or more"),
            (["--guide", "x=few_shot:random", "--guide-tokens", "0"], "must be 1 or more, but are 0"),
            (["--guide", "x=few_shot:random", "--encoder", "tdidf"], "an encoder must be"),
            (["--part", "tset"], "did you mean 'test'"),
            (["--split-seed", "-1", "--part", "test"], "must be 0 or more"),
        ],
    )
    def test_it_is_one_line_and_asks_nothing(self, work, options, says, capsys):
        assert run(work, *options) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1
        assert not scripted.ASKED
        assert not (work / "log").exists()

    def test_a_library_of_another_seed_log_or_encoder(self, work, capsys):
        for options, says in (
            (["--split-seed", "1"], "with the split seed 1, but has 0"),
            (["--encoder", "tfidf:9"], "name the same encoder"),
            (
                ["--source", str(work / "other")],
                "lib must be mined from guiding as it is now, but was mined from guiding",
            ),
        ):
            make_log(COUNT + 1).save(work / "other")
            assert run(work, "--guide", f"t=thought:{work / 'lib'}", *options) == 2
            assert says in capsys.readouterr().err
        assert not scripted.ASKED

    @pytest.mark.parametrize("option", [["--guide", "x=few_shot:random"], ["--part", "test"]])
    def test_guides_and_parts_need_their_log(self, work, option, capsys):
        words = [
            "collect",
            "--tasks",
            str(work / "sums.yaml"),
            "--llms",
            str(work / "llms.yaml"),
            "--out",
            str(work / "x"),
        ]
        assert main([*words, *option]) == 2
        assert f"{option[0]} needs --source LOG" in capsys.readouterr().err

    def test_a_dry_run_says_what_has_no_guide(self, work, capsys):
        assert run(work, *guides(work), "--guide-tokens", "1", "--dry-run") == 0
        told = capsys.readouterr()
        assert "36 questions, 324 cells" in told.out
        assert "clever_think_s: in 36 of 36 cells" in told.err


def test_a_real_model_is_asked_within_its_context(work, tmp_path):
    folder = save_tiny(tmp_path / "model", TEMPLATE, num_hidden_layers=1, max_position_embeddings=130)
    llms = [{"name": "tiny", "model": str(folder), "engine": "transformers"}]
    (work / "llms.yaml").write_text(yaml.safe_dump({"llms": llms}))
    assert run(work, *guides(work), "--part", "test", "--limit", "2") == 0
    log = LLMLog.load(work / "log")
    tokens = log.records.group_by("llm").agg(pl.col("input_tokens").mean(), pl.col("shown").mean())
    by_name = {row[0]: row[1:] for row in tokens.iter_rows()}
    assert log.records["input_tokens"].max() <= 130 - 6
    assert log.records.height == 3 * 2 * len(TASKS)
    assert by_name["tiny"][0] < by_name["tiny_s"][0]
    assert 0 < by_name["tiny_s"][1] < 3, "the context has room for some examples, and not for all"
