"""Random logs with all that makes layouts hard: missing cells, draws, null tasks, odd letters, line breaks and commas."""

from typing import Any

import polars as pl
from hypothesis import strategies as st

from graphrouter.log import COLUMNS, LLMLog

TEXTS = st.text(min_size=1, max_size=12) | st.sampled_from(
    [
        "a, b",
        'say "x"',
        "two\nlines",
        "cr\ronly",
        "['x']",
        "nan",
        "None",
        "\x00",
        "{'a': 1}",
        "\u2028",
        "é😀",
        "a|b",
        " ",
    ]
)
AMOUNTS = st.floats(0, 1e6, allow_nan=False)
SHARES = st.floats(0, 1, allow_nan=False)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def logs(draw: st.DrawFn, names: st.SearchStrategy[str] = TEXTS, alike: bool = False) -> LLMLog:
    """Draw a log; without ``alike``, no two queries have the same text."""
    texts = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=not alike))
    queries = [
        {
            "query_id": f"q{number}",
            "task": draw(maybe(TEXTS)),
            "query": text,
            "ground_truth": draw(maybe(TEXTS)),
            "metric": draw(maybe(TEXTS)),
            "source_split": draw(st.sampled_from([None, "train", "test"])),
        }
        for number, text in enumerate(texts)
    ]
    llms = [
        {
            "llm": name,
            "size_b": draw(maybe(AMOUNTS)),
            "input_price": draw(maybe(AMOUNTS)),
            "output_price": draw(maybe(AMOUNTS)),
            "description": draw(maybe(TEXTS)),
        }
        for name in draw(st.lists(names, min_size=1, max_size=3, unique=True))
    ]
    cells = [
        (query["query_id"], llm["llm"], draws)
        for query in queries
        for llm in llms
        for draws in [draw(st.integers(0, 2))]
    ]
    cells = cells if any(draws for _, _, draws in cells) else [(*cells[0][:2], 1)]
    keys = [(query, llm, number) for query, llm, draws in cells for number in range(draws)]
    records = [dict(zip(("query_id", "llm", "draw"), key, strict=True)) | draw(outcomes()) for key in keys]
    responses = [
        dict(zip(("query_id", "llm", "draw"), key, strict=True)) | {"response": draw(st.text(max_size=12))}
        for key in keys
        if draw(st.booleans())
    ]
    tables = [_frame(name, rows) for name, rows in (("queries", queries), ("llms", llms), ("records", records))]
    kinds = {"query_id": pl.String, "llm": pl.String, "draw": pl.Int64, "response": pl.String}
    return LLMLog("random", *tables, texts=pl.DataFrame(responses, schema=kinds) if responses else None)


@st.composite
def outcomes(draw: st.DrawFn) -> dict[str, float | None]:
    amounts = ("input_tokens", "output_tokens", "cost")
    return {"performance": draw(SHARES), "judge_score": draw(maybe(SHARES))} | {
        key: draw(maybe(AMOUNTS)) for key in amounts
    }


def _frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    known = {column: kind for column, kind in COLUMNS[table].items() if column in rows[0]}
    return pl.DataFrame(rows, schema=known)


def means(log: LLMLog, column: str) -> dict[tuple[str, str], float | None]:
    """Return the mean over draws of a column of ``records`` by query id and LLM, worked out without the package."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in log.records.iter_rows(named=True):
        cell = found.setdefault((row["query_id"], row["llm"]), [])
        if row[column] is not None:
            cell.append(row[column])
    return {key: sum(values) / len(values) if values else None for key, values in found.items()}


def first_responses(log: LLMLog) -> dict[tuple[str, str], str]:
    """Return the text of the first draw that has one, by query id and LLM."""
    found: dict[tuple[str, str], str] = {}
    if log.has_responses:
        for query, llm, _, text in log.responses().sort("draw", descending=True).iter_rows():
            found[query, llm] = text
    return found
