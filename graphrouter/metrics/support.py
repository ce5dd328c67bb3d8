"""How far metrics of choices can be believed, where the log has outcomes of some LLMs only."""

from __future__ import annotations

import numpy as np

from graphrouter.metrics.metric import metric
from graphrouter.metrics.weighted import ratio
from graphrouter.typing import Array


@metric(
    "scenario",
    ("utility", "performance"),
    "chosen LLM logged",
    "Share of queries for which the log has an outcome of the LLM that the router would choose of all",
    merit=False,
    by_task=True,
)
def logged_choice(utility: Array, outcomes: Array, weights: Array | None = None) -> Array:
    """Return the share of queries for which the log has an outcome of the LLM that a router would choose of all.

    On the other queries `choose` takes another LLM than the router would, so a metric of choices is about routing among
    the logged LLMs only. Where a logged LLM ties with the best, it is the choice. An LLM without a utility, as the
    oracle has for a missing cell, is never the choice: for the oracle the share is 1.

    Args:
        utility: [..., Q, M] of a router, for all LLMs.
        outcomes: [Q, M], NaN where the cell is missing.
        weights: Weights of the queries.
    """
    known = np.where(np.isnan(utility), -np.inf, utility)
    observed = ~np.isnan(outcomes)
    logged = np.where(observed, known, -np.inf).max(axis=-1) >= known.max(axis=-1)
    scored = observed.any(axis=-1)
    return ratio((logged & scored).astype(np.float64), scored, weights)
