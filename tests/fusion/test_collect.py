import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time

import polars as pl
import pytest
import scripted
import yaml

from fusion.budget import highest_cost
from fusion.cli import main
from fusion.collect import collect, make_plan
from fusion.engines import ENGINES, engine_names, find_engine
from fusion.llms import read_llms
from graphrouter.log import LLMLog


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    monkeypatch.setitem(ENGINES, "local", ("scripted", "Scripted"))
    monkeypatch.setitem(ENGINES, "served", ("scripted", "ServedScripted"))
    scripted.ASKED.clear()
    scripted.TOGETHER.clear()


@pytest.fixture
def work(tmp_path):
    """Two tasks of three questions, and two LLMs, one of them in both styles."""
    for task in ("echo", "repeat"):
        write(
            tmp_path / f"{task}.yaml",
            {"name": task, "domain": "words", "metric": "exact_match", "prompts": PROMPTS, "max_tokens": TOKENS},
        )
        rows = [{"id": f"{n}", "question": f"{task} say word{n}", "ground_truth": f"word{n}"} for n in range(3)]
        (tmp_path / f"{task}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_llms(tmp_path)
    return tmp_path


TOKENS = {"direct": 6, "reasoning": 6}
PROMPTS = {"direct": "{question}", "reasoning": "Think. {question}"}
RIGHT = {"name": "clever", "model": "right", "input_price": 100, "output_price": 200, "styles": ["direct", "reasoning"]}
WRONG = {"name": "dull", "model": "wrong", "input_price": 1, "output_price": 1, "description": "A small one."}


def write(file, values):
    file.write_text(yaml.safe_dump(values))


def write_llms(folder, right=None, wrong=None, engine="local"):
    llms = [RIGHT | (right or {}), WRONG | (wrong or {})]
    write(folder / "llms.yaml", {"defaults": {"engine": engine}, "llms": llms})


def tasks(work):
    return f"{work / 'echo.yaml'},{work / 'repeat.yaml'}"


def run(work, *options, llms="llms.yaml"):
    words = ["collect", "--tasks", tasks(work), "--llms", str(work / llms), "--out", str(work / "log"), "--quiet"]
    return main([*words, *options])


def asked():
    keys = [tuple(json.loads(key)) for _, key in scripted.ASKED]
    assert len(keys) == len(set(keys)), "something was asked twice"
    return set(keys)


def plan(work, **options):
    return make_plan(tasks(work).split(","), read_llms(work / "llms.yaml"), **options)


class TestLog:
    def test_every_cell_is_answered_graded_and_priced(self, work):
        assert run(work) == 0
        log = LLMLog.load(work / "log")
        assert log.llm_names == ("clever", "clever_think", "dull")
        assert len(asked()) == log.records.height == 18
        row = log.records.row(by_predicate=(pl.col("query_id") == "echo-1") & (pl.col("llm") == "clever"), named=True)
        assert row["performance"] == 1
        assert row["prediction"] == "word1"
        assert (row["input_tokens"], row["output_tokens"], row["latency_s"]) == (3, 2, 0.5)
        assert row["cost"] == pytest.approx((3 * 100 + 2 * 200) / 1e6)
        assert row["finish_reason"] == "stop"
        assert log.records.filter(pl.col("llm") == "dull")["performance"].to_list() == [0.0] * 6
        assert log.has_cost
        assert not log.cost_estimated

    def test_queries_and_llms_carry_what_the_tasks_and_the_file_say(self, work):
        run(work)
        log = LLMLog.load(work / "log")
        query = log.queries.row(by_predicate=pl.col("query_id") == "repeat-2", named=True)
        assert query["query"] == "repeat say word2"
        assert (query["task"], query["domain"], query["metric"], query["ground_truth"]) == (
            *("repeat", "words", "exact_match"),
            "word2",
        )
        texts = dict(log.llms.select("llm", "description").rows())
        assert texts == {"clever": None, "clever_think": None, "dull": "A small one."}
        assert dict(log.llms.select("llm", "style").rows())["clever_think"] == "reasoning"

    def test_responses_and_their_length_are_kept(self, work):
        run(work)
        log = LLMLog.load(work / "log")
        assert log.responses().filter(pl.col("query_id") == "echo-0")["response"].to_list() == ["word0", "word0", "no"]
        assert log.records["response_chars"].to_list()[:3] == [5, 5, 2]

    def test_what_was_asked_of_whom_is_written_down(self, work):
        run(work)
        about = json.loads((work / "log" / "collect" / "run.json").read_text())
        assert about["seed"] == 0
        assert [llm["name"] for llm in about["llms"]] == ["clever", "dull"]
        assert "commit" in about

    def test_several_draws_are_several_records_with_seeds_of_their_own(self, work):
        write_llms(work, {"temperature": 0.7, "styles": ["direct"]}, {"temperature": 0.5})
        assert run(work, "--draws", "3", "--seed", "5") == 0
        assert LLMLog.load(work / "log").records["draw"].value_counts().sort("draw").rows() == [
            (0, 12),
            (1, 12),
            (2, 12),
        ]
        seeds = {cell.draw: cell.request.sampling.seed for cell in plan(work, draws=3, seed=5).cells}
        assert seeds == {0: 5, 1: 6, 2: 7}

    def test_an_early_end_is_balanced_over_tasks_and_llms(self, work):
        first = plan(work).cells[:6]
        assert {cell.question.task.name for cell in first} == {"echo", "repeat"}
        assert {cell.llm.name for cell in first} == {"clever", "dull"}


class TestGoingOn:
    def test_nothing_is_asked_twice(self, work):
        run(work)
        before = LLMLog.load(work / "log").records
        scripted.ASKED.clear()
        assert run(work) == 0
        assert asked() == set()
        assert LLMLog.load(work / "log").records.equals(before)

    def test_a_failed_cell_is_missing_with_its_reason_and_asked_again(self, work, capsys):
        write_llms(work, {"fail": "word1"})
        assert run(work) == 0
        assert "4 cells got no answer" in capsys.readouterr().err
        log = LLMLog.load(work / "log")
        assert log.records.height == 14
        failed = pl.read_csv(work / "log" / "collect" / "failed.csv")
        assert failed["reason"].unique().to_list() == ["the context is too long"]
        assert failed.height == 4
        scripted.ASKED.clear()
        write_llms(work)
        assert run(work) == 0
        assert len(asked()) == 4
        assert LLMLog.load(work / "log").records.height == 18
        assert pl.read_csv(work / "log" / "collect" / "failed.csv").height == 0

    @pytest.mark.parametrize("engine", ["local", "served"])
    def test_ctrl_c_keeps_what_is_there(self, work, engine, capsys):
        write_llms(work, {"interrupt_after": 3} if engine == "local" else {"model": "defect"}, engine=engine)
        if engine == "local":
            assert run(work) == 130
            assert "goes on from there" in capsys.readouterr().err
        else:
            with pytest.raises(RuntimeError, match="a defect"):
                run(work)
        answered = (work / "log" / "collect" / "answers.jsonl").read_text().count("\n")
        assert answered >= 3 if engine == "local" else answered >= 0
        write_llms(work, engine=engine)
        scripted.ASKED.clear()
        assert run(work) == 0
        assert len(asked()) == 18 - answered
        assert LLMLog.load(work / "log").records.height == 18

    def test_ctrl_c_waits_for_the_answers_under_way(self, work, capsys):
        write_llms(work, {"wait_s": 0.1}, {"wait_s": 0.1}, engine="served")

        def press():
            while len(scripted.ASKED) < 4:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=press).start()
        assert run(work) == 130
        assert "the answers under way are waited for" in capsys.readouterr().err
        answered = LLMLog.load(work / "log").records.height
        assert 0 < answered < 18
        assert len(asked()) == answered
        assert run(work) == 0
        assert len(asked()) == 18

    def test_what_is_answered_under_other_settings_is_not_mixed_in(self, work, capsys):
        run(work)
        for change in (
            {"temperature": 0.5},
            {"model": "other"},
            {"flavour": "!"},
            {"system": "Be brief."},
            {"max_tokens": 5},
        ):
            write_llms(work, change)
            assert run(work) == 2
            assert "are to others (first: clever" in capsys.readouterr().err
        write_llms(work, {"input_price": 0, "window": 4})  # neither changes an answer
        assert run(work) == 0
        row = LLMLog.load(work / "log").records.filter(pl.col("llm") == "clever").row(0, named=True)
        assert row["cost"] == pytest.approx(2 * 200 / 1e6)

    def test_more_questions_llms_and_tasks_are_added_to_what_is_there(self, work):
        words = ["collect", "--llms", str(work / "llms.yaml"), "--out", str(work / "log"), "--quiet"]
        main([*words, "--tasks", str(work / "echo.yaml"), "--limit", "1", "--only", "dull"])
        assert len(asked()) == 1
        assert run(work) == 0
        assert len(asked()) == 18

    def test_regrade_grades_without_asking(self, work):
        run(work)
        (work / "echo.jsonl").write_text(
            (work / "echo.jsonl").read_text().replace('"ground_truth": "word', '"ground_truth": "xx')
        )
        scripted.ASKED.clear()
        assert run(work) == 0
        assert LLMLog.load(work / "log").records["performance"].sum() == 12
        assert run(work, "--regrade") == 0
        assert asked() == set()
        assert LLMLog.load(work / "log").records["performance"].sum() == 6

    def test_an_llm_that_cannot_be_asked_does_not_stop_the_others(self, work, capsys):
        write_llms(work, {"model": "nobody"}, engine="served")
        assert run(work) == 2
        assert "clever could not be asked: the key must be right" in capsys.readouterr().err
        assert LLMLog.load(work / "log").records["llm"].unique().to_list() == ["dull"]

    def test_llms_behind_servers_are_asked_side_by_side(self, work):
        write_llms(work, {"wait_s": 0.02}, {"wait_s": 0.02}, engine="served")
        assert run(work) == 0
        assert max(scripted.TOGETHER) == 2
        scripted.TOGETHER.clear()
        write_llms(work)
        assert (
            main(
                [
                    "collect",
                    "--tasks",
                    tasks(work),
                    "--llms",
                    str(work / "llms.yaml"),
                    "--out",
                    str(work / "b"),
                    "--quiet",
                ]
            )
            == 0
        )
        assert max(scripted.TOGETHER) == 1


