"""From answers and grades to a canonical log."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import polars as pl

from fusion.answers import Answers, CellKey
from fusion.collect.plan import CollectionCandidate, CollectionPlan
from fusion.tasks.base import Grade
from fusion.text import encodable
from graphrouter.errors import UserError
from graphrouter.log import COLUMNS, LLMLog

ANSWER_COLUMNS = ("input_tokens", "output_tokens", "latency_s", "finish_reason")

OWN_COLUMNS = dict.fromkeys(("part", "guide", "guide_kind", "guide_ranking"), pl.String)
"""Columns of a log with guides that may hold nothing but nulls: the part of the split of ``queries``, and of ``llms``."""

STYLE_NOTE = {"direct": "", "reasoning": " It is asked to reason step by step."}
GUIDE_NOTE = {
    "few_shot": " It is shown solved examples of similar questions, chosen by {ranking}.",
    "thought": " It is shown thoughts that helped with similar questions, chosen by {ranking}.",
}
"""Added to an LLM's description, so that its candidates differ in text too."""


def assemble(plan: CollectionPlan, answers: Answers, grades: Mapping[CellKey, Grade], name: str) -> LLMLog:
    """Return the log of all graded answers. A cell that failed, or was not asked, has no record.

    Raises:
        UserError: If there is no answer at all.
    """
    if not grades:
        reason = next(iter(answers.failures.values()), "nothing was asked")
        raise UserError(f"{name} must hold at least one answer, but has none ({reason}); mend it and run again")
    records, texts = [], []
    shown = {cell.key: {"shown": cell.shown} for cell in plan.cells} if plan.guides else {}
    for key in sorted(grades):
        answer, grade = answers.answers[key], grades[key]
        at = {"query_id": key[0], "llm": key[1], "draw": key[2]}
        scores = {"performance": grade.performance, "prediction": grade.prediction, "cost": answers.cost(key)}
        texts.append(at | {"response": answer["response"]})
        counts = {column: answer[column] for column in ANSWER_COLUMNS}
        records.append(at | scores | counts | {"response_chars": len(answer["response"])} | shown.get(key, {}))
    tables = (_queries(plan), _llms(plan), _table("records", records))
    return LLMLog(name, *tables, texts=pl.DataFrame(list(map(_mended, texts))), encoder=plan.encoder)


def failures_csv(failures: Mapping[CellKey, str]) -> str:
    """Return a CSV of the cells that got no answer, with the reasons."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("query_id", "llm", "draw", "reason"))
    writer.writerows((*key, reason) for key, reason in sorted(failures.items()))
    return text.getvalue()


def _queries(plan: CollectionPlan) -> pl.DataFrame:
    rows = []
    for question in plan.questions:
        task, example = question.task, question.example
        rows.append(
            {
                "query_id": question.query_id,
                "task": task.name,
                "subtask": example.subtask,
                "domain": task.domain,
                "query": question.query,
                "ground_truth": example.ground_truth,
                "metric": task.metric,
                "source_split": example.source_split,
            }
        )
        if plan.guides:
            rows[-1]["part"] = question.part
    return _table("queries", rows)


def _llms(plan: CollectionPlan) -> pl.DataFrame:
    rows = []
    for candidate in plan.candidates:
        llm, guide = candidate.llm, candidate.guide
        about = {"size_b": llm.size_b, "input_price": llm.input_price, "output_price": llm.output_price}
        text = llm.description and llm.description + _note(candidate)
        row = {"llm": candidate.name, **about, "description": text, "model": llm.name, "style": candidate.style}
        if plan.guides:
            row |= {"guide": candidate.guide_name, "guide_kind": guide.kind if guide else None}
            row |= {"guide_ranking": guide.about["ranking"] if guide else None}
        rows.append(row)
    return _table("llms", rows)


def _note(candidate: CollectionCandidate) -> str:
    guide = candidate.guide
    shown = GUIDE_NOTE[guide.kind].format(ranking=guide.about["ranking"]) if guide else ""
    return STYLE_NOTE[candidate.style] + shown


def _table(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    known = {column: kind for column, kind in (COLUMNS[table] | OWN_COLUMNS).items() if column in rows[0]}
    return pl.DataFrame(list(map(_mended, rows)), schema_overrides=known, infer_schema_length=None)


def _mended(row: dict[str, Any]) -> dict[str, Any]:
    """Mend texts that no file can hold: questions of a user's own, and what models and graders wrote."""
    return {name: encodable(value) if isinstance(value, str) else value for name, value in row.items()}
