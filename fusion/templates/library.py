"""A library of thought templates: retrieval, and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fusion.templates.retrieval import Retriever
from fusion.templates.storage import read_about, read_encoder_state, read_tables, write_library
from fusion.templates.template import Template
from graphrouter.encoders import Encoder
from graphrouter.errors import UserError
from graphrouter.pipeline.saved import encoder_config, rebuild_encoder
from graphrouter.splits import query_groups
from graphrouter.typing import Array

KEEP_FROM = 64
"""Queries in one call from which their vectors go to the disk cache, as in the router's pipeline."""


@dataclass(eq=False, repr=False)
class Library:
    """Templates, their source queries and the vectors of both. `Library.make` makes one, `Library.load` reads one.

    A template is found by the queries that it comes from: each of them keeps its vector, so that a new query finds the
    templates of the queries that are most like it.

    Attributes:
        templates: Sorted by task and id.
        queries: The source queries, sorted by task and id: ``task``, ``query_id``, ``query``.
        vectors: [N, D] float32, of the source queries.
        text_vectors: [T, D] float32, of the templates' texts; what near-duplicates are found by.
        about: ``encoder`` (spec and id), ``ranking``, ``log`` (name and fingerprint), ``split_seed``, ``counts``.
        encoder_state: Fitted state of the encoder; empty where it has none.
        encoder_now: Where the encoder is now, if it was a folder that has moved.
        device: Where it runs.
    """

    templates: tuple[Template, ...]
    queries: pl.DataFrame
    vectors: Array
    text_vectors: Array
    about: dict[str, Any]
    encoder_state: dict[str, Any]
    encoder_now: str | None = None
    device: str = "auto"

    def __len__(self) -> int:
        return len(self.templates)

    @classmethod
    def make(
        cls,
        templates: Sequence[Template],
        texts: Mapping[str, str],
        encoder: Encoder,
        about: Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> Library:
        """Make a library; the encoder encodes the source queries and the templates.

        Args:
            templates: Each id once.
            texts: The text of each source query, by id.
            encoder: Fitted.
            about: Provenance.
            progress: Whether to show a bar where encoding takes long.
        """
        ordered = tuple(sorted(templates, key=sort_key))
        queries = source_table(ordered, texts)
        vectors = encoder.encode([*queries["query"], *(one.text for one in ordered)], progress=progress)
        about = {**(about or {}), "encoder": encoder_config(encoder)}
        made = cls(ordered, queries, vectors[: queries.height], vectors[queries.height :], about, encoder.get_state())
        made.__dict__["encoder"] = encoder
        return made

    @classmethod
    def load(cls, folder: str | Path, encoder: str | None = None, device: str = "auto") -> Library:
        """Read a library. Its encoder is only looked for when a text is to be encoded.

        Args:
            folder: From `save`.
            encoder: Where the encoder is now, if it was a folder that has moved.
            device: Where it runs.

        Raises:
            UserError: If the folder holds no whole library of this format or an older one.
        """
        about = read_about(Path(folder))
        tables = read_tables(Path(folder))
        return cls(*tables, about, read_encoder_state(Path(folder), about), encoder, device)

    def save(self, folder: str | Path) -> Path:
        """Write the library whole or not at all; one that is there is replaced.

        Raises:
            UserError: If the folder holds other things, or cannot be written.
        """
        tables = (self.templates, self.queries, self.vectors, self.text_vectors)
        write_library(Path(folder), *tables, self.about, self.encoder_state)
        return Path(folder)

    @cached_property
    def encoder(self) -> Encoder:
        """Encoder of new texts.

        Raises:
            UserError: If it is gone, or is another than the library was made with.
        """
        return rebuild_encoder(
            self.about["encoder"], self.encoder_state, self.encoder_now, self.device, owner="library"
        )

    def with_encoder_of(self, other: Library) -> Library:
        """Take over where another library finds its encoder, and the encoder itself where that is there already."""
        self.encoder_now, self.device = other.encoder_now, other.device
        if "encoder" in other.__dict__:
            self.__dict__["encoder"] = other.encoder
        return self

    def retrieve(
        self,
        texts: Sequence[str],
        tasks: Sequence[str | None],
        k: int = 3,
        without: Sequence[str | None] | None = None,
        progress: bool = False,
    ) -> list[list[Template]]:
        """Return the k nearest templates of each query's task, the nearest first; fewer where the task has fewer.

        Args:
            texts: Q queries.
            tasks: The task of each, or None: then it is that of most of its ten nearest source queries. A task that the
                library does not know has no templates.
            k: Most templates per query.
            without: Per query, the id of a source query whose templates are left out, with those of queries of the same
                wording; or None.
            progress: Whether to show a bar where encoding takes long.

        Raises:
            UserError: If the arguments do not fit, or the encoder is gone.
        """
        if not len(texts) or not self.templates:
            return [[] for _ in texts]
        vectors = self.encoder.encode(list(texts), progress=progress, keep=len(texts) >= KEEP_FROM)
        return self.retrieve_by_vector(vectors, tasks, k, without)

    def retrieve_by_vector(
        self, vectors: Array, tasks: Sequence[str | None], k: int = 3, without: Sequence[str | None] | None = None
    ) -> list[list[Template]]:
        """Do as `retrieve`, for queries whose vectors [Q, D] are there already."""
        left_out = [None] * len(vectors) if without is None else list(without)
        if not len(vectors) == len(tasks) == len(left_out):
            raise UserError(
                f"there must be one task and one query to leave out (or None) per query, but there are {len(tasks)} "
                f"and {len(left_out)} for {len(vectors)} queries"
            )
        if k < 1:
            raise UserError(f"k must be 1 or more, but is {k}")
        if len(vectors) and vectors.shape[1] != self.vectors.shape[1]:
            raise UserError(
                f"the vectors must have {self.vectors.shape[1]} dimensions, but have {vectors.shape[1]}; "
                "use the library's encoder"
            )
        groups = np.array([-1 if query is None else self._groups.get(query, -1) for query in left_out], dtype=np.int64)
        found = self._retriever.search(vectors, tasks, k, groups)
        return [[self.templates[number] for number in numbers] for numbers in found]

    @cached_property
    def _group_of_row(self) -> Array:
        return query_groups(self.queries["query"])

    @cached_property
    def _groups(self) -> dict[str, int]:
        return dict(zip(self.queries["query_id"], self._group_of_row.tolist(), strict=True))

    @cached_property
    def _retriever(self) -> Retriever:
        row_of = {key: row for row, key in enumerate(self.queries.select("task", "query_id").iter_rows())}
        members = [[row_of[one.task, query] for query in one.queries] for one in self.templates]
        return Retriever(self.queries["task"].to_list(), self.vectors, self._group_of_row, members)


def sort_key(template: Template) -> tuple[bool, str, str]:
    """Return the sort key of templates in a library: those without a task first, then by task and id."""
    return template.task is not None, template.task or "", template.id


def source_table(templates: Sequence[Template], texts: Mapping[str, str]) -> pl.DataFrame:
    """Return the source queries of templates, each once: ``task``, ``query_id``, ``query``, sorted by both ids."""
    pairs = {(one.task, query) for one in templates for query in one.queries}
    keys = sorted(pairs, key=lambda pair: (pair[0] is not None, pair[0] or "", pair[1]))
    absent = next((query for _, query in keys if query not in texts), None)
    if absent is not None:
        raise UserError(f"each source query must have its text, but {absent!r} has none; pass it")
    rows = [(task, query, texts[query]) for task, query in keys]
    schema = {"task": pl.String, "query_id": pl.String, "query": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
