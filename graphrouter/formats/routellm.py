"""RouteLLM: its evaluations of a strong and a weak LLM on gsm8k, MMLU and MT-Bench.

Source: https://github.com/lm-sys/RouteLLM, folder ``routellm/evals``, as ``benchmarks.py`` there reads it:
``gsm8k/gsm8k_responses.csv`` (``prompt, <weak>, <strong>, <weak>_response, <strong>_response``, True or False per LLM),
``mmlu/responses/mmlu_<subject>.csv`` (without responses), and ``mt_bench/judgements.jsonl`` (GPT-4's rating of each of
two turns from 1 to 10) with ``question.jsonl`` beside it.

Conventions: on MT-Bench ``performance`` is the mean rating of the turns divided by 10, and so is ``judge_score``; the
query holds both turns with a line ``[second turn]``, read from ``question.jsonl`` or, where that is absent, from the
judge's prompts. A rating of -1 (none could be read) is missing. Each MMLU subject is a subtask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.row import TRUTH
from graphrouter.formats.rows import BadRow, Row, columns_of, read_rows, shown
from graphrouter.formats.sources import ending, stem
from graphrouter.log_frames import content_id

NAME = "routellm"
LAYOUT = "RouteLLM's evals: gsm8k_responses.csv or mmlu_<subject>.csv (prompt, <weak>, <strong>), or mt_bench/judgements.jsonl"
COST_UNIT = "US dollars"
PROMPT, RESPONSE = "prompt", "_response"
JUDGEMENTS, QUESTIONS = "judgements.jsonl", "question.jsonl"
WITHIN = ("gsm8k_responses.csv", "mmlu_*.csv", JUDGEMENTS)
JUDGEMENT = {"question_id", "model", "judge", "score", "turn"}
RATINGS = 10.0
UNREAD = -1.0
SECOND = "\n\n[second turn]\n"
OTHERS = {"query", "llm", "model", "performance", "score", "label", "correct", "accuracy", "cost", "id", "index"}
"""Columns of tables with 0 and 1 in them that name no LLM."""
FIRST_QUESTION = re.compile(r"\[Question\]\n(.*?)\n\n\[The Start of ", re.DOTALL)
SECOND_QUESTION = re.compile(r"### User:\n((?:(?!### User:\n).)*?)\n\n### Assistant A:", re.DOTALL)


def recognises(path: Path) -> bool:
    """Return whether a file has the columns of an evaluation, or a folder holds files of their names that do."""
    if path.is_dir():
        return any(recognises(file) for pattern in WITHIN for file in list(path.rglob(pattern))[:1])
    columns = columns_of(path)
    if ending(path) == ".jsonl":
        return set(columns) >= JUDGEMENT
    if ending(path) != ".csv" or len(_llms(columns)) != 2 or not _is_ours(columns) or set(columns) & OTHERS:
        return False
    first = next(read_rows(path, lambda *_: None), None)
    return first is not None and all(str(first.values[llm]).lower() in (*TRUTH, "0", "1") for llm in _llms(columns))


def read(path: Path, builder: LogBuilder) -> None:
    """Add a file, or all evaluations in a folder.

    Raises:
        UserError: If there is none, or a file has other columns.
    """
    files = sorted(file for pattern in WITHIN for file in path.rglob(pattern)) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path} must hold {', '.join(WITHIN)}, but holds none of them; name RouteLLM's folder evals")
    for file in files:
        if ending(file) == ".jsonl":
            _judgements(file, builder)
        else:
            _correctness(file, builder)


def _llms(columns: list[str]) -> list[str]:
    names = set(columns) - {PROMPT}
    return sorted(name for name in names if not (name.endswith(RESPONSE) and name.removesuffix(RESPONSE) in names))


def _is_ours(columns: list[str]) -> bool:
    """Return whether there is a prompt, and every other column is an LLM's score or response."""
    return PROMPT in columns and "" not in columns


