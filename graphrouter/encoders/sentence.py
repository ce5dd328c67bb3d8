"""A sentence-transformers model as encoder, with its vectors cached on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from graphrouter.encoders.base import unit_rows
from graphrouter.encoders.cache import VectorCache
from graphrouter.encoders.pretrained import INSTEAD, PretrainedEncoder
from graphrouter.encoders.seen import SeenQueries
from graphrouter.errors import UserError
from graphrouter.typing import Array

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class SentenceEncoder(PretrainedEncoder):
    """A sentence-transformers model (Reimers and Gurevych, arXiv:1908.10084).

    Args:
        model: A hub name, optionally ``name@revision``, or a local folder.
        batch_size: Texts per forward pass.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        UserError: If the model is a folder that holds no sentence-transformers model.
    """

    kind = "sentence-transformers model"

    def __init__(self, model: str = DEFAULT_MODEL, batch_size: int = 32, device: str = "auto") -> None:
        super().__init__(model, device)
        self.spec, self.batch_size = model, batch_size
        if self.folder and not (self.folder / "config.json").exists():
            raise UserError(
                f"{model} must hold a {self.kind}, but has no config.json; {INSTEAD.format(kind=self.kind)}"
            )

    @cached_property
    def id(self) -> str:
        """The hub name and revision; of a folder, a hash of its weights and config, wherever it lies."""
        return self.model_id

    @cached_property
    def cache(self) -> VectorCache:
        """Where the vectors of this model are kept."""
        return VectorCache(self.id)

    def encode(self, texts: Sequence[str], *, progress: bool = False, keep: bool = True) -> Array:
        """Return the vectors [N, D] of texts, from the cache where it has them.

        Raises:
            UserError: If a text is new and the model cannot be loaded, or the cache cannot be written.
        """
        return self._vectors(texts, [""], progress, keep)[""]

    def _cache_of(self, name: str) -> VectorCache:
        return self.cache

    def _passed(self, texts: Sequence[str]) -> Mapping[str, Array]:
        return {"": unit_rows(self._model.encode(texts, batch_size=self.batch_size, show_progress_bar=False))}

    @cached_property
    def seen(self) -> tuple[SeenQueries, ...]:
        """Queries that the model was fine-tuned on by `graphrouter.pipeline.finetuning.finetune_encoder`."""
        found = SeenQueries.read(self.folder) if self.folder else None
        return (found,) if found else ()

    @cached_property
    def _model(self) -> Any:
        return self.load()

    def load(self) -> Any:
        """Load the model anew, a ``SentenceTransformer``.

        Raises:
            UserError: If it cannot be loaded.
        """

        def load(name: str, **options: Any) -> Any:
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(name, device=self._device(), **options)

        return self._load(load)
