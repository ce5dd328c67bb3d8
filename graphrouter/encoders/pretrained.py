"""Base class of encoders with a pretrained model: loaded when it is needed, its vectors kept on disk."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphrouter.encoders.base import Encoder
from graphrouter.encoders.cache import VectorCache, text_key
from graphrouter.errors import UserError, first_line
from graphrouter.progress import without_weights_bar
from graphrouter.typing import Array

MODEL_FILES = (".json", ".txt", ".safetensors", ".bin", ".model", ".py", ".gguf")
INSTEAD = "pass the folder of a {kind}, or tfidf, which needs none"


class PretrainedEncoder(Encoder):
    """Encoder whose model is loaded when the first text comes that the cache does not have, and not before.

    One pass of the model may give several vectors of a text, each under a name and in a cache of its own.

    Args:
        model: A hub name, optionally ``name@revision``, or a local folder.
        device: ``cpu``, ``cuda`` or ``auto``.

    Attributes:
        kind: What the model is, in errors.
        chunk: Texts between two writes to the cache: what an interrupted run may lose.
    """

    kind: ClassVar[str]
    chunk: ClassVar[int] = 512

    def __init__(self, model: str, device: str = "auto") -> None:
        self.model, self.device = model, device
        self.folder = Path(model) if Path(model).is_dir() else None

    @cached_property
    def model_id(self) -> str:
        """The hub name and revision; of a folder, a hash of its weights and config, wherever it lies."""
        if self.folder:
            return f"folder:{hash_model(self.folder)}"
        name, _, revision = self.model.partition("@")
        return f"{name}@{revision or 'main'}"

    @abstractmethod
    def _cache_of(self, name: str) -> VectorCache:
        """Return where the vectors of a name are kept."""

    @abstractmethod
    def _passed(self, texts: Sequence[str]) -> Mapping[str, Array]:
        """Return the vectors [n, D] of texts by name, from a pass of the model."""

    def _vectors(self, texts: Sequence[str], names: Sequence[str], progress: bool, keep: bool) -> dict[str, Array]:
        """Return the vectors [N, D] of texts under each name, from the cache where it has them.

        Raises:
            UserError: If a text is new and the model cannot be loaded, or the cache cannot be written.
        """
        keys = [text_key(text) for text in texts]
        found = {name: self._kept(name, keys) for name in names}
        new = {
            key: text
            for key, text in zip(keys, texts, strict=True)
            if any(key not in vectors for vectors in found.values())
        }
        if new:
            for name, made in self._made(new, names, progress, keep).items():
                found[name] = made | found[name]
        return {name: self._stack(name, [vectors[key] for key in keys]) for name, vectors in found.items()}

    def _kept(self, name: str, keys: Sequence[bytes]) -> dict[bytes, Array]:
        kept = zip(keys, self._cache_of(name).get(keys), strict=True)
        return {key: vector for key, vector in kept if vector is not None}

    def _stack(self, name: str, vectors: Sequence[Array]) -> Array:
        lengths = {len(vector) for vector in vectors}
        if len(lengths) > 1:
            raise UserError(
                f"{self.id}: all vectors must be of one length, but are of {sorted(lengths)}; remove "
                f"{self._cache_of(name).folder}"
            )
        return np.stack(vectors) if vectors else np.empty((0, 0), dtype=np.float32)

    def _made(
        self, new: dict[bytes, str], names: Sequence[str], progress: bool, keep: bool
    ) -> dict[str, dict[bytes, Array]]:
        """Encode the longest texts first, in chunks that are written as they are done."""
        from tqdm import tqdm

        if keep:
            self._cache_of(names[0]).check_writable()
        order = sorted(new, key=lambda key: (-len(new[key]), key))
        made: dict[str, dict[bytes, Array]] = {name: {} for name in names}
        with tqdm(total=len(order), desc="encoding", unit="text", disable=not progress, leave=False) as bar:
            for start in range(0, len(order), self.chunk):
                chunk = order[start : start + self.chunk]
                passed = self._passed([new[key] for key in chunk])
                if not all(np.isfinite(vectors).all() for vectors in passed.values()):
                    raise UserError(f"{self.spec} must give finite vectors, but does not; its weights may be damaged")
                if keep:
                    self._keep(chunk, passed)
                for name in names:
                    made[name].update(zip(chunk, passed[name], strict=True))
                bar.update(len(chunk))
        return made

    def _keep(self, keys: Sequence[bytes], passed: Mapping[str, Array]) -> None:
        """Write what the caches do not have yet."""
        for name, vectors in passed.items():
            cache = self._cache_of(name)
            rows = [row for row, vector in enumerate(cache.get(keys)) if vector is None]
            cache.put([keys[row] for row in rows], vectors[rows])

    def _load(self, load: Callable[..., Any]) -> Any:
        """Load the model; a hub model from the local copy where there is one, so that no network is needed then.

        Args:
            load: Takes a name or folder, ``revision`` and ``local_files_only``.
        """
        instead = INSTEAD.format(kind=self.kind)
        name, _, revision = (str(self.folder), "", "") if self.folder else self.model.partition("@")
        options = {"revision": revision or None}
        with without_weights_bar():  # it would show for every start, though loading takes no time
            try:
                return load(name, local_files_only=True, **options)
            except Exception as error:
                if self.folder:
                    raise UserError(
                        f"{name} must hold a {self.kind}, but cannot be loaded: {_line(error)}; {instead}"
                    ) from None
            _check_on_hub(name, revision or None, instead)
            try:
                return load(name, local_files_only=False, **options)
            except Exception as error:
                raise UserError(f"encoder {self.spec!r} cannot be loaded: {_line(error)}; {instead}") from None

    def _device(self) -> str:
        import torch

        return ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device


def _check_on_hub(name: str, revision: str | None, instead: str) -> None:
    """Ask the hub once: the libraries would retry for more than a minute where there is no network."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, revision=revision, timeout=20)
    except Exception as error:
        raise UserError(
            f"encoder {name!r} is not on this machine, and the hub did not give it: {_line(error)}; {instead}"
        ) from None


def _line(error: BaseException) -> str:
    """Return the first line of an error for the middle of a sentence."""
    return first_line(error).rstrip(".")


def hash_model(folder: Path) -> str:
    """Return a hash of the weights and configs in a folder."""
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