def _correctness(file: Path, builder: LogBuilder) -> None:
    """Add a table of right and wrong. Equal prompts in one file are draws of one query."""
    name = stem(file).removesuffix("_responses")
    task, subtask = ("mmlu", name) if name.startswith("mmlu_") else (name, None)
    for row in builder.rows(file):
        columns = list(row.values)
        llms = _llms(columns)
        if not _is_ours(columns) or not llms:
            raise UserError(f"{file} must have the columns {PROMPT}, <weak>, <strong>, but has {shown(columns)}")
        with builder.checking(row):
            query = row.text(PROMPT)
            marks = {llm: row.share(llm) for llm in llms}
            responses = {llm: row.optional_text(llm + RESPONSE) for llm in llms}
            key = builder.add_query(task, query, query_id=content_id(task, subtask, query), subtask=subtask)
            for llm, mark in marks.items():
                builder.add_llm(llm)
                if mark is None:
                    builder.leave_missing()
                else:
                    builder.add_record(key, llm, mark, response=responses[llm])


def _judgements(file: Path, builder: LogBuilder) -> None:
    """Add the ratings of MT-Bench, one record for both turns."""
    turns = _turns(file.parent / QUESTIONS, builder)
    ratings: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in builder.rows(file):
        if not set(row.values) >= JUDGEMENT - {"judge"}:
            raise UserError(f"{file} must have {', '.join(sorted(JUDGEMENT))}, but has {shown(sorted(row.values))}")
        with builder.checking(row):
            number, llm, turn = (row.text(name) for name in ("question_id", "model", "turn"))
            rating = _rating(row)
            asked = turns.get(number, {}).get(turn) or _asked(row)
            if turn in ratings.get(number, {}).get(llm, {}):
                raise BadRow(f"a turn must be judged once per LLM, but question {number}, turn {turn} was there before")
            turns.setdefault(number, {})[turn] = asked
            ratings.setdefault(number, {}).setdefault(llm, {})[turn] = rating
    for number, by_llm in ratings.items():
        key = builder.add_query("mt_bench", SECOND.join(turns[number][turn] for turn in sorted(turns[number])))
        for llm, by_turn in by_llm.items():
            builder.add_llm(llm)
            known = [rating for rating in by_turn.values() if rating is not None]
            if not known:
                builder.leave_missing()
            else:
                mean = sum(known) / len(known)
                builder.add_record(key, llm, mean, judge_score=mean)


def _rating(row: Row) -> float | None:
    rating = row.number_of("score", low=UNREAD, high=RATINGS)
    if UNREAD < rating < 0:
        raise BadRow(f"score must be within [0, 10], or -1 for none, but is {rating:g}")
    return None if rating == UNREAD else rating / RATINGS


def _turns(file: Path, builder: LogBuilder) -> dict[str, dict[str, str]]:
    """Return the turns of each question, by number from 1."""
    turns: dict[str, dict[str, str]] = {}
    for row in builder.rows(file) if file.exists() else ():
        with builder.checking(row):
            asked = row.values.get("turns")
            if not isinstance(asked, list) or not asked or not all(isinstance(turn, str) for turn in asked):
                raise BadRow(f"turns must be a list of texts, but is {shown(asked)}")
            turns[row.text("question_id")] = {str(at): turn for at, turn in enumerate(asked, start=1)}
    return turns


def _asked(row: Row) -> str:
    """Return the question of a turn, from the prompt that the judge was given."""
    prompt = row.optional_text("user_prompt") or ""
    found = _last(SECOND_QUESTION.finditer(prompt)) or _last(FIRST_QUESTION.finditer(prompt))
    if not found:
        raise BadRow(f"its question must stand in {QUESTIONS} or in user_prompt, but stands in neither")
    return found


def _last(matches: Iterator[re.Match[str]]) -> str:
    found = ""
    for match in matches:
        found = match[1]
    return found
