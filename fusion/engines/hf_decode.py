"""Decoding of prompts, many rows at once, each as if it were alone.

The loop is here and not `model.generate`, which keeps the rows that have ended until the last one ends: 1.3 to 1.7 times as long
where answers differ in length (``benchmarks/decoding.py``; experiments/LOG.md, libraries in the engines).
"""

from __future__ import annotations

import hashlib
import inspect
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from fusion.engines.base import Request
from fusion.engines.questions import cut_at_question

KEEP = 0.75
"""Finished rows leave when at most this part is left: leaving copies the others' keys and values."""
SPARE = 4
"""Further tokens that are looked at for a stop text: a tokenizer may write the first one differently."""


@dataclass
class DecodedRow:
    """Prompt and its response so far.

    Attributes:
        request: Request.
        prompt: Token ids of the prompt.
        questions: Texts that end the response once there is an answer; see `cut_at_question`.
        ids: Token ids of the response, the end token included.
        text: Response once it is finished, without stop text and special tokens.
        finish: ``stop`` or ``length``; empty as long as it goes on.
    """

    request: Request
    prompt: list[int]
    questions: tuple[str, ...] = ()
    ids: list[int] = field(default_factory=list)
    text: str = ""
    finish: str = ""

    def __post_init__(self) -> None:
        name = f"{self.request.sampling.seed}\0{self.request.key}".encode("utf-8", "surrogatepass")
        self.random = random.Random(hashlib.blake2b(name, digest_size=16).digest())


class Decoder:
    """Decodes rows with a causal model.

    Prompts are padded on the left, with masked positions, and finished rows leave the batch. A sampled row draws from
    its own random numbers, seeded with the request's seed and key, so neither order nor batch can change them.

    Args:
        model: Causal language model of transformers.
        ends: Ids that end a response.
        write: Function from token ids to text, without special tokens.
    """

    def __init__(self, model: Any, ends: frozenset[int], write: Callable[[list[int]], str]) -> None:
        self._model, self._ends, self._write = model, ends, write
        known = inspect.signature(model.forward).parameters
        self._positions = "position_ids" in known
        self._last_only: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in known else {}

    @torch.inference_mode()
    def run(self, rows: Sequence[DecodedRow]) -> None:
        """Fill in the responses of unfinished rows."""
        ids, mask = self._pad([row.prompt for row in rows])
        position = (mask.cumsum(1) - 1).clamp_(min=0)
        cache, live = DynamicCache(), list(rows)  # no config: a sliding window is in the mask, and rows can leave
        while True:
            logits = self._forward(ids, mask, position, cache)
            chosen = choose(logits, live)
            for row, token in zip(live, chosen.tolist(), strict=True):
                if not row.finish:
                    self._add(row, token)
            going = [index for index, row in enumerate(live) if not row.finish]
            if not going:
                return
            position = position[:, -1:] + 1
            if len(going) <= KEEP * len(live):
                keep = torch.tensor(going, device=mask.device)
                live = [live[index] for index in going]
                chosen, mask, position = chosen[keep], mask[keep], position[keep]
                cache.batch_select_indices(keep)
            ids = chosen[:, None]
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)

    def _pad(self, prompts: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Return token ids and mask, both [B, T]; any id may stand where the mask is 0."""
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        return ids.to(self._model.device), mask.to(self._model.device)

    def _forward(self, ids: Tensor, mask: Tensor, position: Tensor, cache: DynamicCache) -> Tensor:
        """Return the logits [B, V] of the next token."""
        further = {"position_ids": position} if self._positions else {}
        output = self._model(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **further, **self._last_only
        )
        logits: Tensor = output.logits[:, -1].float()
        return logits

    def _add(self, row: DecodedRow, token: int) -> None:
        """Add a token to a row, and see whether that ends it."""
        row.ids.append(token)
        sampling = row.request.sampling
        if token in self._ends or self._stopped(row):
            row.finish = "stop"
        elif len(row.ids) >= sampling.max_tokens:
            row.finish = "length"
        if row.finish:
            row.text = cut_at_question(cut(self._write(row.ids), sampling.stop), row.questions)

    def _stopped(self, row: DecodedRow) -> bool:
        """Return whether the text holds what ends it; only its last tokens can hold a new such text."""
        stop = row.request.sampling.stop
        if not (stop or row.questions):
            return False
        last = max(len(text.encode()) for text in (*stop, *row.questions)) + SPARE
        tail = self._write(row.ids[-last:])
        if not any(text in tail for text in (*stop, *row.questions)):
            return False
        whole = self._write(row.ids)
        return cut_at_question(cut(whole, stop), row.questions) != whole


def cut(text: str, stop: tuple[str, ...]) -> str:
    """Return the text up to the first stop text."""
    places = [place for place in map(text.find, stop) if place >= 0]
    return text[: min(places)] if places else text


def choose(logits: Tensor, rows: Sequence[DecodedRow]) -> Tensor:
    """Choose the next token of each row.

    Greedy: the largest logit. Sampled: the inverse of the distribution function at the row's next random number, with
    ``softmax(logits / temperature)``, and for ``top_p < 1`` over the most probable tokens that together reach it
    (nucleus sampling, arXiv:1904.09751). Every row is computed by itself, whatever the others ask for.

    Args:
        logits: [B, V].
        rows: B of them. A finished one draws nothing more.

    Returns:
        Token ids [B].
    """
    chosen = logits.argmax(dim=1)
    sampled = [i for i, row in enumerate(rows) if row.request.sampling.temperature > 0 and not row.finish]
    for nucleus in (False, True):
        group = [i for i in sampled if (rows[i].request.sampling.top_p < 1) == nucleus]
        if group:
            index = torch.tensor(group, device=logits.device)
            chosen[index] = _sample(logits[index], [rows[i] for i in group], nucleus)
    return chosen


def _sample(logits: Tensor, rows: Sequence[DecodedRow], nucleus: bool) -> Tensor:
    """Draw a token [n] for each row of logits [n, V]."""

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=logits.device)[:, None]

    scaled = logits.double() / column([row.request.sampling.temperature for row in rows])
    weights, order = scaled.softmax(dim=1), None
    if nucleus:
        weights, order = weights.sort(dim=1, descending=True, stable=True)
        before = weights.cumsum(dim=1) - weights
        outside = before >= column([row.request.sampling.top_p for row in rows])
        outside[:, 0] = False  # the most probable token is always in
        weights = weights.masked_fill(outside, 0.0)
    total = weights.cumsum(dim=1)
    place = torch.searchsorted(total, column([row.random.random() for row in rows]) * total[:, -1:], right=True)
    last = logits.shape[1] - 1 - weights.flip(1).gt(0).int().argmax(dim=1, keepdim=True)  # with a chance at all
    place = torch.minimum(place, last)
    return (place if order is None else order.gather(1, place)).squeeze(1)
