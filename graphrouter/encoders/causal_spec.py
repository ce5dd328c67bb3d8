"""The text that names hidden states of a causal language model as an encoder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from graphrouter.errors import UserError, suggest

PREFIX = "causal:"
POOLINGS = ("last", "mean")
OPTIONS = ("layers", "pooling", "tokens")
TOKENS = 512
"""Most tokens of a query that are read. At four characters a token, 97% or more of the queries of ten public logs are shorter."""


@dataclass(frozen=True)
class CausalSpec:
    """What ``causal:MODEL:layers=8+16:pooling=mean:tokens=512`` says.

    Attributes:
        model: A hub name, optionally ``name@revision``, or a local folder.
        layers: Layers whose states are joined, from 1, the first block's, to the number of blocks; empty for the ladder.
        pooling: ``mean`` over the tokens, or that of the ``last``, the only one that has read the whole query.
        tokens: Most tokens that are read.
    """

    model: str
    layers: tuple[int, ...] = ()
    pooling: str = "mean"
    tokens: int = TOKENS

    @classmethod
    def read(cls, spec: str) -> Self:
        """Read a spec.

        Raises:
            UserError: If an option is unknown or has no such value.
        """
        model, *words = re.split(r":(?=\w+=[^:/\\]*(?::|$))", spec.removeprefix(PREFIX))
        options = dict(word.split("=", 1) for word in words)
        for name in options:
            if name not in OPTIONS:
                raise UserError(f"encoder {spec!r} has no option {name!r}{suggest(name, OPTIONS)}")
        layers, pooling = options.get("layers", "all"), options.get("pooling", "mean")
        if layers != "all" and not re.fullmatch(r"[1-9]\d*(\+[1-9]\d*)*", layers):
            raise UserError(f"layers must be all, or numbers such as 8 or 8+16, but are {layers!r} in {spec!r}")
        if pooling not in POOLINGS:
            raise UserError(f"pooling must be {' or '.join(POOLINGS)}, but is {pooling!r} in {spec!r}")
        tokens = options.get("tokens", str(TOKENS))
        if not re.fullmatch(r"[1-9]\d*", tokens):
            raise UserError(f"tokens must be a number of 1 or more, but are {tokens!r} in {spec!r}")
        numbers = () if layers == "all" else tuple(sorted({int(layer) for layer in layers.split("+")}))
        return cls(model, numbers, pooling, int(tokens))

    def options(self) -> str:
        """Return the options as they stand behind the model."""
        return f"layers={'+'.join(map(str, self.layers)) or 'all'}:pooling={self.pooling}:tokens={self.tokens}"

    def __str__(self) -> str:
        return f"{PREFIX}{self.model}:{self.options()}"
