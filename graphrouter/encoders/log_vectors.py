"""Vectors that the log itself brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from graphrouter.encoders.base import Encoder, unit_rows
from graphrouter.errors import UserError
from graphrouter.identity import digest_of
from graphrouter.typing import Array

if TYPE_CHECKING:
    import polars as pl

    from graphrouter.log import LLMLog


class LogVectors(Encoder):
    """The column ``vector`` (a list or array of numbers) of ``queries.parquet``, and of ``llms.parquet`` where it has one.

    Where the LLMs have none, each gets a unit vector of its own: all that is known is that they differ.
    """

    spec = "log"

    @property
    def id(self) -> str:
        """Only the log knows what its vectors are."""
        return "log"

    def encode(self, texts: Sequence[str], *, progress: bool = False, keep: bool = True) -> Array:
        """Refuse: vectors from a log cannot be made of text."""
        raise UserError(
            "this router was trained on vectors from the log, so a query must bring its vector; pass one with each text"
        )

    def encode_log(self, log: LLMLog, llm_texts: Sequence[str], *, progress: bool = False) -> tuple[Array, Array]:
        """Read the vectors [Q, D] and [M, D].

        Raises:
            UserError: If the column is absent or no list of numbers, or a vector is missing, ragged or not finite.
        """
        queries = column_vectors(log.queries, "query_id", f"{log.name}/queries")
        if "vector" in log.llms.columns:
            return queries, column_vectors(log.llms, "llm", f"{log.name}/llms")
        return queries, _one_for_each(log.llms.height, queries.shape[1])

    def given(self, log: LLMLog) -> str:
        """Return a digest of the numbers in the log."""
        parts = [_column(log.queries, "query_id", f"{log.name}/queries")]
        if "vector" in log.llms.columns:
            parts.append(_column(log.llms, "llm", f"{log.name}/llms"))
        return f"log:{digest_of(*parts)}"


class GivenVectors(LogVectors):
    """An array of vectors, a row for each query of the log; otherwise as `LogVectors`.

    Attributes:
        vectors: [Q, D], in the order of ``log.queries``.
    """

    def __init__(self, vectors: Array) -> None:
        self.vectors = np.asarray(vectors)

    def encode_log(self, log: LLMLog, llm_texts: Sequence[str], *, progress: bool = False) -> tuple[Array, Array]:
        """Return the vectors [Q, D], rows of length 1, and a unit vector [M, D] for each LLM.

        Raises:
            UserError: If the array has not a row of finite numbers for each query.
        """
        shape, queries = self.vectors.shape, log.queries.height
        if len(shape) != 2 or shape[0] != queries or self.vectors.dtype.kind not in "fiu":
            raise UserError(
                f"an array as encoder must hold a row of numbers for each of the {queries} queries of {log.name}, in "
                f"their order, but is of shape {shape} and {self.vectors.dtype}"
            )
        if not np.isfinite(self.vectors).all():
            raise UserError("an array as encoder must hold finite numbers, but some are not; mend them")
        return unit_rows(self.vectors), _one_for_each(log.llms.height, shape[1])

    def into(self, log: LLMLog) -> LLMLog:
        """Return the log with the array as its column ``vector``, so that a part of it has its own rows.

        Raises:
            UserError: As `encode_log`.
        """
        import polars as pl

        self.encode_log(log, ())
        column = pl.Series("vector", self.vectors.astype(np.float64).tolist())
        return replace(log, queries=log.queries.with_columns(column))

    def given(self, log: LLMLog) -> str:
        """Return a digest of the array."""
        return f"array:{digest_of(self.vectors)}"


def _one_for_each(llms: int, width: int) -> Array:
    return np.eye(llms, max(llms, width), dtype=np.float32)


def column_vectors(frame: pl.DataFrame, key: str, where: str) -> Array:
    """Return a frame's column ``vector`` as [N, D] float32, rows of length 1."""
    return unit_rows(_column(frame, key, where))


def _column(frame: pl.DataFrame, key: str, where: str) -> Array:
    """Return the numbers of a frame's column ``vector`` as they came, [N, D] float64."""
    import polars as pl

    if "vector" not in frame.columns:
        raise UserError(
            f"{where} must have a column 'vector' for the encoder 'log', but has none; add it, or choose another encoder"
        )
    if not isinstance(frame.schema["vector"], pl.List | pl.Array) or not frame.schema["vector"].inner.is_numeric():
        raise UserError(
            f"{where}: vector must be a list of numbers in each row, but is {frame.schema['vector']}; convert it"
        )
    lists = frame.with_columns(pl.col("vector").cast(pl.List(pl.Float64)))
    finite = pl.col("vector").list.eval(pl.element().is_finite().fill_null(False)).list.all()
    length = int(lists["vector"].list.len().max() or 0)  # type: ignore[arg-type]
    whole = pl.col("vector").is_not_null() & (pl.col("vector").list.len() == length) & finite
    bad = lists.filter(~whole.fill_null(False))
    if bad.height or not length:
        came = "is empty everywhere" if not length else f"{bad[key][0]!r} has {_short(bad['vector'][0])}"
        raise UserError(
            f"{where}: every vector must hold {length or 'the same number of'} finite numbers, but {came}; mend it"
        )
    return lists["vector"].list.to_array(length).to_numpy()


def _short(vector: pl.Series | None) -> str:
    if vector is None:
        return "none"
    return f"{len(vector)}" + ("" if vector.is_finite().fill_null(False).all() else ", not all finite")
