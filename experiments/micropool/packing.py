"""Writes a collected log as it comes with the package: without what differs from run to run, and with a data card."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from experiments.micropool.measure import report
from fusion.collect import JOURNAL
from graphrouter.errors import UserError
from graphrouter.files import replace_file
from graphrouter.log import LLMLog

CARD = "README.md"
VARYING = ("latency_s",)
"""Columns of records that differ from run to run."""


def pack(source: Path, out: Path) -> Path:
    """Write a log of the pool, named ``micropool``, and its data card.

    The same pool and the same answers give the same tables, whichever run they come from.

    Args:
        source: A log that ``make`` collected.
        out: A new folder, or one that holds a log.

    Raises:
        UserError: If the source was not collected, or the folder holds something else.
    """
    file = source / JOURNAL / "run.json"
    if not file.is_file():
        raise UserError(f"{source} must be a log that was collected here, but has no {JOURNAL}/run.json; name another")
    log = LLMLog.load(source)
    records = log.records.drop([column for column in VARYING if column in log.records.columns])
    empty = [column for column in records.columns if records[column].null_count() == records.height]
    packed = LLMLog("micropool", log.queries, log.llms, records.drop(empty), texts=log.responses(), encoder="tfidf")
    card = _card(packed, json.loads(file.read_text()))
    packed.save(out, keep=(CARD,) if (out / CARD).exists() else ())
    replace_file(out / CARD, card.encode())
    return out


def _card(log: LLMLog, run: dict[str, object]) -> str:
    """Return the data card in Markdown."""
    packages = run["packages"]
    assert isinstance(packages, dict)
    versions = ", ".join(f"{name} {packages[name]}" for name in ("torch", "transformers", "tokenizers"))
    domains = log.queries.group_by("domain", maintain_order=True).agg(pl.col("task").unique().sort()).sort("domain")
    lines = [
        "# micropool",
        "",
        "A real multi-LLM log of tiny language models. Each is a decoder-only transformer of 0.1 to 1.3 million parameters, trained",
        "from random weights on questions that a program makes, with a mixture of tasks and a prompting habit of its own. The",
        "responses are theirs, with their mistakes; tokens are counted by their tokenizer; prices are proportional to size, so cost",
        "is in made-up dollars. No text is from anyone. Licence: MIT.",
        "",
        "```sh",
        "python -m experiments micropool make --out runs/micropool",
        "python -m experiments micropool pack runs/micropool/log --out graphrouter/datasets/micropool",
        "```",
        "",
        f"Made at commit {run['commit']} with Python {run['python']}, {versions}, on a CPU. Other versions or processors may",
        "round differently, and then some responses differ.",
        "",
        f"{log.queries.height:,} queries, {log.llms.height} candidates, {log.records.height:,} records, each with its response.",
        "Evaluation questions are never trained on: a hash of the question's key decides its side.",
        "A candidate that ends in `_think` was asked to think step by step. `subtask` holds topic and level, 1 to 4.",
        "",
        "| domain | tasks |",
        "| --- | --- |",
        *(f"| {row['domain']} | {', '.join(row['task'])} |" for row in domains.to_dicts()),
        "",
        "| model | what it is |",
        "| --- | --- |",
        *(
            f"| {row['llm']} | {row['description']} |"
            for row in log.llms.filter(pl.col("style") == "direct").to_dicts()
        ),
        "",
        "Mean performance, best in bold, and tokens per response:",
        "",
        report(log),
    ]
    return "\n".join([*lines, ""])
