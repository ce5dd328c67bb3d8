"""What rules look up: the log, its split, and what is known of its queries and LLMs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fusion.selection.settings import SelectionSettings
from graphrouter.encoders import Encoder, encoder_of
from graphrouter.log import LLMLog, load_log
from graphrouter.pipeline import routing_data
from graphrouter.splits import Split, by_query

Array = np.ndarray


@dataclass(eq=False)
class Context:
    """A log under selection. Vectors are only made when a rule asks for them.

    Attributes:
        log: With responses.
        settings: What is asked for.
        progress: Whether encoding shows a bar.
    """

    log: LLMLog
    settings: SelectionSettings
    progress: bool = False

    @cached_property
    def split(self) -> Split:
        """The split of the log, as a router that is trained with the same seed has it."""
        return by_query(self.log, self.settings.seed)

    @cached_property
    def known(self) -> LLMLog:
        """The log of the training and validation queries: the outcomes of test queries are never looked at."""
        return self.log.take(np.sort(np.concatenate([self.split.train, self.split.validation])))

    @cached_property
    def encoder(self) -> Encoder:
        """Makes the vectors of queries.

        Raises:
            UserError: If there is none of that name.
        """
        return encoder_of(self.log, self.settings.encoder)

    @cached_property
    def vectors(self) -> Array:
        """[Q, D] vectors of the log's queries; the encoder is fitted on the training queries."""
        return routing_data(self.log, self.encoder, self.split, progress=self.progress).queries.vectors

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each query in the log."""
        return {query_id: row for row, query_id in enumerate(self.log.queries["query_id"])}

    @cached_property
    def others(self) -> list[LLMLog]:
        """Further logs whose queries are for evaluation.

        Raises:
            UserError: If one cannot be loaded.
        """
        return [load_log(source) for source in self.settings.against]

    @cached_property
    def evaluation_texts(self) -> list[str]:
        """The queries that the student is to be evaluated on: the test part of the log, and those of further logs."""
        test = self.log.queries["query"].gather(self.split.test).to_list()
        return [*test, *(text for log in self.others for text in log.queries["query"])]

    @cached_property
    def evaluation_vectors(self) -> Array:
        """[E, D] their vectors."""
        own = self.vectors[self.split.test]  # fits the encoder too
        texts = self.evaluation_texts[len(own) :]
        return np.concatenate([own, self.encoder.encode(texts, progress=self.progress)]) if texts else own
