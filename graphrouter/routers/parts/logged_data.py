"""The logged queries and outcomes that a saved router of a graph needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphrouter.dataset import LLMs, Queries, RoutingData

VECTOR_LENGTH = 5.0
"""Length that query vectors are scaled to: entries of a unit vector of some hundred dimensions are far below the one that a first
layer expects."""
CELLS = ("performance", "draws")
QUERY_ARRAYS = ("vectors", "chars", "groups")
QUERY_NAMES = ("tasks", "ids")


def data_state(data: RoutingData) -> dict[str, Any]:
    """Return queries, LLMs and outcomes as arrays and lists; costs and tokens are left out."""
    arrays = {name: getattr(data.queries, name) for name in QUERY_ARRAYS}
    names = {name: getattr(data.queries, name).tolist() for name in QUERY_NAMES}
    return {
        "queries": arrays | names,
        "llms": {"names": list(data.llms.names), "vectors": data.llms.vectors},
        "cells": {name: getattr(data, name) for name in CELLS},
    }


def data_of(state: dict[str, Any]) -> RoutingData:
    """Rebuild from `data_state`; what was left out is NaN."""
    names = {name: np.array(state["queries"][name], dtype=object) for name in QUERY_NAMES}
    queries = Queries(**{**state["queries"], **names})
    nothing = np.full(len(state["llms"]["names"]), np.nan)
    llms = LLMs(tuple(state["llms"]["names"]), nothing, nothing, nothing, state["llms"]["vectors"])
    unknown = np.full_like(state["cells"]["performance"], np.nan)
    return RoutingData(queries, llms, **state["cells"], cost=unknown, input_tokens=unknown, output_tokens=unknown)
