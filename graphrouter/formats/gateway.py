"""Logs of an OpenAI-compatible gateway: one request and response per row, so one LLM per query, as in production.

Three shapes are read, in JSONL or a JSON list, and the first two, with JSON inside the cells, in any other table:

- ``{"request": {"model", "messages"}, "response": {"model", "choices", "usage"}, ...}``, each also as JSON text, or
  inside a ``body`` as Portkey logs them (https://portkey.ai/docs/api-reference/logs);
- flat rows as LiteLLM logs them (https://docs.litellm.ai/docs/proxy/logging_spec): ``model, messages, response,
  prompt_tokens, completion_tokens, response_cost`` or ``spend, startTime, endTime, status, metadata``. Where
  ``messages`` is ``{}``, as its spend logs have it, the request is read from ``proxy_server_request``; a row that has
  it in neither place was logged without texts, and is counted and left out;
- our own: ``query`` (a text) or ``messages``, ``llm``, ``performance``, and where it is known ``response``,
  ``input_tokens, output_tokens, cost, latency_s, task``.

Each row needs a score in [0, 1], in ``performance`` or ``score``, on the row or in its ``metadata``; so may be ``task``
and ``judge_score``. Rows without a score and failed requests are counted and left out. Replies that were streamed are
joined, whether they were logged as chunks or as the server sent them.

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
from graphrouter.formats.builder import FAILED, UNSCORED, LogBuilder
from graphrouter.formats.cells import charged, did_you_mean
from graphrouter.formats.chats import Turns, kind, parsed, query_of, text_of, turns_of, whole_reply
from graphrouter.formats.rows import TABLES, BadRow, Row, columns_of
from graphrouter.formats.sources import ending
from graphrouter.log_frames import content_id

NAME = "gateway"
LAYOUT = (
    "chat logs of an OpenAI-compatible gateway, JSONL of request (model, messages), response (choices, usage) and score"
)
COST_UNIT = "US dollars"
TEXTS = (".json", ".jsonl", ".ndjson")
SCORES = ("performance", "score")
INPUT_TOKENS = ("input_tokens", "prompt_tokens")
OUTPUT_TOKENS = ("output_tokens", "completion_tokens")
COSTS = ("cost", "response_cost", "spend")
KNOWN = (*SCORES, *INPUT_TOKENS, *OUTPUT_TOKENS, *COSTS, "query", "llm", "response", "task", "judge_score", "latency_s")
REDACTED = "redacted-by-litellm"
"""Text that LiteLLM writes instead of a message with ``turn_off_message_logging``."""
TRUNCATED = "(litellm_truncated "
WITHOUT_TEXTS = "hold no messages, as LiteLLM logs without store_prompts_in_spend_logs, and are left out"
SHORTENED = (
    "have a prompt or reply whose middle LiteLLM cut out; set MAX_STRING_LENGTH_PROMPT_IN_DB there to keep it whole"
)
OTHERS = {"task_name", "judge", "question_id", "global_index", "records", "effect"}
"""Fields of other layouts."""


class _Redacted(Exception):
    """A request whose text was not kept."""


def recognises(path: Path) -> bool:
    """Return whether the first row of a file, or of a folder's first file, is a request with its response."""
    for file in _files(path)[:1]:
        columns = set(columns_of(file))
        if columns & OTHERS:
            return False
        own = ending(file) in TEXTS and {"query", "llm"} <= columns  # elsewhere they could be anyone's
        return own or {"request", "response"} <= columns or {"model", "messages"} <= columns
    return False


def read(path: Path, builder: LogBuilder) -> None:
    """Add a file, or all files of a folder.

    Raises:
        UserError: If there is no file, or no row has a score.
    """
    files = _files(path)
    if not files:
        raise UserError(f"{path} must be a JSONL file or hold some, but is none")
    for file in files:
        did_you_mean(file, columns_of(file), KNOWN)
    builder.add_rows(files, _add)
    if builder.found_nothing:
        raise UserError(_why_nothing(path, builder))


def _why_nothing(path: Path, builder: LogBuilder) -> str:
    if builder.remarks[WITHOUT_TEXTS] and not builder.remarks[UNSCORED]:
        return (
            f"{path}: a log needs the messages of requests, but none of its {builder.unscored:,} rows holds them; have "
            "LiteLLM store them with store_prompts_in_spend_logs, or join them from elsewhere"
        )
    if builder.remarks[FAILED] and not builder.remarks[UNSCORED]:
        return f"{path}: a log needs answers, but all of its {builder.unscored:,} requests failed"
    return (
        f"{path}: a log needs scores, but none of its {builder.unscored:,} requests has one; add 'score' in [0, 1] to "
        "the rows, such as a user's thumb, a check of the answer or an LLM judge's mark"
    )


def _files(path: Path) -> list[Path]:
    files = [path] if path.is_file() else sorted(path.glob("*.*")) if path.is_dir() else []
    single = path.is_file()
    return [file for file in files if file.is_file() and ending(file) in (TABLES if single else TEXTS)]


