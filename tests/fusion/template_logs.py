"""A small log with responses, a ranking of it, and an encoder, for tests of templates."""

from __future__ import annotations

import polars as pl

from graphrouter.encoders import TfidfEncoder
from graphrouter.log import LLMLog

TASKS = ("sums", "rivers")
PLACES = ("Osdal", "Norborg", "Neira", "Kaeza", "Torgard", "Ilaota", "Vaumi", "Goolo", "Baira", "Riana")


def question(task: str, number: int) -> tuple[str, str, str]:
    """Return a query, its answer, and the steps to it."""
    if task == "sums":
        a, b = number % 7 + 11, number % 11 + 20
        return f"How much is {a} plus {b}, for customer {number}?", str(a + b), f"First write {a}+{b}={a + b}"
    place = PLACES[number % len(PLACES)]
    return f"Which river crosses {place}, asks guest {number}?", f"Ri{place.lower()}", f"Rivers of {place} flow north"


def make_log(per_task: int = 20, name: str = "small") -> LLMLog:
    """Return a log of two tasks: ``good`` is right, with steps; ``bare`` is right without; ``bad`` is wrong."""
    queries, records, texts = [], [], []
    for task in TASKS:
        for number in range(per_task):
            text, answer, steps = question(task, number)
            query = f"{task}-{number}"
            queries.append(
                {"query_id": query, "task": task, "domain": f"{task} domain", "query": text, "ground_truth": answer}
            )
            responses = {"good": f"{steps}\nThe answer is {answer}.", "bare": answer, "bad": "Surely\nThe answer is 7."}
            for llm, response in responses.items():
                at = {"query_id": query, "llm": llm, "draw": 0}
                records.append(at | {"performance": float(llm != "bad")})
                texts.append(at | {"response": response})
    llms = pl.DataFrame({"llm": ["bad", "bare", "good"]})
    return LLMLog(name, pl.DataFrame(queries), llms, pl.DataFrame(records), texts=pl.DataFrame(texts))


def rank_by_performance(log: LLMLog) -> pl.DataFrame:
    """Rank responses by performance, of equal ones the longer name first."""
    best = pl.col("performance").max().over("query_id")
    rows = log.records.with_columns(
        score=pl.col("performance"), eligible=(pl.col("performance") > 0) | (best == 0), reason=pl.lit(None, pl.String)
    ).sort("query_id", "performance", "llm", descending=[False, True, True])
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("query_id")
    return rows.with_columns(rank=rank).select("query_id", "llm", "rank", "score", "eligible", "reason")


def encoder(*texts: str) -> TfidfEncoder:
    """Return TF-IDF fitted on these texts, or on all questions."""
    return TfidfEncoder(16).fit(texts or [question(task, number)[0] for task in TASKS for number in range(12)])
