"""Queries that a fine-tuned encoder has seen, and the splits that it may be used on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from graphrouter.errors import UserError, first_line
from graphrouter.files import replace_file
from graphrouter.typing import Array

FILE = "finetuned.json"
"""Name of the file in the folder of a fine-tuned encoder."""


@dataclass(frozen=True)
class SeenQueries:
    """Text groups of the queries that an encoder was fine-tuned on.

    Attributes:
        log: Name of the log.
        seed: Seed of its split.
        train: Groups (see `graphrouter.splits.query_groups`) that the weights were learnt from.
        validation: Groups that training was stopped on.
        about: Settings and results of the training.
    """

    log: str
    seed: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    about: dict[str, Any]

    @property
    def groups(self) -> Array:
        """[n] int64, the groups of both parts."""
        return np.array([*self.train, *self.validation], dtype=np.int64)

    def check(self, spec: str, parts: Mapping[str, Array]) -> None:
        """Check that a split keeps from test, and from validation, what the encoder has learnt from.

        Args:
            spec: Name of the encoder in the error.
            parts: Groups of the queries of ``test`` and ``validation``.

        Raises:
            UserError: If a test query was seen, or a validation query was learnt from.
        """
        for part, known in (("test", self.groups), ("validation", np.array(self.train, dtype=np.int64))):
            count = int(np.isin(parts[part], known).sum())
            if count:
                raise UserError(
                    f"encoder {spec} was fine-tuned on {self.log} with the split of seed {self.seed}, so the {part} part must "
                    f"have none of the queries that it learnt from, but has {count:,} (of {len(parts[part]):,}); use the split "
                    "of that seed alone, or another encoder"
                )

    def save(self, folder: Path) -> None:
        """Write the file."""
        replace_file(folder / FILE, json.dumps(asdict(self), indent=1).encode() + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the file; None where the folder has none.

        Raises:
            UserError: If it is damaged: what the encoder has seen is not known then.
        """
        file = folder / FILE
        if not file.exists():
            return None
        try:
            known = json.loads(file.read_bytes())
            parts = {part: tuple(int(group) for group in known[part]) for part in ("train", "validation")}
            return cls(str(known["log"]), int(known["seed"]), **parts, about=dict(known["about"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file} must say what the encoder was fine-tuned on, but cannot be read ({first_line(error)}); fine-tune again"
            ) from None
