"""Questions that are to be guided: a question is never shown what is worded as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphrouter.splits import query_groups


class GuidedQuestion(NamedTuple):
    """A question that is to be guided.

    Attributes:
        query_id: Id in the log, or None for a question from elsewhere.
        text: The query, as it stands in a log: what is compared with the log's queries.
        task: Name of its task, or None where that is not known.
    """

    query_id: str | None
    text: str
    task: str | None = None


class TextGroups:
    """Finds the queries that a question must not be shown.

    Args:
        ids: Ids of the queries.
        texts: Texts of the queries.
    """

    def __init__(self, ids: Iterable[str], texts: Iterable[str]) -> None:
        self._ids: dict[int, set[str]] = {}
        for query_id, group in zip(ids, query_groups(texts), strict=True):
            self._ids.setdefault(int(group), set()).add(query_id)

    def own(self, asked: Sequence[GuidedQuestion], by_id: bool = True) -> list[frozenset[str]]:
        """Return, for each question, the ids of the queries of one text group, and its own.

        Args:
            asked: The questions.
            by_id: Whether the questions' ids are of the same log, so that a question is known by its id too.
        """
        groups = query_groups(one.text for one in asked)
        own = [frozenset(self._ids.get(int(group), ())) for group in groups]
        return [ids | {one.query_id} if by_id and one.query_id else ids for one, ids in zip(asked, own, strict=True)]
