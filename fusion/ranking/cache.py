"""Cache of a ranking in a file: the graph takes minutes to rank a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from fusion.ranking import rank
from graphrouter.encoders import Encoder, encoder_of
from graphrouter.errors import UserError, first_line
from graphrouter.files import atomic_write
from graphrouter.identity import log_digest
from graphrouter.log import LLMLog


def rank_once(
    log: LLMLog,
    ranking: str,
    file: Path | None,
    *,
    encoder: str | Encoder | None = None,
    seed: int = 0,
    **settings: Any,
) -> pl.DataFrame:
    """Read a ranking from its cache, or make it and cache it.

    Args:
        log: Whose responses are ranked.
        ranking: See `fusion.ranking.rank`.
        file: Parquet file; None for no cache.
        encoder: Encoder for ``graph``; None for the log's default.
        seed: Seed of the ranking.
        settings: Further ones that change nothing of the ranks: ``device`` and ``progress``.

    Raises:
        UserError: If the file is no ranking, or that of another log, ranking, seed or encoder.
    """
    chosen: Encoder | None = None
    if ranking == "graph":
        chosen = encoder if isinstance(encoder, Encoder) else encoder_of(log, encoder)
    about = {
        "log": log_digest(log),
        "ranking": ranking,
        "seed": str(seed),
        "encoder": chosen.id if chosen else "",
    }
    if file and file.exists():
        return _read(file, about)
    ranked = rank(log, ranking, encoder=chosen, seed=seed, **settings)
    if file:
        with atomic_write(file) as draft:
            ranked.write_parquet(draft, metadata=about)
    return ranked


def _read(file: Path, about: dict[str, str]) -> pl.DataFrame:
    try:
        found = pl.read_parquet_metadata(file)
        ranked = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"{file} must be a ranking that this command wrote, but cannot be read: {first_line(error)}"
        ) from None
    for key, value in about.items():
        if found.get(key) != value:
            raise UserError(
                f"{file} must be the ranking of this log and these options, but its {key} differs ({found.get(key)}, not "
                f"{value}); name another file"
            )
    return ranked
