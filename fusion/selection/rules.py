"""The rules in their order, and what each of them kept and dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from fusion.selection import choice, decontamination, eligibility, responses
from fusion.selection.inputs import SelectionInputs
from fusion.selection.settings import SelectionSettings
from graphrouter.errors import UserError, suggest


@dataclass(frozen=True)
class SelectionRule:
    """A step of the selection: rows in, some of the same rows out.

    Attributes:
        name: Name in ``skip`` and in the report.
        does: Half a sentence, for the data card.
        keep: Function from the rows and the inputs to the rows that stay. Must not depend on the order of the rows that come.
        loosen: The settings that let it keep more.
        validation: Whether validation rows go through it too.
        always: Whether it cannot be left out.
        extra: Whether it goes beyond taking the k best of the right responses; see `EXTRAS`.
    """

    name: str
    does: str
    keep: Callable[[pl.DataFrame, SelectionInputs], pl.DataFrame]
    loosen: str = ""
    validation: bool = True
    always: bool = False
    extra: bool = False


RULES = (
    SelectionRule("answered", "have the text of a response", eligibility.answered, always=True),
    SelectionRule(
        "llms", "come from an LLM that may be used", eligibility.from_llms, "llms, max_size, licences, styles"
    ),
    SelectionRule("unrefused", "are no refusal", eligibility.unrefused),
    SelectionRule("complete", "are not cut off, go on to another question, or end in a loop", eligibility.complete),
    SelectionRule("right", "are right", eligibility.right, "right"),
    SelectionRule(
        "ngrams", "share no run of words with an evaluation query", decontamination.no_shared_ngram, "ngram", extra=True
    ),
    SelectionRule(
        "vectors", "are unlike all evaluation queries", decontamination.no_near_vector, "similarity", extra=True
    ),
    SelectionRule("easy", "not every LLM solves", choice.not_too_easy, "easy", validation=False, extra=True),
    SelectionRule("hard", "more than a few LLMs solve", choice.not_too_hard, "hard", validation=False, extra=True),
    SelectionRule("length", "are of a usual length", responses.of_usual_length, "shortest, longest", extra=True),
    SelectionRule("duplicates", "differ from better ranked ones", responses.without_duplicates, "overlap", extra=True),
    SelectionRule(
        "llm_share", "exceed no LLM's share of the task", choice.within_share, "llm_share", validation=False, extra=True
    ),
    SelectionRule("top_k", "are among the k best of their query", choice.best, "top_k", always=True),
    SelectionRule(
        "thin", "are not one of many to an easy query", choice.fewer_of_easy, "top_k", validation=False, extra=True
    ),
    SelectionRule(
        "budget", "fit the budget, in equal parts of tasks", choice.within_budget, "rows, tokens", validation=False
    ),
)
"""In the order in which they are applied: what is wrong goes first, so that later rules only compare good rows."""

EXTRAS = "extras"
"""In ``skip`` it stands for all rules that the papers do not have: what is left takes the k best right responses."""


@dataclass
class Outcome:
    """Rows after all rules, and counts for each rule.

    Attributes:
        rows: Rows that are left.
        counts: ``rule, task, llm, kept, dropped``, in the rules' order.
        entered: The rows that went into each rule, by its name.
        seconds: How long each rule took.
    """

    rows: pl.DataFrame
    counts: pl.DataFrame
    entered: dict[str, pl.DataFrame] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def chosen_rules(settings: SelectionSettings) -> list[SelectionRule]:
    """Return the rules that are not skipped.

    Raises:
        UserError: If ``skip`` names no rule, or one that cannot be left out.
    """
    known = {rule.name: rule for rule in RULES}
    for name in settings.skip:
        if name != EXTRAS and name not in known:
            raise UserError(f"skip must name rules, but {name!r} is none{suggest(name, [*known, EXTRAS])}")
        if name != EXTRAS and known[name].always:
            raise UserError(f"the rule {name!r} must not be skipped; leave it out of skip")
    extras = EXTRAS in settings.skip
    return [rule for rule in RULES if rule.name not in settings.skip and not (rule.extra and extras)]


def run(
    rows: pl.DataFrame, inputs: SelectionInputs, rules: Sequence[SelectionRule], may_end_empty: bool = False
) -> Outcome:
    """Apply rules one after the other.

    Args:
        rows: From `fusion.selection.candidates.candidates`.
        inputs: Inputs of the selection.
        rules: In their order.
        may_end_empty: Whether it does not matter if nothing is left.

    Raises:
        UserError: If a rule drops the last row.
    """
    outcome = Outcome(rows, pl.DataFrame())
    counts = []
    for rule in rules:
        before = outcome.entered[rule.name] = outcome.rows
        started = time.perf_counter()
        outcome.rows = rule.keep(before, inputs)
        outcome.seconds[rule.name] = time.perf_counter() - started
        counts.append(count(rule.name, before, outcome.rows))
        if not outcome.rows.height and not may_end_empty:
            raise UserError(_emptied(rule, before, inputs))
    outcome.counts = pl.concat(counts)
    return outcome


def count(name: str, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return ``rule, task, llm, kept, dropped`` of one rule."""
    cell = ["task", "llm"]
    joined = before.group_by(cell).len("all").join(after.group_by(cell).len("kept"), on=cell, how="left")
    kept = pl.col("kept").fill_null(0).cast(pl.Int64)
    named = joined.select(pl.lit(name).alias("rule"), *cell, kept, dropped=pl.col("all").cast(pl.Int64) - kept)
    return named.sort(cell)


def _emptied(rule: SelectionRule, before: pl.DataFrame, inputs: SelectionInputs) -> str:
    hint = f"loosen {rule.loosen}, " if rule.loosen else ""
    leave = "use another log" if rule.always else f"leave the rule out with --skip {rule.name}"
    return (
        f"{inputs.prepared.log.name} must have rows that all rules keep, but {rule.name!r}, which keeps those that {rule.does}, "
        f"dropped the last {before.height:,} (ranking {inputs.settings.ranking}); {hint}or {leave}"
    )
