"""Inputs of the rules of a selection: the prepared log, the settings, and the queries that the student is evaluated on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fusion.selection.settings import SelectionSettings
from graphrouter.log import LLMLog, load_log
from graphrouter.prepared import PreparedLog
from graphrouter.typing import Array


@dataclass(eq=False)
class SelectionInputs:
    """A log under selection. Vectors are only made when a rule asks for them.

    Attributes:
        prepared: Log with responses, divided as a router that is trained with the same seed has it.
        settings: Settings of the selection.
    """

    prepared: PreparedLog
    settings: SelectionSettings

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each query in the log."""
        return {query_id: row for row, query_id in enumerate(self.prepared.log.queries["query_id"])}

    @cached_property
    def others(self) -> list[LLMLog]:
        """Further logs whose queries are for evaluation.

        Raises:
            UserError: If one cannot be loaded.
        """
        return [load_log(source) for source in self.settings.against]

    @cached_property
    def evaluation_texts(self) -> list[str]:
        """Queries that the student is to be evaluated on: the test part of the log, and those of further logs."""
        test = self.prepared.log.queries["query"].gather(self.prepared.split.test).to_list()
        return [*test, *(text for log in self.others for text in log.queries["query"])]

    @cached_property
    def evaluation_vectors(self) -> Array:
        """[E, D], vectors of the evaluation texts."""
        own = self.prepared.vectors[0][self.prepared.split.test]
        texts = self.evaluation_texts[len(own) :]
        return (
            np.concatenate([own, self.prepared.fitted.encode(texts, progress=self.prepared.progress)]) if texts else own
        )