class TestBudget:
    @pytest.mark.parametrize("window", [1, 5])
    def test_it_is_never_exceeded_and_a_larger_one_goes_on(self, work, window, capsys):
        write_llms(work, {"window": window})
        most = [highest_cost(cell.llm, cell.request) for cell in plan(work).cells]
        budget = 1.2 * max(most)  # room for a few answers, as each costs less than it might
        assert run(work, "--budget", str(budget)) == 0
        assert "the budget ended the run" in capsys.readouterr().err
        log = LLMLog.load(work / "log")
        assert 0 < log.records["cost"].sum() <= budget
        assert 1 < log.records.height < 18
        assert run(work, "--budget", str(sum(most))) == 0
        assert len(asked()) == 18
        assert LLMLog.load(work / "log").records.height == 18

    def test_what_earlier_runs_spent_counts(self, work):
        run(work)
        spent = LLMLog.load(work / "log").records["cost"].sum()
        done = collect(plan(work), work / "log", budget=spent / 2, progress=False)
        assert done.spent == pytest.approx(spent)
        assert not done.over_budget

    def test_it_needs_prices(self, work, capsys):
        write_llms(work, wrong={"input_price": None})
        assert run(work, "--budget", "1") == 2
        assert "dull lacks them" in capsys.readouterr().err
        assert asked() == set()

    def test_a_dry_run_asks_nothing(self, work, capsys):
        assert run(work, "--dry-run") == 0
        out = capsys.readouterr().out
        assert "6 questions, 18 cells" in out
        assert "clever: at most $" in out
        assert asked() == set()
        assert not (work / "log").exists()


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"llms": []}, "must hold a list 'llms'"),
            ({"llms": ["gpt"]}, "LLM 1 must be a mapping"),
            ({"llms": [{"name": "x"}]}, "must have 'model'"),
            ({"llms": [RIGHT, RIGHT]}, "'clever' occurs twice"),
            ({"llms": [RIGHT | {"temprature": 1}]}, "did you mean 'temperature'"),
            ({"llms": [RIGHT | {"wait": 1}]}, "did you mean 'wait_s'"),
            ({"llms": [RIGHT | {"engine": "lokal"}]}, "did you mean 'local'"),
            ({"llms": [RIGHT | {"styles": ["fast"]}]}, "styles must be among direct, reasoning"),
            ({"llms": [RIGHT | {"input_price": -1}]}, "input_price must be 0 or more"),
            ({"llms": [RIGHT | {"temperature": "hot"}]}, "temperature is of the wrong type"),
            ({"llms": [RIGHT], "extra": 1}, "must hold a list 'llms' and optionally 'defaults'"),
            ({"llms": [RIGHT, {"name": "clever_think", "model": "right"}]}, "'clever_think' occurs twice"),
        ],
    )
    def test_llms_yaml(self, work, change, says, capsys):
        write(work / "llms.yaml", {"defaults": {"engine": "local"}} | change)
        assert run(work) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--draws", "0"], "draws and limit must be 1 or more"),
            (["--limit", "0"], "draws and limit must be 1 or more"),
            (["--draws", "2"], "several draws need a temperature above 0"),
            (["--styles", "slow"], "--styles must be among direct, reasoning"),
            (["--only", "clevr"], "did you mean 'clever'"),
            (["--tasks", "gsm9k"], "did you mean 'gsm8k'"),
            (["--bugdet", "3"], "did you mean --budget"),
            (["seeds=3"], "collect does not take"),
        ],
    )
    def test_options(self, work, options, says, capsys):
        assert run(work, *options) == 2
        assert says in capsys.readouterr().err.replace("'--budget'", "--budget")
        assert not (work / "log").exists()

    def test_a_folder_with_something_else_is_left_alone(self, work, capsys):
        (work / "log").mkdir()
        (work / "log" / "thesis.tex").write_text("x")
        assert run(work) == 2
        assert "holds thesis.tex" in capsys.readouterr().err
        assert [file.name for file in (work / "log").iterdir()] == ["thesis.tex"]

    def test_all_cells_failing_is_an_error_with_a_reason(self, work, capsys):
        write_llms(work, {"fail": "word"}, {"fail": "word"})
        assert run(work) == 2
        assert "the context is too long" in capsys.readouterr().err

    def test_a_task_twice_by_two_files_is_refused(self, work, capsys):
        (work / "again.yaml").write_text((work / "echo.yaml").read_text())
        words = ["collect", "--tasks", f"{work / 'echo.yaml'},{work / 'again.yaml'}", "--llms", str(work / "llms.yaml")]
        assert main([*words, "--out", str(work / "log")]) == 2
        assert "'echo' occurs twice" in capsys.readouterr().err


def test_tasks_are_listed(capsys):
    assert main(["tasks"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 14
    assert "openai/gsm8k" in out


def test_help_imports_nothing_heavy():
    code = "import sys; from fusion.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    heavy = "{'torch', 'transformers', 'datasets', 'aiohttp', 'math_verify', 'polars'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", f"{code}assert not {heavy}, {heavy}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", engine_names())
def test_what_an_answer_depends_on_are_options_of_the_engine(name):
    kind = find_engine(name)
    assert kind.answers_depend_on
    assert set(kind.answers_depend_on) <= {field.name for field in dataclasses.fields(kind)}
