"""FusionBench: 14 tasks, 20 LLMs, each asked directly and to think step by step (arXiv:2507.10540).

The layout is what ``data_process/data_combine.py``, ``llm_engine.py`` and ``add_llm_judge.py`` of
https://github.com/ulab-uiuc/FusionFactory write. Its oddities, and what becomes of them here:

- A reasoning candidate ``<llm>_think`` has a query of its own, with "Let's think step by step" at the end (or before
  ``**Answer:**``) and other white space. Both join one query, whose text is that of the plain rows.
- A query is told from others by split, task, id, text and ground truth, never by its place in the file. The splits overlap
  (mbpp and human_eval are sampled from one file for both), so a query of both is two queries of equal text.
- ``performance`` may be text such as ``{'pass@1': np.float64(1.0)}``. Where the call failed it is empty: the cell stays missing.
- ``cost`` is tokens times dollars per million tokens, so millionths of a dollar.
- Vectors are printed tensors, on the first row of a query only.
- ``llm_judge`` is within [0, 1]. The script that adds it starts every row at 0, so a 0 may also be a judge that failed.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.hub import hub_rows, is_hub_name
from graphrouter.formats.rows import BadRow, Row, holds, shown, tables_with
from graphrouter.formats.vectors import parse_vector
from graphrouter.log_frames import content_id

NAME = "fusionbench"
LAYOUT = "one row per query and candidate with task_name, query, llm, performance; or the hub name ulab-ai/FusionBench"
COST_UNIT = "millionths of a dollar"
REQUIRED = ("task_name", "query", "llm", "performance")
MARKS = ("input_tokens_num", "output_tokens_num", "query_embedding", "task_description", "llm_description", "llm_judge")
"""Columns that few other tables have. The required ones alone are anyone's, with costs in dollars."""
SUFFIX = "_think"
STEP_BY_STEP = re.compile(r"\blet['’‘`´]?s\s+think\s+step[\s-]+by[\s-]+step[\s.!:…]*", re.IGNORECASE)
ANSWER = re.compile(r"\W*answer\W*", re.IGNORECASE)
PASS_AT_1 = re.compile(
    r"\{\s*['\"]pass@1['\"]\s*:\s*(?:(?:np|numpy)\.float\d*\(\s*)?([-+]?[\d.]+(?:e[-+]?\d+)?)\s*\)?\s*\}", re.IGNORECASE
)
SPLIT = re.compile(r"(?<![a-z])(partial_test|train|test)(?![a-z])")
TOLERANCE = 0.001
"""Share by which a cost may differ from tokens times prices before it counts as contradicting them."""


def recognises(path: Path) -> bool:
    """Whether a table has the columns and one that marks it, or the name is FusionBench's on the hub."""
    return holds(path, REQUIRED, MARKS) or (is_hub_name(path) and "fusionbench" in path.name.lower())


def read(path: Path, builder: LogBuilder) -> None:
    """Read a file, a folder of files (named by split), or a data set on the hub.

    Raises:
        UserError: If there is no such table, the hub cannot be reached, or a row is bad.
    """
    reader = _FusionBenchReader(builder)
    for split, row in _rows(path, builder):
        with builder.checking(row):
            reader.add(split, row)
    reader.finish()


def performance_of(row: Row) -> float | None:
    """Return ``performance`` as a number, or None where it is missing. Text is matched, never run.

    Raises:
        BadRow: If it is something else.
    """
    value = row.values.get("performance")
    if isinstance(value, dict):
        value = value.get("pass@1")
    found = PASS_AT_1.fullmatch(value.strip()) if isinstance(value, str) else None
    return Row(row.file, row.number, {"performance": found[1] if found else value}).share("performance")


def without_step_by_step(query: str) -> str:
    """Return a reasoning candidate's query without what makes it one."""
    for found in STEP_BY_STEP.finditer(query):
        rest = query[found.end() :]
        if not rest or ANSWER.fullmatch(rest):
            return query[: found.start()].rstrip() + (f"\n\n{rest}" if rest else "")
    return query


