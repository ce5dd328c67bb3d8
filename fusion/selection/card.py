"""The data card that stands beside a selection, and the lines on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from fusion.selection.rules import RULES

DOES = {rule.name: rule.does for rule in RULES}
MOST_LLMS = 40
"""Longer tables are no use in a card; the report has them all."""


def summary_lines(about: Mapping[str, Any]) -> list[str]:
    """Return the lines that a selection prints: a line per rule, then what came of it."""
    lines = [f"{'rule':12} {'kept':>9} {'dropped':>9}"]
    lines += [f"{rule['rule']:12} {rule['kept']:>9,} {rule['dropped']:>9,}" for rule in about["rules"]]
    count = about["counts"]
    lines.append(
        f"{count['rows']:,} rows of {count['queries']:,} queries and {count['llms']:,} LLMs, {count['tokens']:,} tokens"
        f"{' (estimated)' if about['tokens_estimated'] else ''}; {count['pairs']:,} preference pairs; "
        f"{count['validation_rows']:,} validation rows"
    )
    return lines


def card(about: Mapping[str, Any], rows: pl.DataFrame, pairs: pl.DataFrame, candidates: pl.DataFrame) -> str:
    """Return the text of ``README.md``.

    Args:
        about: As in ``selection.json``.
        rows: The selected rows, with ``tokens``.
        pairs: The preference pairs.
        candidates: The right responses that there were to choose from, for the comparison of lengths.
    """
    log, count = about["log"], about["counts"]
    warnings = [
        text
        for said, text in (
            (log["simulated"], "The log is simulated: no LLM wrote these responses."),
            (about["tokens_estimated"], "Tokens are estimated: one for four characters."),
        )
        if said
    ]
    parts = [
        f"# Fine-tuning data selected from {log['name']}",
        f"{count['rows']:,} responses of {count['llms']:,} LLMs to {count['queries']:,} queries, ranked by "
        f"`{about['settings']['ranking']}`, at most {about['settings']['top_k']} of a query. " + " ".join(warnings),
        _files(about),
        "## How it was selected",
        f"Of the log's split with seed {about['settings']['seed']}, only training queries are here; `validation/` has "
        "validation queries, for early stopping; test queries are in neither. The rules were applied in this order. "
        "`report.csv` has the same for each task and LLM, `selection.json` all settings.",
        _table(
            ("rule", "keeps rows that", "kept", "dropped"),
            [(r["rule"], DOES[r["rule"]], f"{r['kept']:,}", f"{r['dropped']:,}") for r in about["rules"]],
        ),
        _skipped(about),
        "## What is in it",
        _by(rows, "task", candidates),
        _by(rows, "llm", candidates),
        "Lengths are medians in characters: of what was selected, and of all right responses that there were to choose "
        "from. The first may be higher because easy queries, and equal answers, which are often short, are left out.",
        _pairs_text(about, pairs),
        "## Before you use it",
        "The responses are LLMs' outputs and the queries belong to their benchmarks: both keep their own licences, and "
        "some licences forbid to train other models on outputs. A right answer may rest on wrong reasoning: responses were "
        "graded by their answers. The prompt of every row is the query as the log has it; a response in another prompting "
        "style says so in `style`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _files(about: Mapping[str, Any]) -> str:
    rows = [
        ("sft.jsonl", "TRL, prompt and completion"),
        ("messages.jsonl", "TRL, conversations"),
        ("preferences.jsonl", "TRL, preference pairs: prompt, chosen, rejected, margin"),
        ("alpaca.json, alpaca_preferences.json, dataset_info.json", "LLaMA-Factory"),
        ("validation/", "rows and pairs of validation queries"),
        ("selection.json, report.csv", "settings and counts"),
    ]
    if not about["counts"]["pairs"]:
        rows = [(file.replace(" alpaca_preferences.json,", ""), text) for file, text in rows if "pairs:" not in text]
    return _table(("file", "for"), rows)


def _skipped(about: Mapping[str, Any]) -> str:
    applied = {rule["rule"] for rule in about["rules"]}
    skipped = [name for name in DOES if name not in applied]
    return f"Left out: {', '.join(skipped)}." if skipped else ""


def _by(rows: pl.DataFrame, column: str, candidates: pl.DataFrame) -> str:
    """Return a table of rows, tokens and lengths by task or LLM, the most rows first."""
    before = candidates.group_by(column).agg(before=pl.col("chars").median())
    table = (
        rows.group_by(column)
        .agg(
            pl.len().alias("rows"),
            pl.col("query_id").n_unique().alias("queries"),
            pl.col("tokens").sum(),
            pl.col("chars").median(),
        )
        .join(before, on=column, how="left")
        .sort("rows", column, descending=[True, False])
    )
    shown = [
        (row[column] or "(none)", *(f"{row[name]:,}" for name in ("rows", "queries", "tokens")), *_lengths(row))
        for row in table.head(MOST_LLMS).iter_rows(named=True)
    ]
    more = f"\n\nand {table.height - MOST_LLMS:,} more." if table.height > MOST_LLMS else ""
    return _table((column, "rows", "queries", "tokens", "length", "length before"), shown) + more


def _lengths(row: Mapping[str, Any]) -> tuple[str, str]:
    before = row["before"]
    return f"{row['chars']:,.0f}", f"{before:,.0f}" if before is not None else ""


def _pairs_text(about: Mapping[str, Any], pairs: pl.DataFrame) -> str:
    if not pairs.height:
        return "There are no preference pairs."
    lengths = [float(np.median(pairs[side].str.len_chars().to_numpy())) for side in ("chosen", "rejected")]
    return (
        f"{pairs.height:,} preference pairs of a right against a wrong response to the same query "
        f"(`{about['settings']['pairs']}`), mean margin {pairs['margin'].to_numpy().mean():.3f}; median length {lengths[0]:,.0f} of chosen "
        f"and {lengths[1]:,.0f} of rejected. Where these are far apart, DPO learns length."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines)
