"""One pass of a causal language model over texts: the states of its layers, pooled over the tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphrouter.typing import Array

if TYPE_CHECKING:
    from torch import Tensor

BATCH_TOKENS = 8192
"""Tokens per forward pass, padding included: the states of 31 layers of 576 numbers then take 0.6 GB in float32."""


def pooled_states(
    model: Any, tokenizer: Any, texts: Sequence[str], layers: Sequence[int], poolings: Sequence[str], most: int
) -> dict[tuple[int, str], Array]:
    """Return the pooled states [N, D] of N texts, float32, for each layer and pooling.

    Args:
        model: A transformers model without its head.
        tokenizer: The model's.
        texts: N texts.
        layers: From 1, the first block's; that of the last block is after the final norm, as the head reads it.
        poolings: ``mean`` over the tokens, or ``last``.
        most: Tokens of a text that are read.
    """
    import torch

    tokens = _tokens(tokenizer, texts, most)
    width = model.config.get_text_config().hidden_size
    made = {(layer, how): np.empty((len(texts), width), dtype=np.float32) for layer in layers for how in poolings}
    for rows in _batches([len(one) for one in tokens]):
        ids, mask = _padded([tokens[row] for row in rows], model.device)
        with torch.inference_mode():
            states = model(input_ids=ids, attention_mask=mask, use_cache=False, output_hidden_states=True).hidden_states
        for layer, how in made:
            made[layer, how][rows] = _pool(states[layer].float(), mask, how).cpu().numpy()
    return made


def _tokens(tokenizer: Any, texts: Sequence[str], most: int) -> list[list[int]]:
    """Return the token ids of texts; a text without any is the token that ends a text, as a model needs one."""
    ids: list[list[int]] = tokenizer(list(texts), truncation=True, max_length=most)["input_ids"]
    return [one or [tokenizer.eos_token_id or 0] for one in ids]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield row numbers in batches of texts of similar length, `BATCH_TOKENS` at most with padding."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _padded(tokens: Sequence[Sequence[int]], device: Any) -> tuple[Tensor, Tensor]:
    """Return token ids [B, T] with zeros on the right, which no token before them sees, and their mask [B, T]."""
    import torch

    lengths = torch.tensor([len(one) for one in tokens])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    ids = torch.zeros(mask.shape, dtype=torch.long)
    ids[mask] = torch.tensor([number for one in tokens for number in one])
    return ids.to(device), mask.long().to(device)


def _pool(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Pool states [B, T, D] over the tokens of the mask [B, T]."""
    if pooling == "mean":
        return (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    return states[range(len(states)), mask.sum(dim=1) - 1]
