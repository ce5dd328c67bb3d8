"""Guides from what a command line says: ``NAME=thought:LIBRARY`` and ``NAME=few_shot:RANKING``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion.guidance.guide import SHOWN, Guide
from fusion.guidance.pieces import check_kind
from graphrouter.errors import UserError

if TYPE_CHECKING:
    from fusion.guidance.shots import Prompts
    from graphrouter.prepared import PreparedLog

FORM = "NAME=thought:LIBRARY or NAME=few_shot:RANKING"


@dataclass(frozen=True)
class Spec:
    """A guide that is asked for.

    Attributes:
        name: Ends the names of its candidates.
        kind: ``few_shot`` or ``thought``.
        what: A ranking, or the folder of a library.
    """

    name: str
    kind: str
    what: str


def parse_guides(texts: Sequence[str]) -> list[Spec]:
    """Read guides as they are typed.

    Raises:
        UserError: If one is not of the form, or a name occurs twice.
    """
    specs = []
    for text in texts:
        matched = re.fullmatch(r"([A-Za-z0-9][\w.-]*)=([^:]*):(.+)", text)
        if not matched:
            raise UserError(f"a guide must be {FORM}, but is {text!r}")
        check_kind(matched[2])
        specs.append(Spec(*matched.groups()))
    names = [spec.name for spec in specs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f"each guide must have a name of its own, but {twice!r} occurs twice; rename one")
    return specs


def make_guide(
    spec: Spec, source: PreparedLog, *, shown: int = SHOWN, prompts: Prompts | None = None, encoder: str | None = None
) -> Guide:
    """Make a guide.

    Args:
        spec: Guide that is asked for.
        source: The log that it comes from.
        shown: Most examples or thoughts, see `Guide`.
        prompts: Prompts in other styles, see `Shots`.
        encoder: Place of a library's encoder, if it was a folder that has moved.

    Raises:
        UserError: If the ranking is unknown, or the library is none, or of another log, split or encoder.
    """
    if spec.kind == "thought":
        from fusion.guidance.thoughts import Thoughts
        from fusion.templates import Library

        library = Library.load(spec.what, encoder=encoder)
        return Thoughts(shown, library=library, source=source, name=spec.what)
    from fusion.guidance.shots import Shots

    return Shots(shown, source=source, rank_by=spec.what, prompts=prompts or {})
