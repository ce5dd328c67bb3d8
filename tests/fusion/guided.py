"""A small log whose training queries can guide, and a library of it, for tests of what is shown."""

from __future__ import annotations

import polars as pl

from fusion.templates import Library, make_template
from graphrouter.encoders import TfidfEncoder
from graphrouter.identity import log_digest
from graphrouter.log import LLMLog
from graphrouter.splits import by_query

TASKS = {"sums": "math", "capitals": "geography", "colours": "reading"}
LLMS = (("good", "good", "direct"), ("good_think", "good", "reasoning"), ("bad", "bad", "direct"))
TWINS = 2
"""The last of these many queries of each task are worded as its first, in other case."""


def question(task: str, number: int) -> str:
    """Return the text of a query; those of a task share most words."""
    return f"{task} question about item{number % 5} number{number}"


def make_log(count: int = 20, name: str = "guiding") -> LLMLog:
    """Return a log of three tasks. `good` is right but for every seventh query, `bad` is always wrong."""
    queries, records, texts = [], [], []
    for task, domain in TASKS.items():
        for number in range(count):
            twin = number - (count - TWINS)
            text = question(task, twin).upper() if twin >= 0 else question(task, number)
            query_id = f"{task}-{number}"
            queries.append((query_id, task, domain, text, f"word{number}"))
            for llm, model, style in LLMS:
                right = model == "good" and number % 7 != 3
                response = f"word{number}" if style == "direct" else f"because item{number}.\nAnswer: word{number}"
                records.append((query_id, llm, float(right), 10.0, 5.0, "stop"))
                texts.append((query_id, llm, 0, response if right else "no"))
    return LLMLog(
        name,
        pl.DataFrame(queries, schema=["query_id", "task", "domain", "query", "ground_truth"], orient="row"),
        pl.DataFrame(LLMS, schema=["llm", "model", "style"], orient="row"),
        pl.DataFrame(
            records,
            schema=["query_id", "llm", "performance", "input_tokens", "output_tokens", "finish_reason"],
            orient="row",
        ),
        texts=pl.DataFrame(texts, schema=["query_id", "llm", "draw", "response"], orient="row"),
        encoder="tfidf:16",
    )


def make_library(log: LLMLog, seed: int = 0, merged: int = 1) -> Library:
    """Return a library with a thought of every training query, or of so many of a task together."""
    train = log.take(by_query(log, seed).train)
    texts = dict(train.queries.select("query_id", "query").iter_rows())
    templates = []
    for (task,), part in train.queries.group_by("task", maintain_order=True):
        ids = part["query_id"].to_list()
        for start in range(0, len(ids), merged):
            sources = dict.fromkeys(ids[start : start + merged], 1.0)
            thought = f"thought of {' '.join(sources)}"
            templates.append(make_template(thought, task, TASKS[task], sources, {"good"}, "performance"))
    encoder = TfidfEncoder(16).fit(list(texts.values()))
    about = {"ranking": "performance", "split_seed": seed, "log": {"name": log.name, "fingerprint": log_digest(log)}}
    return Library.make(templates, texts, encoder, about)
