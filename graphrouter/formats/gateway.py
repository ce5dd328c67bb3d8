"""Logs of an OpenAI-compatible gateway: one request and response per row, so one LLM per query, as in production.

Three shapes are read, in JSONL or a JSON list:

- ``{"request": {"model", "messages"}, "response": {"model", "choices", "usage"}, ...}``, each also as JSON text, or
  inside a ``body`` as Portkey logs them (https://portkey.ai/docs/api-reference/logs);
- flat rows as LiteLLM logs them (https://docs.litellm.ai/docs/proxy/logging_spec): ``model, messages, response,
  prompt_tokens, completion_tokens, response_cost`` or ``spend, startTime, endTime, status, metadata``;
- our own: ``query`` (a text) or ``messages``, ``llm``, ``response``, ``performance``, ``input_tokens, output_tokens,
  cost, latency_s, task``.

Each row needs a score in [0, 1], in ``performance`` or ``score``, on the row or in its ``metadata``; so may be ``task``
and ``judge_score``. Rows without a score and failed requests are counted and left out.

Conventions: the query is the last message of the user; the other turns follow below a line ``[other turns]``, so that
an encoder that cuts long texts sees the question first. System messages are no part of the text, but requests that
differ in them are different queries. The LLM is the one that the response names, else the one that was asked. A cost of
0, which gateways write where they know no price, is missing. Nothing else is kept: no keys, headers, users or
addresses. Errors show no content of messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder, content_id
from graphrouter.formats.cells import amount, charged, score, text_of
from graphrouter.formats.rows import BadRow, Row, columns_of

NAME = "gateway"
LAYOUT = (
    "chat logs of an OpenAI-compatible gateway, JSONL of request (model, messages), response (choices, usage) and score"
)
OTHER_TURNS = "\n\n[other turns]\n"
ENDINGS = (".jsonl", ".json")
SCORES = ("performance", "score")
INPUT_TOKENS = ("input_tokens", "prompt_tokens")
OUTPUT_TOKENS = ("output_tokens", "completion_tokens")
COSTS = ("cost", "response_cost", "spend")
SYSTEM = ("system", "developer")
OTHERS = {"task_name", "judge", "question_id", "global_index", "records", "effect"}
"""Fields of other layouts."""


def recognises(path: Path) -> bool:
    """Return whether the first row of a file, or of a folder's first file, is a request with its response."""
    for file in _files(path)[:1]:
        columns = set(columns_of(file))
        if columns & OTHERS:
            return False
        return {"request", "response"} <= columns or {"model", "messages"} <= columns or {"query", "llm"} <= columns
    return False


def read(path: Path, builder: LogBuilder) -> None:
    """Add a file, or all files of a folder.

    Raises:
        UserError: If there is no file, or no row has a score.
    """
    files = _files(path)
    if not files:
        raise UserError(f"{path} must be a JSONL file or hold some, but is none")
    builder.add_rows(files, _add)
    if builder.found_nothing:
        raise UserError(
            f"{path}: a log needs scores, but none of its {builder.unscored:,} requests has one; add 'score' in [0, 1] to the rows, "
            "such as a user's thumb, a check of the answer or an LLM judge's mark"
        )


def _files(path: Path) -> list[Path]:
    files = [path] if path.is_file() else sorted(path.glob("*.json*")) if path.is_dir() else []
    return [file for file in files if file.suffix.lower() in ENDINGS]


