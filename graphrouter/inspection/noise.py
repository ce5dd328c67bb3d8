"""The noise budget of a log, to print, and whether it leaves routing anything to gain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from graphrouter.inspection.text import table
from graphrouter.noise import NoiseBudget

LITTLE = 0.02
"""Gain below which two routers are hardly told apart: the paired 95% interval of a routed performance over 1,000 to 2,000 test
queries is about so wide, see the tables of results."""

UNKNOWN = (float("nan"),) * 3


def noise_text(noise: NoiseBudget, ties: float) -> str:
    """Return the budget of the log in words, and of its tasks as a table.

    Args:
        noise: The budget.
        ties: Share of the queries where several LLMs are best.
    """
    words = "\n".join(f"  {sentence}" for sentence in noise.sentences())
    words = f"Noise budget\n{words}\n  share of queries where LLMs tie for the best {ties:.3f}"
    return f"{words}\n\nNoise budget by task\n{table(by_task(noise))}" if noise.tasks else words


def by_task(noise: NoiseBudget) -> pl.DataFrame:
    """Return one row per task.

    Returns:
        ``task``, ``draws`` (most of a cell), ``none solve`` and ``all solve`` (shares of queries) with the 95% intervals of the
        first, and ``oracle gain`` over the best LLM of the task. Where cells have several draws also ``luck up to`` (upper bound of its
        share of luck) and, for an oracle of one draw per cell, ``luck of one draw``, from and to; NaN for a task of single draws, of
        which nothing is known.
    """
    rows = [
        {
            "task": name,
            "draws": one.draws[1],
            "none solve": one.none_solves.value,
            "from": one.none_solves.low,
            "to": one.none_solves.high,
            "all solve": one.all_solve.value,
            "oracle gain": one.gain,
            **({"luck up to": high, "luck of one draw from": low, "up to": highest} if noise.repeated else {}),
        }
        for name, one in noise.tasks.items()
        for high, low, highest in [(one.luck[1], *one.one_draw_luck) if one.repeated else UNKNOWN]
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def little_to_gain(noise: NoiseBudget) -> Iterator[str]:
    """Yield why routing has little to gain on a log of two LLMs or more, where that is so."""
    low, high = noise.luck
    if np.isnan(high):
        return
    if noise.gain * (1 - low) < LITTLE:
        yield (
            f"routing has little to gain: even the oracle has only {noise.gain:.4f} above the best single LLM; choose fewer LLMs, "
            "harder queries, or weigh cost"
        )
    elif high >= 1:
        yield (
            "all that the oracle gains may be luck of the draw: a choice by task and draws, scored on a draw that it has not seen, "
            "is not surely above the best single LLM; several draws per cell would tell"
        )
