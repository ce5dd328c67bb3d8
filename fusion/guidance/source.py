"""The log that guides come from: its training queries may be shown, and a query never sees itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.splits import PARTS, Split, by_query, query_groups

if TYPE_CHECKING:
    from graphrouter.encoders import Encoder


class GuidedQuestion(NamedTuple):
    """A question that is to be guided.

    Attributes:
        query_id: Its id in the log, or None for a question from elsewhere.
        text: The query, as it stands in a log: what is compared with the log's queries.
        task: Name of its task, or None where that is not known.
    """

    query_id: str | None
    text: str
    task: str | None = None


class TextGroups:
    """Finds queries by their wording.

    Args:
        ids: Of the queries.
        texts: Likewise.
    """

    def __init__(self, ids: Iterable[str], texts: Iterable[str]) -> None:
        self._ids: dict[int, set[str]] = {}
        for query_id, group in zip(ids, query_groups(texts), strict=True):
            self._ids.setdefault(int(group), set()).add(query_id)

    def own(self, asked: Sequence[GuidedQuestion]) -> list[frozenset[str]]:
        """Return, for each question, the ids of the queries of equal wording."""
        return [frozenset(self._ids.get(int(group), ())) for group in query_groups(one.text for one in asked)]


@dataclass(frozen=True, eq=False)
class Source:
    """A log, divided as a router that is trained on it with the same seed divides it.

    Attributes:
        log: Any log.
        seed: Of the split; see `graphrouter.splits.by_query`.
        encoder: Spec of what makes vectors, see `graphrouter.encoders.find_encoder`; None for the log's default.
        device: Where the encoder runs.
    """

    log: LLMLog
    seed: int = 0
    encoder: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UserError(f"the seed of the split must be 0 or more, but is {self.seed}")

    @cached_property
    def split(self) -> Split:
        """Rows of train, validation and test."""
        return by_query(self.log, self.seed)

    @cached_property
    def train(self) -> LLMLog:
        """The log of the training queries only: all that a guide may be made of."""
        return self.log.take(self.split.train)

    @cached_property
    def encoder_id(self) -> str:
        """What the encoder is, before it is fitted: what it learns follows from the log and the seed."""
        return self._find_encoder().id

    @cached_property
    def fitted(self) -> Encoder:
        """The encoder, fitted on the training queries."""
        return self._find_encoder().fit(self.train.queries["query"].to_list())

    @cached_property
    def vectors(self) -> np.ndarray:
        """[N, D] of the training queries."""
        return self.fitted.encode(self.train.queries["query"].to_list())

    def _find_encoder(self) -> Encoder:
        from graphrouter.encoders import encoder_of

        return encoder_of(self.log, self.encoder, self.device)

    @cached_property
    def _groups(self) -> np.ndarray:
        return query_groups(self.log.queries["query"])

    @cached_property
    def _part_of(self) -> dict[int, str]:
        return {int(group): part for part in PARTS for group in self._groups[getattr(self.split, part)]}

    @cached_property
    def _text_groups(self) -> TextGroups:
        return TextGroups(self.log.queries["query_id"], self.log.queries["query"])

    def parts(self, texts: Sequence[str]) -> list[str | None]:
        """Return the part of the split that each text's wording belongs to, None where the log has none so worded."""
        return [self._part_of.get(int(group)) for group in query_groups(texts)]

    def own(self, asked: Sequence[GuidedQuestion]) -> list[frozenset[str]]:
        """Return, for each question, the ids of the log's queries that it must not be shown: itself, and equal wording."""
        worded = self._text_groups.own(asked)
        return [ids | ({one.query_id} if one.query_id else set()) for one, ids in zip(asked, worded, strict=True)]
