"""Cache of the guidance of questions on disk, so that a run that goes on shows the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from fusion.guidance.guide import Guide
from fusion.guidance.pieces import Piece
from fusion.guidance.questions import GuidedQuestion
from graphrouter.errors import UserError, first_line
from graphrouter.files import atomic_write, replace_file

SCHEMA = dict.fromkeys(("query_id", "style", "source", "prompt", "text"), pl.String)

Found = Mapping[tuple[str, str], tuple[Piece, ...]]
"""By query id and style, the nearest first."""


@dataclass(frozen=True)
class Guidance:
    """Guidance of one guide for a set of questions.

    Attributes:
        name: Name of the guide; it ends the names of the candidates that are shown it.
        kind: One of `fusion.guidance.pieces.KINDS`.
        styles: Prompting styles in which it is shown.
        about: All that it depends on; see `fusion.guidance.guide.Guide.about`.
        found: Pieces for each question, before the token budget.
    """

    name: str
    kind: str
    styles: tuple[str, ...]
    about: Mapping[str, Any]
    found: Found = field(repr=False)

    def save(self, folder: Path) -> None:
        """Write ``NAME.json`` and ``NAME.parquet``."""
        rows = [
            (*key, piece.source, piece.prompt, piece.text) if piece else (*key, None, None, None)
            for key, pieces in sorted(self.found.items())
            for piece in pieces or (None,)
        ]
        with atomic_write(folder / f"{self.name}.parquet") as draft:
            pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(draft, compression="zstd")
        replace_file(folder / f"{self.name}.json", json.dumps(dict(self.about), indent=2).encode() + b"\n")


def find_guidance(
    name: str, guide: Guide, asked: Sequence[GuidedQuestion], styles: Sequence[str], folder: Path | None = None
) -> Guidance:
    """Return the guidance of a guide for questions; the cache of an earlier run is used.

    So a ranking that is fitted anew on another machine, and differs in its last digit, changes no prompt of a run that
    goes on.

    Args:
        name: Name of the guide.
        guide: Finds what is not cached.
        asked: Questions, each with an id.
        styles: In which it is shown.
        folder: Where `Guidance.save` may have written; None to look for everything.

    Raises:
        UserError: If the cache cannot be read.
    """
    about = json.loads(json.dumps(guide.about()))
    cached = _read(folder, name, about) if folder else {}
    found = dict(cached)
    for style in styles:
        left = [one for one in asked if (str(one.query_id), style) not in cached]
        if left:
            shown = guide.find(left, style)
            found |= {(str(one.query_id), style): pieces for one, pieces in zip(left, shown, strict=True)}
    return Guidance(name, guide.kind, tuple(styles), about, found)


def _read(folder: Path, name: str, about: Mapping[str, Any]) -> dict[tuple[str, str], tuple[Piece, ...]]:
    """Return the cached pieces of the same guide; none of another, whose cache is then written over."""
    file = folder / f"{name}.json"
    if not file.exists():
        return {}
    try:
        if json.loads(file.read_text()) != about:
            return {}
        rows = pl.read_parquet(folder / f"{name}.parquet").select(list(SCHEMA)).iter_rows()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"{file} must be what an earlier run wrote, but cannot be read ({first_line(error)}); remove it and its "
            "Parquet file"
        ) from None
    found: dict[tuple[str, str], tuple[Piece, ...]] = {}
    for query_id, style, source, prompt, text in rows:
        piece = () if source is None else (Piece(source, text, prompt),)
        found[query_id, style] = found.get((query_id, style), ()) + piece
    return found
