"""RouterArena: what routers chose, what came back, and how it was scored.

Source: https://github.com/RouteWorks/RouterArena (arXiv:2510.00202). ``router_inference/predictions/<router>.json`` is
a list of ``{"global index", "prompt", "prediction", "generated_result": {"generated_answer", "success", "token_usage"},
"cost", "accuracy", "for_optimality"}`` (``global_index`` in some files); ``cached_results/<llm>.jsonl`` has
``global_index, question, llm_selected, generated_answer, token_usage, success, evaluation_result: {score,
inference_cost}``. ``llm_evaluation/run.py`` fills in accuracy and cost.

Conventions: a record is a scored answer, so a log of predictions holds one LLM per query, and more where a router's
entries for optimality ask others. Entries without a score and failed generations are left out, each with a count; the latter can
count as wrong. Routers share cached
answers: an answer that stands in several files, with equal tokens and cost, counts once. The task is the part of the
index before the first ``_``, as in the evaluation there. A cost of 0, which is written where no price is known, is
missing. Files ``*-robustness.json`` hold changed prompts without answers, and are skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.cells import charged
from graphrouter.formats.rows import BadRow, Row, columns_of, shown
from graphrouter.formats.sources import ending, stem
from graphrouter.log_frames import content_id

NAME = "routerarena"
LAYOUT = "RouterArena's router_inference/predictions/<router>.json or cached_results/<llm>.jsonl"
COST_UNIT = "US dollars"
INSIDE = ("router_inference/predictions/*.json", "cached_results/*.jsonl")
INDICES = ("global index", "global_index")
TEXTS = (".json", ".jsonl", ".ndjson")
ROBUSTNESS = "-robustness"
METEOR = "meteor_score"
BELOW = "have a score below 0, as METEOR's penalty for word order can make it, and count as 0"


def recognises(path: Path) -> bool:
    """Return whether a file, or the first one of a folder, has the fields of predictions or of cached results."""
    for file in _files(path)[:1]:
        columns = set(columns_of(file))
        if columns & set(INDICES) and ({"prompt", "prediction"} <= columns or {"question", "llm_selected"} <= columns):
            return True
    return False


def read(path: Path, builder: LogBuilder) -> None:
    """Add a file, all files of a folder, or those of the repository.

    Raises:
        UserError: If there is no file, or no entry in any has a score.
    """
    files = _files(path)
    if not files:
        raise UserError(f"{path} must hold predictions or cached results of RouterArena, but holds none")
    builder.add_rows(files, _add)
    if builder.found_nothing:
        raise UserError(
            f"{path} must hold scored answers, but none of its {builder.unscored:,} entries has an answer and a score; run RouterArena's "
            "llm_inference/run.py and llm_evaluation/run.py first"
        )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if ending(path) in TEXTS else []
    found = [file for pattern in INSIDE for file in sorted(path.glob(pattern))]
    found = found or sorted(file for file in path.glob("*.*") if ending(file) in TEXTS)
    return [file for file in found if not stem(file).endswith(ROBUSTNESS)]


def _add(row: Row, builder: LogBuilder) -> None:
    """Add an entry that was answered and scored."""
    index = next((text for name in INDICES if (text := row.optional_text(name))), None)
    if index is None:
        raise BadRow("global_index must be text, but is absent")
    cached = "llm_selected" in row.values
    query, llm = (row.text(name) for name in (("question", "llm_selected") if cached else ("prompt", "prediction")))
    answer = row.values if cached else _object(row, "generated_result")
    marks = _object(row, "evaluation_result") if cached else row.values
    facts = Row(row.file, row.number, {**_object(Row(row.file, row.number, answer), "token_usage"), **answer, **marks})
    performance = _performance(facts, "score" if cached else "accuracy", builder)
    if answer and (facts.values.get("success") is False or facts.values.get("generated_answer") is None):
        performance = builder.failure()
    elif performance is None or not answer:
        builder.leave_missing()
        return
    if performance is None:
        return
    columns: dict[str, Any] = {
        "input_tokens": charged(facts, "input_tokens"),
        "output_tokens": charged(facts, "output_tokens"),
        "cost": charged(facts, "inference_cost" if cached else "cost"),
    }
    task, finer = index.split("_")[0], index.rpartition("_")[0] or index
    key = content_id(task, finer, query)
    builder.add_query(task, query, query_id=key, subtask=finer if finer != task else None)
    builder.add_llm(llm)
    builder.add_record(key, llm, performance, response=facts.optional_text("generated_answer") or "", **columns)


def _performance(facts: Row, column: str, builder: LogBuilder) -> float | None:
    """Return a score. Predictions do not say by which metric; of those there, only METEOR can fall below 0."""
    value = facts.values.get(column)
    if isinstance(value, int | float) and -1 < value < 0 and facts.values.get("metric") in (None, METEOR):
        builder.remarks[BELOW] += 1
        return 0.0
    return facts.share(column)


def _object(row: Row, column: str) -> dict[str, Any]:
    value = row.values.get(column)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRow(f"{column} must be an object, but is {shown(value)}")
    return value
