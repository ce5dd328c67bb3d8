"""The part of a log that a trained router may be scored on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.pipeline.routing import RoutingPipeline
from graphrouter.typing import Array


@dataclass(frozen=True, eq=False)
class UnseenPart:
    """Part of a log that is left.

    Attributes:
        log: Log of the scored queries of text groups that the router has not learnt from, and the LLMs that both know.
        columns: [M] int64, the columns of these LLMs in the router's predictions.
        seen: Number of scored queries that were dropped, because the router was trained or validated on their text group.
        unknown: LLMs of the log that were dropped, because the router does not know them.
        absent: LLMs of the router that the log does not have.
    """

    log: LLMLog
    columns: Array
    seen: int
    unknown: tuple[str, ...]
    absent: tuple[str, ...]


def unseen_part(pipeline: RoutingPipeline, log: LLMLog) -> UnseenPart:
    """Return the part of a log that a router can honestly be scored on.

    Raises:
        UserError: If nothing is left of it.
    """
    known, there = set(pipeline.llm_names), set(log.llm_names)
    shared = [name for name in pipeline.llm_names if name in there]
    if len(shared) < 2:
        raise UserError(
            f"{log.name} must share two LLMs or more with the router, but shares {len(shared)}; the router knows "
            f"{', '.join(pipeline.llm_names[:5])}{' ...' if len(known) > 5 else ''}"
        )
    log = log.with_target(pipeline.target).take_llms(shared)
    scored = log.cells("draws").sum(axis=1) > 0
    fresh = pipeline.unseen(log)
    if not (scored & fresh).any():
        raise UserError(
            f"{log.name} must have scored queries that the router was not trained or validated on, but all "
            f"{int(scored.sum())} were; evaluate it on another log"
        )
    return UnseenPart(
        log=log.take(scored & fresh),
        columns=np.array([pipeline.llm_names.index(name) for name in log.llm_names]),
        seen=int((scored & ~fresh).sum()),
        unknown=tuple(sorted(there - known)),
        absent=tuple(sorted(known - there)),
    )
