"""From answers and grades to a canonical log."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import polars as pl

from fusion.answers import Answers, CellKey
from fusion.collect.plan import Plan
from fusion.tasks.base import Grade
from graphrouter.errors import UserError
from graphrouter.log import COLUMNS, LLMLog

ANSWER_COLUMNS = ("input_tokens", "output_tokens", "latency_s", "finish_reason")

STYLE_NOTE = {"direct": "", "reasoning": " It is asked to reason step by step."}
"""Added to an LLM's description, so that its candidates differ in text too."""


def assemble(plan: Plan, answers: Answers, grades: Mapping[CellKey, Grade], name: str) -> LLMLog:
    """Return the log of all graded answers. A cell that failed, or was not asked, has no record.

    Raises:
        UserError: If there is no answer at all.
    """
    if not grades:
        reason = next(iter(answers.failures.values()), "nothing was asked")
        raise UserError(f"{name} must hold at least one answer, but has none ({reason}); mend it and run again")
    records, texts = [], []
    for key in sorted(grades):
        answer, grade = answers.answers[key], grades[key]
        at = {"query_id": key[0], "llm": key[1], "draw": key[2]}
        scores = {"performance": grade.performance, "prediction": grade.prediction, "cost": answers.cost(key)}
        texts.append(at | {"response": answer["response"]})
        counts = {column: answer[column] for column in ANSWER_COLUMNS}
        records.append(at | scores | counts | {"response_chars": len(answer["response"])})
    return LLMLog(name, _queries(plan), _llms(plan), _table("records", records), texts=pl.DataFrame(texts))


def failures_csv(failures: Mapping[CellKey, str]) -> str:
    """Return a CSV of the cells that got no answer, with the reasons."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("query_id", "llm", "draw", "reason"))
    writer.writerows((*key, reason) for key, reason in sorted(failures.items()))
    return text.getvalue()


def _queries(plan: Plan) -> pl.DataFrame:
    rows = []
    for question in plan.questions:
        task, example = question.task, question.example
        rows.append(
            {
                "query_id": question.query_id,
                "task": task.name,
                "subtask": example.subtask,
                "domain": task.domain,
                "query": task.prompt(example),
                "ground_truth": example.ground_truth,
                "metric": task.metric,
                "source_split": example.source_split,
            }
        )
    return _table("queries", rows)


def _llms(plan: Plan) -> pl.DataFrame:
    rows = []
    for llm in plan.llms:
        for style in llm.styles:
            about = {"size_b": llm.size_b, "input_price": llm.input_price, "output_price": llm.output_price}
            text = llm.description and llm.description + STYLE_NOTE[style]
            rows.append({"llm": llm.candidate(style), **about, "description": text, "model": llm.name, "style": style})
    return _table("llms", rows)


def _table(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    known = {column: kind for column, kind in COLUMNS[table].items() if column in rows[0]}
    return pl.DataFrame(rows, schema_overrides=known, infer_schema_length=None)
