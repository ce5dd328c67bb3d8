"""Base class of encoders: text in, vectors out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from graphrouter.typing import Array

if TYPE_CHECKING:
    from graphrouter.encoders.seen import SeenQueries
    from graphrouter.log import LLMLog


class Encoder(ABC):
    """Turns texts into vectors of length 1 (a text that an encoder knows nothing of may get the zero vector).

    Attributes:
        spec: The text that names the encoder on the command line and in a config, see `find_encoder`.
        folder: Folder of its model; None where it reads none.
    """

    spec: str
    folder: Path | None = None

    @property
    @abstractmethod
    def id(self) -> str:
        """Text that identifies what the vectors are: the same id, the same vectors."""

    @property
    def seen(self) -> tuple[SeenQueries, ...]:
        """Queries whose outcomes its models were fine-tuned on; empty where no outcome was shown to them."""
        return ()

    @property
    def learns(self) -> bool:
        """Whether `fit` changes the vectors."""
        return type(self).fit is not Encoder.fit

    @abstractmethod
    def encode(self, texts: Sequence[str], *, progress: bool = False, keep: bool = True) -> Array:
        """Encode texts, each on its own.

        Args:
            texts: N texts.
            progress: Whether to show a progress bar where this takes long.
            keep: Whether vectors that took long to make are kept on disk.

        Returns:
            [N, D] float32, rows of length 1.
        """

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn from the texts of the training split; a pretrained encoder has nothing to learn."""
        return self

    def precompute(self, texts: Sequence[str], *, progress: bool = False) -> None:  # noqa: B027 - most have nothing to make
        """Make what takes long and no `fit` changes, and keep it on disk; an encoder without such a thing does nothing."""

    def encode_log(self, log: LLMLog, llm_texts: Sequence[str], *, progress: bool = False) -> tuple[Array, Array]:
        """Encode a log's queries and the texts that stand for its LLMs.

        Args:
            log: Q queries and M LLMs.
            llm_texts: M texts, in the order of ``log.llms``; see `graphrouter.dataset.llm_texts`.
            progress: Whether to show a progress bar.

        Returns:
            Vectors [Q, D] in the order of ``log.queries`` and [M, D] in the order of ``log.llms``.
        """
        queries = log.queries["query"].to_list()
        vectors = self.encode([*queries, *llm_texts], progress=progress)
        return vectors[: len(queries)], vectors[len(queries) :]

    @property
    def resolved_spec(self) -> str:
        """The spec with a folder's whole path, so that it is found from anywhere."""
        return str(self.folder.resolve()) if self.folder else self.spec

    def given(self, log: LLMLog) -> str:
        """Return an identity of the vectors of a log, beside its texts: equal identities, equal vectors.

        What `fit` learns is no part of it, for its last digits depend on threads, processor and library versions. A run
        that goes on elsewhere is known by this text.
        """
        return self.id

    def get_state(self) -> dict[str, Any]:
        """Return the fitted state, as arrays, numbers, text, lists and dicts."""
        return {}

    def set_state(self, state: dict[str, Any]) -> Self:
        """Take over what `fit` learnt elsewhere, from `get_state`."""
        return self


def unit_rows(vectors: Array) -> Array:
    """Scale each row of [N, D] to length 1, as float32; a zero row stays zero."""
    wide = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.ascontiguousarray(wide / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
