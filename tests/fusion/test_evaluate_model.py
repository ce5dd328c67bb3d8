"""The model level and all levels together: students, routers and guides on the same test queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from guided import TASKS, TWINS, make_log
from tiny_models import save_tiny
from training_rows import CHAT

from fusion.cli import main
from fusion.evaluation.levels import evaluate_levels
from fusion.evaluation.model import best_llm, evaluate_models, find_students
from fusion.evaluation.scoring import Part, ScoredCandidate, aligned, of_choice, of_llm, score
from fusion.evaluation.tables import difference_table, score_table
from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.run import RunOptions
from graphrouter.splits import by_query

QUICK: dict[str, Any] = {"routers": ("best_single", "best_per_task"), "run": RunOptions(device="cpu")}
SPLIT = ("train", "validation", "test")


def part(groups: list[int], **values: list[float]) -> Part:
    """Two queries of one domain and task, then the rest of another."""
    labels = np.array(["a", "a", *["b"] * (len(groups) - 2)], dtype=object)
    unknown = np.full(len(groups), np.nan)
    measures = {
        ScoredCandidate(name, "model", "student"): {
            "performance": np.array(found, dtype=np.float64),
            **dict.fromkeys(("input_tokens", "cost"), unknown),
            "output_tokens": np.arange(len(groups), dtype=np.float64),
        }
        for name, found in values.items()
    }
    return Part(np.array(groups), labels, labels, measures)


def at(table: pl.DataFrame, **where: str) -> dict[str, Any]:
    return table.row(by_predicate=pl.all_horizontal(pl.col(key) == value for key, value in where.items()), named=True)


def test_scores_are_means_over_queries_and_then_parts_and_pairs_are_of_the_same_queries() -> None:
    first = part([1, 2, 3, 4], one=[1, 0, 1, 1], two=[0, 0, 1, float("nan")])
    second = part([5, 6], one=[0, 0], two=[1, 1])
    scores, differences = score([first, second], [("one", "two")])
    one = at(scores, candidate="one", scope="all")
    assert (one["performance"], one["queries"]) == (pytest.approx((0.75 + 0) / 2), 6)
    assert one["output_tokens"] == pytest.approx((1.5 + 0.5) / 2)
    assert np.isnan(one["cost"])
    assert at(scores, candidate="two", scope="all")["performance"] == pytest.approx((1 / 3 + 1) / 2)
    pair = at(differences, candidate="one", against="two", scope="all")
    assert pair["difference"] == pytest.approx(((1 + 0 + 0) / 3 - 1) / 2)
    assert pair["low"] <= pair["difference"] <= pair["high"]
    inner = at(differences, candidate="one", against="two", scope="task", name="b")
    assert inner["difference"] == pytest.approx(0)  # the second part has no query of it
    assert at(scores, candidate="one", scope="domain", name="a")["queries"] == 4


def test_queries_of_equal_wording_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    right = rng.integers(0, 2, 40).astype(float)
    alone = score([part(list(range(40)), one=list(right))], [])[0]
    doubled = score([part([*range(40), *range(40)], one=[*right, *right])], [])[0]
    width = [row["high"] - row["low"] for row in (at(alone, scope="all"), at(doubled, scope="all"))]
    assert width[1] == pytest.approx(width[0], rel=0.1)  # copies add no certainty


def test_a_part_knows_equal_wording_from_the_log(log: LLMLog) -> None:
    groups = Part.of(log, {}).groups
    assert len(set(groups.tolist())) == log.queries.height - len(TASKS) * TWINS  # copies in other case


def test_the_tables_name_every_candidate_and_mark_what_is_sure() -> None:
    scores, differences = score([part([1, 2, 3, 4], one=[1, 1, 1, 1], two=[0, 0, 0, 1])], [("one", "two")])
    rows = score_table(scores)
    assert [row[0] for row in rows] == ["candidate", "two", "one"]
    assert rows[2][2] == "1.0000 [1.0000, 1.0000]"
    assert rows[1][3:5] == ["0.000", "0.500"]
    assert rows[1][-1] == "-"
    pairs = difference_table(differences)
    assert pairs[0] == ["candidate", "against", "difference, 95% interval", "a", "b"]
    assert pairs[1][3:] == ["+1.000*", "+0.500"]
    other = score([part([1, 2, 3, 4], one=[0, 0, 0, 0], two=[1, 1, 0, 1])], [("one", "two")])[1]
    assert difference_table(other)[1][3:] == ["-1.000*", "-0.500"]


@pytest.fixture(scope="module")
def log() -> LLMLog:
    return make_log(30)


@pytest.fixture(scope="module")
def held(log: LLMLog) -> LLMLog:
    return log.take(by_query(log, 0).test)


def answers_of(test: LLMLog, **right: float) -> LLMLog:
    """A log of students, each right with its own performance on every test query."""
    records = [(query, llm, share, 10.0, 2.0) for query in test.queries["query_id"] for llm, share in right.items()]
    columns = ["query_id", "llm", "performance", "input_tokens", "output_tokens"]
    llms = pl.DataFrame({"llm": list(right)})
    return LLMLog("answers", test.queries, llms, pl.DataFrame(records, schema=columns, orient="row"))


def test_another_log_is_laid_along_and_other_questions_are_refused(held: LLMLog) -> None:
    answers = answers_of(held, student=1.0)
    fewer = answers.take(np.arange(3))
    found = aligned(fewer, held, "student")
    assert np.isnan(found["performance"]).sum() == held.queries.height - 3
    assert found["output_tokens"][:3].tolist() == [2.0] * 3
    shifted = aligned(answers.take(np.arange(held.queries.height)[::-1]), held, "student")
    assert not np.isnan(shifted["performance"]).any()
    other = answers.queries.with_columns(query=pl.col("query") + "?")
    changed = LLMLog("changed", other, answers.llms, answers.records)
    with pytest.raises(UserError, match="must be the same question in .* and changed"):
        aligned(changed, held, "student")


def test_a_choice_takes_performance_and_tokens_of_the_chosen(log: LLMLog) -> None:
    utility = np.tile([0.0, 1.0, 0.5], (log.queries.height, 1))
    column = log.llm_names[1]
    assert {name: values.tolist() for name, values in of_choice(log, utility).items() if name != "cost"} == {
        name: values.tolist() for name, values in of_llm(log, column).items() if name != "cost"
    }


def test_students_are_compared_with_base_routers_and_the_best_llm(log: LLMLog, held: LLMLog) -> None:
    found = evaluate_models(log, answers_of(held, perfect=1.0, half=0.5, start=0.25), base="start", **QUICK)
    assert found.queries == held.queries.height
    kinds = dict(found.scores.filter(pl.col("scope") == "all").select("candidate", "kind").iter_rows())
    assert kinds["start"] == "base"
    assert kinds["perfect"] == kinds["half"] == "student"
    assert kinds["oracle"] == kinds["best_single"] == "router"
    assert {kinds[llm] for llm in log.llm_names} == {"llm"}
    pairs = found.differences.filter(pl.col("scope") == "all")
    assert set(pairs["candidate"]) == {"perfect", "half"}
    assert set(pairs["against"]) == {"start", "best_single", "best_per_task", "good"}
    assert at(pairs, candidate="half", against="start")["difference"] == pytest.approx(0.25)
    good = float(np.nanmean(of_llm(held, "good")["performance"]))
    assert at(pairs, candidate="perfect", against="good")["difference"] == pytest.approx(1 - good)
    assert at(pairs, candidate="perfect", against="best_single")["difference"] == pytest.approx(1 - good)
    domains = found.scores.filter((pl.col("scope") == "domain") & (pl.col("candidate") == "half"))
    assert domains["name"].to_list() == sorted(set(TASKS.values()))
    with pytest.raises(UserError, match="the base must be among the LLMs, but is 'goood'; did you mean 'good'"):
        evaluate_models(log, answers_of(held, half=0.5), base="goood", **QUICK)


def test_a_folder_takes_size_and_prices_of_its_base(tmp_path: Path) -> None:
    log = make_log()
    llms = log.llms.with_columns(size_b=pl.lit(7.0), input_price=pl.lit(0.5), output_price=pl.lit(1.5))
    log = LLMLog("priced", log.queries, llms, log.records)
    for name in ("student", "other", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").touch()
    (student,) = find_students([str(tmp_path / "student")], "good", log)
    assert (student.name, student.engine, student.size_b, student.output_price) == ("student", "transformers", 7.0, 1.5)
    both = find_students([str(tmp_path / "student")], str(tmp_path / "other"), log)
    assert [(llm.name, llm.input_price) for llm in both] == [("student", None), ("other", None)]
    with pytest.raises(UserError, match="a student must have a name of its own, but 'bad' occurs twice"):
        find_students([str(tmp_path / "bad")], None, log)
    with pytest.raises(
        UserError, match="must be a YAML file of LLMs or a model's folder, but nowhere is neither; train"
    ):
        find_students(["nowhere"], None, log)
    with pytest.raises(UserError, match="but god is neither; did you mean 'good'"):
        find_students([], "god", log)


def guided_log(log: LLMLog, seed: int = 0) -> LLMLog:
    """The log with a guide that makes `good` right everywhere; each query has its part."""
    split = by_query(log, seed)
    parts = np.empty(log.queries.height, dtype=object)
    for name in SPLIT:
        parts[getattr(split, name)] = name
    plain = log.llms.with_columns(guide=pl.lit(None, pl.String), guide_kind=pl.lit(None, pl.String))
    guide = plain.filter(pl.col("llm") == "good").with_columns(
        llm=pl.lit("good_t"), guide=pl.lit("t"), guide_kind=pl.lit("thought")
    )
    llms = pl.concat([plain, guide]).with_columns(guide_ranking=pl.lit("graph"))
    extra = log.records.filter(pl.col("llm") == "good").with_columns(llm=pl.lit("good_t"), performance=pl.lit(1.0))
    records = pl.concat([log.records, extra]).with_columns(shown=pl.lit(1.0))
    queries = log.queries.with_columns(part=pl.Series(parts.tolist(), dtype=pl.String))
    return LLMLog("guided", queries, llms, records, encoder=log.encoder)


def test_all_levels_stand_in_one_table_against_the_best_single_llm_of_training(log: LLMLog, held: LLMLog) -> None:
    guided, answers = guided_log(log), answers_of(held, student=0.5)
    found = evaluate_levels(log, guided=guided, answers=answers, **QUICK)
    assert found.single == "good"
    levels = {row["candidate"]: row["level"] for row in found.scores.iter_rows(named=True)}
    assert levels["good"] == "llm"
    assert levels["best_per_task"] == "query"
    assert levels["good_t"] == levels["best_single with guides"] == levels["oracle with guides"] == "thought"
    assert levels["student"] == "model"
    whole = found.scores.filter(pl.col("scope") == "all")
    assert at(whole, candidate="good_t")["performance"] == 1
    assert at(whole, candidate="best_single with guides")["performance"] == 1
    assert at(whole, candidate="student")["output_tokens"] == 2
    pairs = found.differences.filter(pl.col("scope") == "all")
    good = float(np.nanmean(of_llm(held, "good")["performance"]))
    assert at(pairs, candidate="good_t", against="good")["difference"] == pytest.approx(1 - good)
    assert set(pairs["against"]) == {"good"}
    with pytest.raises(
        UserError, match="test queries of the same split, but .* are others; collect it with --split-seed"
    ):
        evaluate_levels(log, guided=guided_log(log, seed=1), **QUICK)
    bad = guided.take_llms(["bad", "good"])
    with pytest.raises(UserError, match="has none; make them with fusion collect --guide"):
        evaluate_levels(log, guided=bad, **QUICK)


def test_the_best_llm_is_that_of_the_best_mean() -> None:
    first, second = ScoredCandidate("a", "llm", "llm"), ScoredCandidate("b", "llm", "llm")
    values = {
        first: {"performance": np.array([0.0, 1.0])},
        second: {"performance": np.array([1.0, np.nan])},
        ScoredCandidate("c", "query", "router"): {"performance": np.array([1.0, 1.0])},
    }
    assert best_llm(values) == "b"


@pytest.fixture(scope="module")
def work(log: LLMLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log, its tasks and a random student on disk."""
    folder = tmp_path_factory.mktemp("work")
    log.save(folder / "log")
    (folder / "tasks").mkdir()
    prompts = {"direct": "{question}", "reasoning": "{question} Think."}
    for task, domain in TASKS.items():
        about = {"name": task, "domain": domain, "metric": "exact_match", "prompts": prompts}
        (folder / "tasks" / f"{task}.yaml").write_text(yaml.safe_dump({**about, "max_tokens": {"direct": 3}}))
        rows = log.queries.filter(pl.col("task") == task).iter_rows(named=True)
        lines = [
            {"id": row["query_id"].rpartition("-")[2], "question": row["query"], "ground_truth": row["ground_truth"]}
            for row in rows
        ]
        (folder / "tasks" / f"{task}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    small = {"num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 64}
    save_tiny(folder / "student", CHAT, **small)
    return folder


