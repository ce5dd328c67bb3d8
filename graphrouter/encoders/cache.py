"""Vectors on disk, by content and encoder, so that no text is encoded twice."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphrouter.errors import UserError
from graphrouter.typing import Array

SHARD_ROWS = 2048


def cache_root() -> Path:
    """Return the folder of the cache: ``$GRAPHROUTER_CACHE``, or ``~/.cache/graphrouter``; vectors are in ``vectors``."""
    return Path(os.environ.get("GRAPHROUTER_CACHE") or "~/.cache/graphrouter").expanduser() / "vectors"


def text_key(text: str) -> bytes:
    """Return the 32 bytes that a text is found by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class VectorCache:
    """The vectors of one encoder: a folder of shards that are only ever added.

    A shard is an ``.npz`` of keys [n, 32] uint8 and vectors [n, D] float32, n at most 2,048. It is written under a
    temporary name and renamed, so a reader sees all of it or nothing; its check sums show damage. Names begin with the
    time, and the oldest vector of a text counts, so that all processes agree. Two processes at once may encode a
    text twice, and nothing worse.

    Args:
        encoder_id: See `Encoder.id`.
        root: Holds one folder per encoder.
    """

    def __init__(self, encoder_id: str, root: Path | None = None) -> None:
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", encoder_id)[-60:].strip("-.")
        self.folder = (root or cache_root()) / f"{slug}-{hashlib.sha256(encoder_id.encode()).hexdigest()[:16]}"
        self._place: dict[bytes, tuple[str, int]] = {}
        self._read: set[str] = set()
        self._vectors: dict[str, Array] = {}

    def get(self, keys: Sequence[bytes]) -> list[Array | None]:
        """Return the vector [D] of each key, or None where the cache has none."""
        if any(key not in self._place for key in keys):
            self._index_new_shards()
        places = [self._place.get(key) for key in keys]
        return [self._vectors[place[0]][place[1]] if place else None for place in places]

    def put(self, keys: Sequence[bytes], vectors: Array) -> None:
        """Write vectors [n, D] in shards.

        Raises:
            UserError: If the folder cannot be written.
        """
        self.check_writable()
        for start in range(0, len(keys), SHARD_ROWS):
            part = keys[start : start + SHARD_ROWS]
            table = np.frombuffer(b"".join(part), dtype=np.uint8).reshape(-1, 32)
            self._write(table, np.ascontiguousarray(vectors[start : start + SHARD_ROWS], dtype=np.float32))

    def check_writable(self) -> None:
        """Make the folder, and refuse before any work is done where that cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (probe := self.folder / f".{uuid.uuid4().hex}").touch()
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"the vector cache must be a folder that can be written, but {self.folder}: {error.strerror}; "
                "set GRAPHROUTER_CACHE to another folder"
            ) from None

    def _write(self, table: Array, vectors: Array) -> None:
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.npz"
        draft = self.folder / f".{name}"
        try:
            with draft.open("wb") as file:
                np.savez(file, keys=table, vectors=vectors)
            draft.replace(self.folder / name)
        except OSError as error:
            raise UserError(
                f"the vector cache must have room, but {self.folder}: {error.strerror}; free some, or move it"
            ) from None
        finally:
            draft.unlink(missing_ok=True)
        self._add(name, table)
        self._vectors[name] = vectors

    def _index_new_shards(self) -> None:
        if not self.folder.is_dir():
            return
        names = {
            entry.name for entry in os.scandir(self.folder) if entry.name.endswith(".npz") and entry.name[0] != "."
        }
        for name in sorted(names - self._read):
            try:
                with np.load(self.folder / name, allow_pickle=False) as shard:
                    keys, vectors = shard["keys"], shard["vectors"]
                if (
                    keys.shape != (len(vectors), 32)
                    or keys.dtype != np.uint8
                    or vectors.dtype != np.float32
                    or vectors.ndim != 2
                ):
                    raise ValueError("not the arrays of a shard")
                if not np.isfinite(vectors).all():
                    raise ValueError("its vectors are not finite")
                if any(vectors.shape[1] != known.shape[1] for known in self._vectors.values()):
                    raise ValueError(f"its vectors have {vectors.shape[1]} dimensions, those before it another number")
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                warnings.warn(
                    f"{self.folder / name} is damaged ({error}); its texts are encoded again, and it can be removed",
                    stacklevel=4,
                )
                self._read.add(name)
                continue
            self._add(name, keys)
            self._vectors[name] = vectors

    def _add(self, name: str, keys: Array) -> None:
        self._read.add(name)
        for row, key in enumerate(keys):
            self._place.setdefault(key.tobytes(), (name, row))
