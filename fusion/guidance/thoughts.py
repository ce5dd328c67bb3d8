"""Thoughts: the templates of similar queries, from a library."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from fusion.guidance.guide import Guide
from fusion.guidance.pieces import Piece
from fusion.guidance.questions import GuidedQuestion, TextGroups
from fusion.templates import Library
from graphrouter.errors import UserError
from graphrouter.identity import log_digest
from graphrouter.prepared import PreparedLog


@dataclass(eq=False)
class Thoughts(Guide):
    """Templates of a library.

    Attributes:
        library: Library from ``fusion templates mine``.
        source: The log that it must have been mined from, divided with the source's seed; None to take the library as it
            is. Then a question is known by its wording alone.
        name: Name of the library, in errors.
    """

    kind: ClassVar[str] = "thought"
    library: Library = field(kw_only=True)
    source: PreparedLog | None = None
    name: str = "the library"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source:
            self._check(self.source)

    def _check(self, source: PreparedLog) -> None:
        about, log = self.library.about, source.log
        mined = about.get("log") or {}
        if mined.get("fingerprint") != log_digest(log):
            raise UserError(
                f"{self.name} must be mined from {log.name} as it is now, but was mined from "
                f"{mined.get('name', 'an unknown log')} (another log, or its content has changed); mine it again, or name "
                "that log"
            )
        if about.get("split_seed") != source.seed:
            raise UserError(
                f"{self.name} must be mined with the split seed {source.seed}, but has {about.get('split_seed')}, so "
                "its templates may come from test queries; mine it again, or name that seed"
            )

    @property
    def ranking(self) -> str:
        """Ranking that chose the responses that it was mined from."""
        return str(self.library.about.get("ranking"))

    def about(self) -> dict[str, Any]:
        """Return all that the thoughts depend on."""
        digest = hashlib.sha256()
        for template in self.library.templates:
            digest.update(f"{template.id}\n".encode())
        return {
            "kind": self.kind,
            "ranking": self.ranking,
            "shown": self.shown,
            "encoder": self.library.about["encoder"]["id"],
            "templates": digest.hexdigest(),
            "log": (self.library.about.get("log") or {}).get("fingerprint"),
            "seed": self.library.about.get("split_seed"),
        }

    @cached_property
    def _text_groups(self) -> TextGroups:
        queries = self.source.log.queries if self.source else self.library.queries
        return TextGroups(queries["query_id"], queries["query"])

    @cached_property
    def _count(self) -> Counter[str]:
        """How many templates come from each query."""
        return Counter(query for template in self.library.templates for query in template.queries)

    def find(self, asked: Sequence[GuidedQuestion], style: str | None = None) -> list[tuple[Piece, ...]]:
        """Return the nearest thoughts for each question; see `Guide.find`. They are the same in every style."""
        own = self._text_groups.own(asked, by_id=self.source is not None)
        known = [[query for query in ids if query in self._count] for ids in own]
        # The library leaves out one query and its wording. A question that has its id from one and its wording from
        # another is looked up deeper, so that as many remain.
        spare = max((sum(self._count[query] for query in ids) for ids in known), default=0)
        found = self.library.retrieve(
            [one.text for one in asked],
            [one.task for one in asked],
            k=self.shown + spare,
            without=[min(ids, default=None) for ids in known],
        )
        return [
            tuple(Piece(one.id, one.text) for one in templates if not ids.intersection(one.queries))[: self.shown]
            for ids, templates in zip(own, found, strict=True)
        ]