def run(work: Path, *words: str) -> int:
    quick = ["--quiet", "--device", "cpu", "--routers", "best_single"]
    return main(["evaluate", str(work / "log"), *words, *quick])


@pytest.mark.filterwarnings("ignore:.*questions that repeat another")
def test_the_command_asks_a_student_once_and_writes_all_tables(
    work: Path, held: LLMLog, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = ["--tasks", str(work / "tasks"), "--students", str(work / "student")]
    assert run(work, "--level", "model", *tasks, "--base", "good", "--out", str(work / "out")) == 0
    printed = capsys.readouterr().out
    assert f"{log_name(work)}: {held.queries.height} test queries" in printed
    scores = pl.read_csv(work / "out" / "model.csv")
    student = at(scores, candidate="student", scope="all")
    assert (student["kind"], student["performance"], student["output_tokens"]) == ("student", 0.0, 3.0)
    pairs = pl.read_csv(work / "out" / "model_differences.csv")
    assert set(pairs["against"]) == {"good", "best_single"}
    text = (work / "out" / "model.md").read_text()
    assert all(name in text for name in (*TASKS, *TASKS.values(), "oracle", "| student | model |"))
    answers = LLMLog.load(work / "out" / "answers")
    assert set(answers.queries["query_id"]) <= set(held.queries["query_id"])
    journal = work / "out" / "answers" / "collect" / "answers.jsonl"
    before = journal.read_bytes()
    assert run(work, "--level", "all", *tasks, "--out", str(work / "out"), "--format", "csv") == 0
    assert journal.read_bytes() == before
    assert capsys.readouterr().out == (work / "out" / "levels.csv").read_text()


def log_name(work: Path) -> str:
    return LLMLog.load(work / "log").name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--level", "model"], "--level model needs --out DIR"),
        (["--level", "model", "--out", "OUT"], "--level model needs --students"),
        (["--level", "all", "--out", "OUT"], "--level all needs --guided LOG, --students, or both"),
        (["--level", "model", "--out", "OUT", "--students", "x"], "name its tasks with --tasks"),
        (["--level", "model", "--out", "OUT", "--students", "x", "--tasks", "EMPTY"], "x is neither; train one"),
        (["--level", "model", "--out", "OUT", "--students", "STUDENT", "--tasks", "EMPTY"], "EMPTY has none"),
        (["--level", "modle"], "invalid choice: 'modle'"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    work: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "EMPTY").mkdir(exist_ok=True)
    named = {"OUT": str(work / "none"), "STUDENT": str(work / "student"), "EMPTY": str(work / "EMPTY")}
    assert run(work, *(named.get(word, word) for word in words)) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert message in told
