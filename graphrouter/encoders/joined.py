"""Vectors of several encoders, one beside the other."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from graphrouter.encoders.base import Encoder
from graphrouter.encoders.log_vectors import LogVectors
from graphrouter.errors import UserError
from graphrouter.typing import Array

if TYPE_CHECKING:
    from graphrouter.encoders.seen import SeenQueries
    from graphrouter.log import LLMLog

PLUS = " + "


class JoinedEncoder(Encoder):
    """Encoder that joins the vectors of others, each with the same weight, and scales the whole to length 1.

    Args:
        parts: Encoders that make vectors of text.

    Raises:
        UserError: If one has vectors of a log's queries only.
    """

    def __init__(self, parts: Sequence[Encoder]) -> None:
        for part in parts:
            if isinstance(part, LogVectors):
                raise UserError(
                    "only encoders that make vectors of text can be joined, but vectors that are given are none; join the "
                    "arrays yourself"
                )
        self.parts = tuple(parts)
        self.spec = PLUS.join(part.spec for part in parts)

    @property
    def id(self) -> str:
        """The ids of the parts."""
        return PLUS.join(part.id for part in self.parts)

    @property
    def learns(self) -> bool:
        """Whether one of the parts does."""
        return any(part.learns for part in self.parts)

    @property
    def seen(self) -> tuple[SeenQueries, ...]:
        """What the parts were fine-tuned on."""
        return tuple(seen for part in self.parts for seen in part.seen)

    @property
    def resolved_spec(self) -> str:
        """The specs of the parts with whole paths."""
        return PLUS.join(part.resolved_spec for part in self.parts)

    def precompute(self, texts: Sequence[str], *, progress: bool = False) -> None:
        """Make what takes long and no `fit` changes of each part."""
        for part in self.parts:
            part.precompute(texts, progress=progress)

    def fit(self, texts: Sequence[str]) -> Self:
        """Fit copies of the parts, as another split may have these."""
        self.parts = tuple(copy(part).fit(texts) for part in self.parts)
        return self

    def encode(self, texts: Sequence[str], *, progress: bool = False, keep: bool = True) -> Array:
        """Return the joined vectors [N, sum of D]."""
        vectors = [part.encode(texts, progress=progress, keep=keep) for part in self.parts]
        joined: Array = np.concatenate(vectors, axis=1) / np.sqrt(np.float32(len(vectors)))
        return joined

    def given(self, log: LLMLog) -> str:
        """Return the identities of the parts' vectors."""
        return PLUS.join(part.given(log) for part in self.parts)

    def get_state(self) -> dict[str, Any]:
        """Return the states of the parts; nothing where none has one."""
        states = [part.get_state() for part in self.parts]
        return {"parts": states} if any(states) else {}

    def set_state(self, state: dict[str, Any]) -> Self:
        """Take over the states of the parts that have one."""
        self.parts = tuple(
            copy(part).set_state(one) if one else part for part, one in zip(self.parts, state["parts"], strict=True)
        )
        return self
