"""How far the outcomes of a log can score choices of LLMs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from graphrouter.typing import Array

LEAST_CHOICE = 0.5
"""Share of queries that must have outcomes of two LLMs or more. On any other query there is nothing to choose: every
router, random and the oracle included, gets the value of the one LLM that was asked when the log was made. Where that
holds for most queries, a mean over choices describes whoever chose then, and no router."""

LOGGED = (
    "'Logged' is the share of queries for which the log has an outcome of the LLM that the router would choose of all"
)


@dataclass(frozen=True)
class Support:
    """Coverage of the outcomes of the queries that choices are scored on.

    Attributes:
        llms: M.
        outcomes: Mean number of LLMs with an outcome per query; queries without any are left out.
        choice: Share of these queries with outcomes of two LLMs or more.
    """

    llms: int
    outcomes: float
    choice: float

    @classmethod
    def of(cls, parts: Sequence[Array]) -> Self:
        """Pool queries.

        Args:
            parts: For each seed, [Q, M] performance, NaN where missing.
        """
        counts = np.concatenate([(~np.isnan(part)).sum(axis=1) for part in parts])
        counts = counts[counts > 0]
        if not len(counts):
            return cls(parts[0].shape[1], 0.0, 0.0)
        return cls(parts[0].shape[1], float(counts.mean()), float((counts > 1).mean()))

    @property
    def routable(self) -> bool:
        """Whether metrics of choices mean something: see `LEAST_CHOICE`."""
        return self.choice >= LEAST_CHOICE

    @property
    def complete(self) -> bool:
        """Whether every query has an outcome of every LLM."""
        return self.outcomes == self.llms

    @property
    def sentence(self) -> str:
        """Warning about metrics of choices on this log; empty where every cell has an outcome."""
        if self.complete and self.routable:
            return ""
        if not self.routable:
            return (
                f"No routing metric: {self.choice:.0%} of the scored queries have outcomes of two LLMs or more "
                f"({self.outcomes:.2f} of {self.llms} per query on average). On the others every router, the oracle too, gets "
                f"the outcome of the LLM that was asked when the log was made. Only the predicted quality is scored. {LOGGED}."
            )
        return (
            f"Choice restricted to logged LLMs: a query has outcomes of {self.outcomes:.2f} of {self.llms} LLMs on average. "
            f"{LOGGED}; on the others its best LLM among the logged ones counts."
        )

    def about(self) -> dict[str, Any]:
        """Return the entry for a config."""
        return {
            "outcomes_per_query": self.outcomes,
            "queries_with_a_choice": self.choice,
            "routing_metrics": self.routable,
            "note": self.sentence,
        }