def _add(row: Row, builder: LogBuilder) -> None:
    """Add a request that was scored and answered."""
    request, response = _object(row, "request"), _object(row, "response")
    metadata, usage = _object(row, "metadata"), _object(row, "usage") or response.get("usage") or {}
    if not isinstance(usage, dict):
        raise BadRow(f"usage must be an object, but is {_kind(usage)}")
    facts = Row(row.file, row.number, {**_known(usage), **_known(metadata), **_known(row.values)})
    performance = next((mark for name in SCORES if (mark := score(facts, name)) is not None), None)
    if performance is None or _failed(row, response):
        builder.leave_missing()
        return
    turns = _turns(row, request)
    task = facts.optional_text("task")
    llm = _llm(row, request, response)
    columns: dict[str, Any] = {
        "judge_score": facts.optional_number("judge_score", high=1.0),
        "input_tokens": _first(facts, INPUT_TOKENS),
        "output_tokens": _first(facts, OUTPUT_TOKENS),
        "cost": _first(facts, COSTS),
        "latency_s": _latency(facts),
    }
    answer = text_of(response or row.values.get("response"))
    key = builder.add_query(task, _query(turns), query_id=content_id(task, json.dumps(turns)))
    builder.add_llm(llm)
    builder.add_record(key, llm, performance, response=answer, **columns)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _object(row: Row, column: str) -> dict[str, Any]:
    """Return an object, also one in JSON text or in a ``body``; empty where the cell is none."""
    value = row.values.get(column)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
        if column == "response" and isinstance(value, dict) and not {"choices", "body"} & set(value):
            return {}  # an LLM that was asked for JSON
    if not isinstance(value, dict):
        return {}
    body = value.get("body")
    return body if isinstance(body, dict) else value


def _failed(row: Row, response: dict[str, Any]) -> bool:
    status = str(row.values.get("status") or "")
    answered = row.values.get("response") is not None and not response.get("error")
    return not answered or bool(row.values.get("error")) or status.lower() in ("failure", "error")


def _turns(row: Row, request: dict[str, Any]) -> list[tuple[str, str]]:
    """Return role and text of each message that has a text.

    Raises:
        BadRow: If there are no messages, or none of a user.
    """
    candidates = (request.get("messages"), row.values.get("messages"), request.get("prompt"))
    messages = next((value for value in candidates if value is not None), None)
    if isinstance(messages, str):
        messages = _parsed(messages)
    elif messages is None and (query := row.optional_text("query")):
        messages = [{"role": "user", "content": query}]
    if not isinstance(messages, list) or not messages:
        raise BadRow(f"messages must be a list of messages, but are {_kind(messages)}")
    turns = []
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadRow(f"each message must be an object with role and content, but one is {_kind(message)}")
        text = text_of(message.get("content")) or ""
        if text.strip():
            turns.append((message["role"], text))
    if not any(role == "user" for role, _ in turns):
        raise BadRow("messages must have one of the user with a text, but have none")
    return turns


def _parsed(text: str) -> Any:
    """Return the messages in JSON text, or the text as the only message."""
    if text.lstrip().startswith("[{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    return [{"role": "user", "content": text}]


def _query(turns: list[tuple[str, str]]) -> str:
    last = max(at for at, (role, _) in enumerate(turns) if role == "user")
    others = [f"{role}: {text}" for at, (role, text) in enumerate(turns) if at != last and role not in SYSTEM]
    return turns[last][1] + (OTHER_TURNS + "\n".join(others) if others else "")


def _llm(row: Row, request: dict[str, Any], response: dict[str, Any]) -> str:
    named = (response.get("model"), row.values.get("llm"), row.values.get("model"), request.get("model"))
    llm = next((name for name in named if name), None)
    if not isinstance(llm, str):
        raise BadRow(f"model must be text, but is {_kind(llm)}")
    return llm


def _first(facts: Row, names: tuple[str, ...]) -> float | None:
    return next((value for name in names if (value := charged(facts, name)) is not None), None)


def _latency(facts: Row) -> float | None:
    """Return the seconds from start to end, or None where they are not known or make no sense."""
    given = amount(facts, "latency_s")
    if given is not None:
        return given
    times = list(_moments(facts.values.get("startTime"), facts.values.get("endTime")))
    return times[1] - times[0] if len(times) == 2 and times[1] >= times[0] else None


def _moments(*values: Any) -> Iterator[float]:
    for value in values:
        try:
            yield datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)
        except (TypeError, ValueError, OverflowError):
            return


def _kind(value: Any) -> str:
    """Return what a value is, never what is in it."""
    return "absent" if value is None else type(value).__name__