class _FusionBenchReader:
    """Adds rows to a builder, and keeps what can only be decided when all rows are known."""

    def __init__(self, builder: LogBuilder) -> None:
        self.builder = builder
        self.texts: dict[str, tuple[bool, str]] = {}
        self.prices: dict[str, Counter[tuple[float | None, float | None]]] = {}
        self.descriptions: dict[str, Counter[str]] = {}
        self.odd_costs: Counter[str] = Counter()

    def add(self, split: str | None, row: Row) -> None:
        llm = row.text("llm")
        query_id = self._add_query(split, row, thinking=llm.endswith(SUFFIX))
        self.builder.add_llm(llm)
        if description := row.optional_text("llm_description"):
            self.descriptions.setdefault(llm, Counter())[description] += 1
        performance, response = performance_of(row), row.whole_text("response")
        if performance is None and not response:
            performance = self.builder.failure()
        elif performance is None:
            self.builder.leave_missing()
        if performance is None:
            return
        self.builder.add_record(
            query_id,
            llm,
            performance,
            response=response,
            judge_score=row.share("llm_judge"),
            **self._spent(llm, row),
        )

    def _add_query(self, split: str | None, row: Row, thinking: bool) -> str:
        task, written, truth = row.text("task_name"), row.text("query"), _as_text(row, "ground_truth")
        text = without_step_by_step(written) if thinking else written
        source_id, folded = row.optional_text("task_id"), " ".join(text.split())
        query_id = content_id(task, split, source_id, folded, truth)
        self.builder.add_query(
            task,
            folded,
            query_id=query_id,
            ground_truth=truth,
            metric=row.optional_text("metric"),
            source_split=split,
            source_id=source_id,
            task_description=row.optional_text("task_description"),
        )
        self.texts[query_id] = min(self.texts.get(query_id, (True, text)), (thinking, text))
        vector = parse_vector(row.values.get("query_embedding"))
        if vector is not None:
            self.builder.add_vector(query_id, vector)
        return query_id

    def _spent(self, llm: str, row: Row) -> dict[str, Any]:
        tokens = [row.optional_number(f"{side}_tokens_num") for side in ("input", "output")]
        prices = [row.optional_number(f"{side}_price") for side in ("input", "output")]
        cost = row.optional_number("cost")
        self.prices.setdefault(llm, Counter())[prices[0], prices[1]] += 1
        parts = [None if a is None or b is None else a * b for a, b in zip(tokens, prices, strict=True)]
        if cost is not None and None not in parts:
            expected = float(sum(parts))  # type: ignore[arg-type]
            if expected and abs(cost * 1e6 - expected) <= TOLERANCE * expected:
                raise BadRow(
                    f"cost must be in {COST_UNIT}, as FusionBench writes it, but {cost:g} is tokens times prices in dollars; "
                    "read it with --format table"
                )
            self.odd_costs[llm] += abs(cost - expected) > TOLERANCE * max(cost, expected)
        return {
            "input_tokens": tokens[0],
            "output_tokens": tokens[1],
            "cost": None if cost is None else cost / 1e6,
        }

    def finish(self) -> None:
        """Settle texts, prices and descriptions: what most rows say, so that the order of rows does not matter."""
        for query_id, (_, text) in self.texts.items():
            self.builder.reword(query_id, text)
        changing = []
        for llm, found in self.prices.items():
            known = {prices: count for prices, count in found.items() if prices != (None, None)}
            if known:
                prices = min(known, key=lambda key: (-known[key], str(key)))
                self.builder.add_llm(llm, input_price=prices[0], output_price=prices[1])
                changing += [llm] if len(known) > 1 else []
        for llm, descriptions in self.descriptions.items():
            self.builder.add_llm(llm, description=min(descriptions, key=lambda text: (-descriptions[text], text)))
        self._warn(changing)

    def _warn(self, changing: list[str]) -> None:
        odd = {llm: count for llm, count in sorted(self.odd_costs.items()) if count}
        if odd:
            warnings.warn(
                f"{self.builder.name}: the cost of {sum(odd.values()):,} records is not tokens times prices, and is kept "
                f"as it is ({', '.join(odd)})",
                stacklevel=3,
            )
        if changing:
            warnings.warn(
                f"{self.builder.name}: prices change from row to row; that of most rows is kept for "
                f"{', '.join(sorted(changing))}",
                stacklevel=3,
            )


def _rows(path: Path, builder: LogBuilder) -> Iterator[tuple[str | None, Row]]:
    if is_hub_name(path):
        for row in builder.watched(hub_rows(path.as_posix()), path.name):
            yield row.file.name, row
        return
    files = tables_with(path, REQUIRED)
    if not files:
        raise UserError(f"{path} must be {LAYOUT}, but no table there has these columns")
    for file in files:
        inside = file.relative_to(path).as_posix() if path.is_dir() else file.name
        splits = SPLIT.findall(inside.lower())
        for row in builder.rows(file):
            yield (splits[-1] if splits else None), row


def _as_text(row: Row, column: str) -> str | None:
    """Return text; lists and objects, such as unit tests, as JSON."""
    value: Any = row.values.get(column)
    if isinstance(value, list | dict):
        try:
            return json.dumps(value, ensure_ascii=False)
        except TypeError:
            raise BadRow(f"{column} must be text, but is {shown(value)}") from None
    return row.optional_text(column)