def _add(row: Row, builder: LogBuilder) -> None:
    """Add a request that was scored and answered."""
    request, response, proxied = (_object(row, name) for name in ("request", "response", "proxy_server_request"))
    metadata, usage = _object(row, "metadata"), _object(row, "usage") or response.get("usage") or {}
    if not isinstance(usage, dict):
        raise BadRow(f"usage must be an object, but is {kind(usage)}")
    facts = Row(row.file, row.number, {**_known(usage), **_known(metadata), **_known(row.values)})
    performance = next((mark for name in SCORES if (mark := facts.share(name)) is not None), None)
    if _failed(row, response):
        performance = builder.failure()
    elif performance is None:
        builder.leave_missing()
    if performance is None:
        return
    try:
        turns = _asked(row, request, proxied)
    except _Redacted:
        builder.leave_missing(WITHOUT_TEXTS)
        return
    answer = _answer(row, response)
    if any(TRUNCATED in text for text in (answer or "", *(text for _, text in turns))):
        builder.remarks[SHORTENED] += 1
    task = facts.optional_text("task")
    llm = _llm(row, request, response, proxied)
    columns: dict[str, Any] = {
        "judge_score": facts.optional_number("judge_score", high=1.0),
        "input_tokens": _first(facts, INPUT_TOKENS),
        "output_tokens": _first(facts, OUTPUT_TOKENS),
        "cost": _first(facts, COSTS),
        "latency_s": _latency(facts),
    }
    key = builder.add_query(task, query_of(turns), query_id=content_id(task, json.dumps(turns)))
    builder.add_llm(llm)
    builder.add_record(key, llm, performance, response=answer, **columns)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _object(row: Row, column: str) -> dict[str, Any]:
    """Return an object, also one in JSON text, in a ``body`` or streamed; empty where the cell is none."""
    value = row.values.get(column)
    if isinstance(value, str) and value.lstrip().startswith(("{", "[{")):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
        if column == "response" and isinstance(value, dict) and not {"choices", "body"} & set(value):
            return {}  # an LLM that was asked for JSON
    if column == "response":
        value = whole_reply(value)
    if not isinstance(value, dict):
        return {}
    body = value.get("body")
    return body if isinstance(body, dict) else value


def _answer(row: Row, response: dict[str, Any]) -> str | None:
    """Return the text of the reply; None where there is none, or it was not kept."""
    value = response or row.values.get("response")
    kept = "query" in row.values or value not in ({}, "{}")
    text = text_of(value) if kept else None
    return None if text is not None and text.strip() == REDACTED else text


def _failed(row: Row, response: dict[str, Any]) -> bool:
    """Whether a request came to nothing. A row of query and LLM may lack the response's text."""
    if response.get("error") or row.values.get("error"):
        return True
    if any(
        str(values.get("status")).lower() in ("failure", "error") for values in (row.values, _object(row, "metadata"))
    ):
        return True
    return "response" in row.values and row.values["response"] is None and "query" not in row.values


def _asked(row: Row, request: dict[str, Any], proxied: dict[str, Any]) -> Turns:
    """Return the turns of the request, wherever the row has them.

    Raises:
        BadRow: If they are no messages; `_Redacted` if the gateway was told to keep none.
    """
    places = (
        *(request.get("messages"), row.values.get("messages"), proxied.get("messages")),
        *(request.get("prompt"), proxied.get("prompt"), request.get("input"), proxied.get("input")),
    )
    asked = next((value for value in places if not _blank(value)), None)
    if asked is None and "query" in row.values:
        asked = [{"role": "user", "content": _query(row)}]
    if asked is None and any(name in row.values for name in ("messages", "proxy_server_request")):
        raise _Redacted
    turns = turns_of(parsed(asked) if isinstance(asked, str) else asked)
    if all(text.strip() == REDACTED for role, text in turns if role == "user"):
        raise _Redacted
    system = text_of(request.get("system") or proxied.get("system"))
    return [("system", system), *turns] if system else turns


def _query(row: Row) -> str:
    query = row.text("query")
    if not query.strip():
        raise BadRow("query must be text, but is blank")
    return query


def _blank(value: Any) -> bool:
    return value is None or value == {} or (isinstance(value, str) and value.strip() in ("", "{}", "[]", "null"))


def _llm(row: Row, request: dict[str, Any], response: dict[str, Any], proxied: dict[str, Any]) -> str:
    asked = (row.values.get("llm"), row.values.get("model"), request.get("model"), proxied.get("model"))
    llm = next((name for name in (response.get("model"), *asked) if name), None)
    if not isinstance(llm, str) or not llm.strip():
        name = "llm" if "llm" in row.values else "model"
        raise BadRow(f"{name} must be text, but is {'blank' if isinstance(llm, str) else kind(llm)}")
    return llm


def _first(facts: Row, names: tuple[str, ...]) -> float | None:
    return next((value for name in names if (value := charged(facts, name)) is not None), None)


def _latency(facts: Row) -> float | None:
    """Return the seconds from start to end, or None where they are not known or make no sense."""
    given = facts.optional_number("latency_s")
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
