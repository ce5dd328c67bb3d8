"""A sentence-transformers model as encoder, with its vectors cached on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.encoders.base import Encoder, unit_rows
from graphrouter.encoders.cache import VectorCache, text_key
from graphrouter.errors import UserError, first_line
from graphrouter.progress import without_weights_bar
from graphrouter.typing import Array

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
CHUNK = 512
"""Texts between two writes to the cache: what an interrupted run may lose."""

MODEL_FILES = (".json", ".txt", ".safetensors", ".bin", ".model", ".py")
INSTEAD = "pass the folder of a sentence-transformers model, or tfidf, which needs none"


class SentenceEncoder(Encoder):
    """A sentence-transformers model (Reimers and Gurevych, arXiv:1908.10084).

    The model is loaded when the first text comes that the cache does not have, and not before.

    Args:
        model: A hub name, optionally ``name@revision``, or a local folder.
        batch_size: Texts per forward pass.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        UserError: If the model is a folder that holds no sentence-transformers model.
    """

    def __init__(self, model: str = DEFAULT_MODEL, batch_size: int = 32, device: str = "auto") -> None:
        self.spec, self.batch_size, self.device = model, batch_size, device
        self.folder = Path(model) if Path(model).is_dir() else None
        if self.folder and not (self.folder / "config.json").exists():
            raise UserError(f"{model} must hold a sentence-transformers model, but has no config.json; {INSTEAD}")

    @cached_property
    def id(self) -> str:
        """The hub name and revision; of a folder, a hash of its weights and config, wherever it lies."""
        if self.folder:
            return f"folder:{_hash_model(self.folder)}"
        name, _, revision = self.spec.partition("@")
        return f"{name}@{revision or 'main'}"

    @cached_property
    def cache(self) -> VectorCache:
        """Where the vectors of this model are kept."""
        return VectorCache(self.id)

    def encode(self, texts: Sequence[str], *, progress: bool = False, keep: bool = True) -> Array:
        """Return the vectors [N, D] of texts, from the cache where it has them.

        Raises:
            UserError: If a text is new and the model cannot be loaded, or the cache cannot be written.
        """
        keys = [text_key(text) for text in texts]
        kept = zip(keys, self.cache.get(keys), strict=True)
        found = {key: vector for key, vector in kept if vector is not None}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new:
            found.update(self._encode_new(new, progress, keep))
        lengths = {len(vector) for vector in found.values()}
        if len(lengths) > 1:
            raise UserError(
                f"{self.id}: all vectors must be of one length, but are of {sorted(lengths)}; remove {self.cache.folder}"
            )
        return np.stack([found[key] for key in keys]) if keys else np.empty((0, 0), dtype=np.float32)

    def _encode_new(self, new: dict[bytes, str], progress: bool, keep: bool) -> dict[bytes, Array]:
        """Encode the longest texts first, in chunks that are written as they are done."""
        from tqdm import tqdm

        if keep:
            self.cache.check_writable()
        order = sorted(new, key=lambda key: (-len(new[key]), key))
        model = self._model
        made: dict[bytes, Array] = {}
        with tqdm(total=len(order), desc="encoding", unit="text", disable=not progress, leave=False) as bar:
            for start in range(0, len(order), CHUNK):
                chunk = order[start : start + CHUNK]
                raw = model.encode([new[key] for key in chunk], batch_size=self.batch_size, show_progress_bar=False)
                vectors = unit_rows(raw)
                if not np.isfinite(vectors).all():
                    raise UserError(f"{self.spec} must give finite vectors, but does not; its weights may be damaged")
                if keep:
                    self.cache.put(chunk, vectors)
                made.update(zip(chunk, vectors, strict=True))
                bar.update(len(chunk))
        return made

    @cached_property
    def _model(self) -> Any:
        with without_weights_bar():  # it would show for every start, though loading takes no time
            return self._load()

    def _load(self) -> Any:
        """Load the model; a hub model from the local copy where there is one, so that no network is needed then."""
        import torch
        from sentence_transformers import SentenceTransformer

        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        name, _, revision = (str(self.folder), "", "") if self.folder else self.spec.partition("@")
        load = partial(SentenceTransformer, name, revision=revision or None, device=device)
        try:
            return load(local_files_only=True)
        except Exception as error:
            if self.folder:
                raise UserError(
                    f"{name} must hold a sentence-transformers model, but cannot be loaded: {_line(error)}; {INSTEAD}"
                ) from None
        _check_on_hub(name, revision or None)
        try:
            return load()
        except Exception as error:
            raise UserError(f"encoder {self.spec!r} cannot be loaded: {_line(error)}; {INSTEAD}") from None


def _check_on_hub(name: str, revision: str | None) -> None:
    """Ask the hub once: sentence-transformers would retry for more than a minute where there is no network."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, revision=revision, timeout=20)
    except Exception as error:
        raise UserError(
            f"encoder {name!r} is not on this machine, and the hub did not give it: {_line(error)}; {INSTEAD}"
        ) from None


def _line(error: BaseException) -> str:
    """Return the first line of an error for the middle of a sentence."""
    return first_line(error).rstrip(".")


def _hash_model(folder: Path) -> str:
    digest = hashlib.sha256()
    files = [file for file in folder.rglob("*") if file.suffix in MODEL_FILES and file.is_file()]
    for file in sorted(files, key=lambda file: file.relative_to(folder).as_posix()):
        parts = file.relative_to(folder)
        if parts.parts[0] in ("onnx", "openvino") or any(part.startswith(".") for part in parts.parts):
            continue
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{parts.as_posix()}\0{content}\n".encode())
    return digest.hexdigest()[:32]
