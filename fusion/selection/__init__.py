"""Ranked responses of many LLMs -> data that one LLM is fine-tuned on, by a sequence of small rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from fusion.selection.candidates import candidates
from fusion.selection.card import card, summary_lines
from fusion.selection.inputs import SelectionInputs
from fusion.selection.output import write_folder
from fusion.selection.pairs import preference_pairs
from fusion.selection.rules import RULES, Outcome, SelectionRule, chosen_rules, run
from fusion.selection.settings import RANKINGS, SelectionSettings, make_settings
from fusion.selection.tokens import with_tokens
from graphrouter.identity import log_digest
from graphrouter.log import LogLike
from graphrouter.prepared import prepare
from graphrouter.run import provenance
from graphrouter.settings import to_plain
from graphrouter.splits import PARTS

__all__ = ["RANKINGS", "RULES", "Rule", "Selection", "Settings", "make_settings", "select"]


@dataclass(eq=False)
class Selection:
    """Rows and preference pairs that were selected.

    Attributes:
        rows: Rows of training queries, sorted by query and rank, with ``tokens``.
        pairs: Preference pairs of training queries; see `fusion.selection.pairs.SCHEMA`.
        validation_rows: The best response of each validation query.
        validation_pairs: Preference pairs of validation queries.
        report: ``rule, task, llm, kept, dropped`` of the training part.
        about: Settings, counts and provenance.
        text: The data card.
        seconds: How long each rule took.
    """

    rows: pl.DataFrame
    pairs: pl.DataFrame
    validation_rows: pl.DataFrame
    validation_pairs: pl.DataFrame
    report: pl.DataFrame
    about: dict[str, Any]
    text: str
    seconds: Mapping[str, float]

    def summary(self) -> str:
        """Return a line per rule, and what came of it."""
        return "\n".join(summary_lines(self.about))

    def save(self, folder: str | Path) -> Path:
        """Write the folder whole or not at all; a selection that is there is replaced.

        Raises:
            UserError: If it holds other things, or cannot be written.
        """
        parts = {"train": (self.rows, self.pairs), "validation": (self.validation_rows, self.validation_pairs)}
        write_folder(Path(folder), parts, self.report, self.about, self.text)
        return Path(folder)


def select(
    log: LogLike,
    settings: SelectionSettings | None = None,
    *,
    ranked: pl.DataFrame | None = None,
    cache: Path | None = None,
    progress: bool = False,
) -> Selection:
    """Select fine-tuning data from a log.

    Args:
        log: Log with responses, or its name or folder, or a DataFrame.
        settings: None for the defaults.
        ranked: The ranking, from `fusion.ranking.rank`; None to make it.
        cache: File that the ranking is read from, or written to where it is not there, for further selections.
        progress: Whether encoding shows a bar.

    Raises:
        UserError: If a rule leaves nothing (it is named), or the log or the encoder does not do.
    """
    settings = settings or SelectionSettings()
    prepared = prepare(log, settings.encoder, seed=settings.seed, progress=progress)
    inputs = SelectionInputs(prepared, settings)
    rules = chosen_rules(settings)
    rows = candidates(inputs, ranked, cache)
    done = run(rows.filter(pl.col("part") == "train"), inputs, rules)
    selected = with_tokens(done.rows, settings.tokenizer)
    pairs = preference_pairs(selected, _pool(done), inputs)
    held, held_pairs = _validation(rows.filter(pl.col("part") == "validation"), inputs, rules)
    made = {"rows": selected, "pairs": pairs, "validation_rows": held, "validation_pairs": held_pairs}
    about = _about(inputs, done, made)
    text = card(about, selected, pairs, _right(done, settings))
    return Selection(**made, report=done.counts, about=about, text=text, seconds=done.seconds)


def _validation(
    rows: pl.DataFrame, inputs: SelectionInputs, rules: list[SelectionRule]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the best response of each validation query, by the rules that concern single responses, and their pairs."""
    held = SelectionInputs(inputs.prepared, replace(inputs.settings, top_k=1))
    done = run(rows, held, [rule for rule in rules if rule.validation], may_end_empty=True)
    return done.rows, preference_pairs(done.rows, _pool(done), held)


def _pool(done: Outcome) -> pl.DataFrame:
    """Return the pool of wrong responses: all rows that went into the rule that drops them; else none."""
    return done.entered.get("right", done.rows.clear())


def _right(done: Outcome, settings: SelectionSettings) -> pl.DataFrame:
    """Return the right responses that there were to choose from."""
    return done.entered.get("right", done.entered["answered"]).filter(pl.col("performance") >= settings.right)


def _about(inputs: SelectionInputs, done: Outcome, made: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Return the content of ``selection.json``."""
    log, settings = inputs.prepared.log, inputs.settings
    rows = made["rows"]
    totals = done.counts.group_by("rule", maintain_order=True).agg(pl.col("kept").sum(), pl.col("dropped").sum())
    used = "vectors" in vars(inputs.prepared)
    return {
        "log": {"name": log.name, "simulated": log.simulated, "fingerprint": log_digest(log)},
        "split": {"seed": settings.seed, **{part: len(getattr(inputs.prepared.split, part)) for part in PARTS}},
        "settings": to_plain(settings),
        "encoder": inputs.prepared.fitted.id if used else None,
        "tokens_estimated": settings.tokenizer is None,
        "rules": totals.to_dicts(),
        "counts": {
            "queries": rows["query_id"].n_unique(),
            "llms": rows["llm"].n_unique(),
            "tokens": int(rows["tokens"].sum()),
            **{name: frame.height for name, frame in made.items()},
        },
        **provenance(),
    }
