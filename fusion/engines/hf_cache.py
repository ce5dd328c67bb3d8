"""The keys and values of past tokens, in tensors with room to grow."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 64
"""Tokens of free room that a full tensor gets."""


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Writes new tokens in place, where transformers' own layer copies all past ones for each new one.

    Sliding-window models see their window through the mask; here all tokens are kept.

    Attributes:
        keys, values: [B, heads, length, width], views of larger tensors.
        length: Tokens so far, padding included.
    """

    length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make empty tensors of the right shape."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._all_keys, self._all_values = key_states[:, :, :0], value_states[:, :, :0]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add the new tokens [B, heads, T, width]; returns all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        begin, self.length = self.length, self.length + key_states.shape[2]
        if self.length > self._all_keys.shape[2]:
            self._all_keys = _grown(self._all_keys, begin, self.length + ROOM)
            self._all_values = _grown(self._all_values, begin, self.length + ROOM)
        self._all_keys[:, :, begin : self.length] = key_states
        self._all_values[:, :, begin : self.length] = value_states
        return self._show()

    def get_seq_length(self) -> int:
        """Return the tokens so far."""
        return self.length

    def select(self, rows: Tensor) -> None:
        """Keep these rows [n] of the batch only."""
        self._all_keys, self._all_values = self._all_keys[rows], self._all_values[rows]
        self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        keys, values = self._all_keys[:, :, : self.length], self._all_values[:, :, : self.length]
        self.keys, self.values = keys, values
        return keys, values


class GrowingCache(Cache):
    """One `GrowingLayer` for each layer of a model."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=GrowingLayer)

    def select(self, rows: Tensor) -> None:
        """Keep these rows [n] of the batch only."""
        for layer in self.layers:
            assert isinstance(layer, GrowingLayer)
            layer.select(rows)


def _grown(old: Tensor, used: int, room: int) -> Tensor:
    new = old.new_empty(old.shape[0], old.shape[1], room, old.shape[3])
    new[:, :, :used] = old[:, :, :used]
    return new
