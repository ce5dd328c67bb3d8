"""Hidden states of a causal language model that reads a query, as vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from graphrouter.encoders.base import unit_rows
from graphrouter.encoders.cache import VectorCache
from graphrouter.encoders.causal_spec import POOLINGS, PREFIX, CausalSpec
from graphrouter.encoders.hidden_states import pooled_states
from graphrouter.encoders.pretrained import INSTEAD, PretrainedEncoder
from graphrouter.errors import UserError
from graphrouter.typing import Array

LADDER = 8
"""Layers that every pass keeps, spread evenly up to the last, so that layers are compared after one pass. Twice as many
would take twice the disk, and neighbouring layers of a residual network hardly differ."""


class CausalEncoder(PretrainedEncoder):
    """States of the layers of a causal language model that reads a query and answers nothing, pooled over its tokens.

    What a small model's states tell of a query predicts which LLM answers it right (arXiv:2603.20895, arXiv:2602.11877).
    A few dimensions are hundreds of times as large as the others (900 against 2 in SmolLM2-135M) and would be all that a unit
    vector shows, so each is shifted to mean 0 and scaled to variance 1 over the training queries; then layers are joined.

    A pass keeps both poolings of a ladder of `LADDER` layers and of those that are asked for. The model computes in bfloat16 on
    CUDA and in float32 elsewhere. A folder may hold its weights as one ``.gguf`` file, which needs the package ``gguf``.

    Args:
        spec: See `CausalSpec`.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        UserError: If the spec does not do, or the model is a folder that holds none.
    """

    kind = "causal language model"
    chunk = 128  # 512 of the longest queries took a model of 135M parameters seven minutes on one CPU core

    def __init__(self, spec: str | CausalSpec, device: str = "auto") -> None:
        self.asked = CausalSpec.read(spec) if isinstance(spec, str) else spec
        super().__init__(self.asked.model, device)
        self.spec = str(self.asked)
        self.gguf = self._find_gguf()
        self._state: dict[str, Any] = {}

    def _find_gguf(self) -> str | None:
        """Return the name of the folder's GGUF file where it has no other weights."""
        if self.folder is None or any(file.suffix in (".safetensors", ".bin") for file in self.folder.iterdir()):
            return None
        found = sorted(file.name for file in self.folder.glob("*.gguf"))
        if len(found) != 1:
            raise UserError(
                f"{self.folder} must hold a {self.kind} as .safetensors, .bin or one .gguf file, but has "
                f"{len(found) or 'no'} .gguf and none of the others; {INSTEAD.format(kind=self.kind)}"
            )
        return found[0]

    @property
    def id(self) -> str:
        """The model and the options, and once fitted a hash of what was learnt."""
        name = f"{PREFIX}{self.model_id}:{self.asked.options()}"
        if not self._state:
            return name
        digest = hashlib.sha256(self._state["mean"].tobytes() + self._state["scale"].tobytes())
        return f"{name}:{digest.hexdigest()[:16]}"

    def given(self, log: object) -> str:
        """Return the model and the options: the rest is learnt from the log."""
        return f"{PREFIX}{self.model_id}:{self.asked.options()}"

    @cached_property
    def blocks(self) -> int:
        """Number of the model's layers."""
        return int(self._config.get_text_config().num_hidden_layers)

    @cached_property
    def ladder(self) -> tuple[int, ...]:
        """Layers that every pass keeps."""
        count = min(LADDER, self.blocks)
        return tuple(round(self.blocks * (step + 1) / count) for step in range(count))

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """Layers that are joined.

        Raises:
            UserError: If the model has no such layer.
        """
        chosen = self.asked.layers or self.ladder
        if max(chosen) > self.blocks:
            raise UserError(
                f"{self.model} has layers 1 to {self.blocks}, but {max(chosen)} was asked for; name another"
            )
        return chosen

    def variants(self) -> list[CausalEncoder]:
        """Return an encoder for each layer of the ladder and each pooling, and for all layers with each pooling."""
        several = [(layer,) for layer in self.ladder] + [()]
        specs = [
            CausalSpec(self.model, layers, pooling, self.asked.tokens) for pooling in POOLINGS for layers in several
        ]
        return [CausalEncoder(spec, self.device) for spec in specs]

    @property
    def resolved_spec(self) -> str:
        """The spec with a folder's whole path."""
        return str(replace(self.asked, model=str(self.folder.resolve()))) if self.folder else self.spec

    def precompute(self, texts: Sequence[str], *, progress: bool = False) -> None:
        """Make the states of texts, and keep them."""
        self._states(texts, progress=progress, keep=True)

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn the mean and the scale of each dimension."""
        states = self._states(texts, progress=False, keep=True).astype(np.float64)
        spread = states.std(axis=0)
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        return self.set_state({"mean": states.mean(axis=0), "scale": scale})

    def encode(self, texts: Sequence[str], *, progress: bool = False, keep: bool = True) -> Array:
        """Return the vectors [N, D] of texts; their states come from the cache where it has them.

        Raises:
            UserError: If the encoder is not fitted, a text is new and the model cannot be loaded, or the cache cannot be
                written.
        """
        if not self._state:
            raise UserError(f"{self.spec} must be fitted on training queries before it encodes; call fit(texts) first")
        if not len(texts):
            return np.empty((0, len(self._state["mean"])), dtype=np.float32)
        states = self._states(texts, progress=progress, keep=keep)
        return unit_rows((states - self._state["mean"]) * self._state["scale"])

    def get_state(self) -> dict[str, Any]:
        """Return mean [D] and scale [D]."""
        return self._state

    def set_state(self, state: dict[str, Any]) -> Self:
        """Take over mean and scale."""
        self._state = state
        return self

    def _states(self, texts: Sequence[str], *, progress: bool, keep: bool) -> Array:
        """Return the states [N, D] of the layers, one beside the other, as the model has them."""
        names = [_name(layer, self.asked.pooling) for layer in self.layers]
        found = self._vectors(texts, names, progress, keep)
        return np.concatenate([found[name] for name in names], axis=1)

    def _cache_of(self, name: str) -> VectorCache:
        if name not in self._caches:
            self._caches[name] = VectorCache(f"{PREFIX}{self.model_id}:{name}:tokens={self.asked.tokens}")
        return self._caches[name]

    @cached_property
    def _caches(self) -> dict[str, VectorCache]:
        return {}

    def _passed(self, texts: Sequence[str]) -> Mapping[str, Array]:
        """Return the states of the ladder and of what was asked for, [n, D] for each layer and pooling."""
        layers = sorted({*self.ladder, *self.layers})
        pooled = pooled_states(self._model, self._tokenizer, texts, layers, POOLINGS, self.asked.tokens)
        return {_name(*key): states for key, states in pooled.items()}

    @cached_property
    def _model(self) -> Any:
        import torch

        device = self._device()
        dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32

        def load(name: str, **options: Any) -> Any:
            from transformers import AutoModelForCausalLM

            return AutoModelForCausalLM.from_pretrained(name, dtype=dtype, **options)

        # Without the head, which would turn states into the logits of all tokens of the vocabulary.
        return self._read(load).base_model.to(device).eval()

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return self._read(AutoTokenizer.from_pretrained)

    @cached_property
    def _config(self) -> Any:
        from transformers import AutoConfig

        return self._read(AutoConfig.from_pretrained)

    def _read(self, load: Any) -> Any:
        def of_file(name: str, **options: Any) -> Any:
            return load(name, **options, **({"gguf_file": self.gguf} if self.gguf else {}))

        return self._load(of_file)


def _name(layer: int, pooling: str) -> str:
    return f"layer={layer}:{pooling}"
