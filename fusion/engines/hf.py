"""Model on this machine through Hugging Face transformers, from a folder or the hub."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from fusion.engines.base import Answer, Completion, Engine, Failure, Request
from graphrouter.errors import UserError

if TYPE_CHECKING:
    from fusion.engines.hf_decode import DecodedRow
    from fusion.engines.hf_load import Loaded

WINDOW = 8
"""Batches that are drawn at once, to be sorted by length."""


@dataclass(eq=False)
class TransformersEngine(Engine):
    """Decodes with a causal language model in this process, in batches.

    The prompt is the tokenizer's chat template; without one, the messages' texts joined by line ends. Requests are drawn
    eight batches at a time and sorted by length, so little is padding; answers come batch by batch, with the batch's
    seconds as latency. Greedy or sampled, the answer to a request is the same in any batch and any order: sampling has
    its own random numbers for each request, from its seed and key. What is left is the rounding of the arithmetic, which
    may differ between batch sizes and decides only between tokens that are equally good to the last digit (in float32; in
    16 bits such ties are common).

    Tokens are counted without padding. The end token, and the tokens of a stop text, count as output, as APIs count them.

    An answer of a model without a chat template ends where it goes on with a question of its own (`Engine.questions`).

    Attributes:
        model: Folder, or name on the Hugging Face hub.
        revision: Branch, tag or commit on the hub; None for its default.
        batch_size: Rows that are decoded together; halved, for good, where the memory does not suffice.
        device: auto (CUDA where there is one), cpu or cuda.
        dtype: auto (that of the weights; on a CPU float32), float32, bfloat16 or float16.
        template: Further values for the chat template, such as ``{"enable_thinking": false}``.
        stop_at_question: Whether a model without a chat template ends where it goes on with a question of its own.
    """

    model: str
    revision: str | None = None
    batch_size: int = 64
    device: str = "auto"
    dtype: str = "auto"
    template: dict[str, Any] = field(default_factory=dict)
    stop_at_question: bool = True

    concurrent: ClassVar[bool] = False
    answers_depend_on: ClassVar[tuple[str, ...]] = ("revision", "dtype", "template")

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UserError: If the batch size is below 1.
        """
        self._loaded: Loaded | None = None
        if self.batch_size < 1:
            raise UserError(f"batch_size of {self.model!r} must be 1 or more, but is {self.batch_size}")

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests; see `Engine.generate`. The first call loads the model.

        Raises:
            UserError: If the model cannot be loaded.
        """
        source = iter(requests)
        while window := list(islice(source, WINDOW * self.batch_size)):
            rows = []
            for request, prompt in zip(window, self._load().prompts(window, self.template), strict=True):
                made = self._row(request, prompt)
                if isinstance(made, Failure):
                    yield made
                else:
                    rows.append(made)
            rows.sort(key=lambda row: (row.request.sampling.max_tokens, len(row.prompt), row.request.key))
            while rows:
                batch = rows[: self.batch_size]
                done = self._decode(batch)
                del rows[: len(done)]
                yield from done

    def close(self) -> None:
        """Free the model's memory."""
        self._loaded = None
        gc.collect()
        _empty_cache()

    def _load(self) -> Loaded:
        if self._loaded is None:
            from fusion.engines.hf_load import load

            self._loaded = load(self.model, self.revision, self.device, self.dtype)
        return self._loaded

    def _row(self, request: Request, prompt: list[int] | str) -> DecodedRow | Failure:
        """Return the row to decode, or why it cannot be decoded."""
        from fusion.engines.hf_decode import DecodedRow

        limit, most = self._load().limit, request.sampling.max_tokens
        if isinstance(prompt, str):
            return Failure(request.key, prompt)
        if most < 1:
            return Failure(request.key, f"max_tokens must be 1 or more, but is {most}")
        if limit is not None and len(prompt) + most > limit:
            text = f"the context must hold {len(prompt)} prompt tokens and {most} more (max_tokens), but holds {limit}"
            return Failure(request.key, text)
        return DecodedRow(request, prompt, self._marks)

    @property
    def _marks(self) -> tuple[str, ...]:
        """Texts that end an answer behind its first text."""
        return self.questions if self.stop_at_question and self._load().tokenizer.chat_template is None else ()

    def _decode(self, batch: list[DecodedRow]) -> list[Answer]:
        """Answer as many rows from the start of the batch as the memory allows, one at least."""
        from fusion.engines.hf_decode import DecodedRow, Decoder

        loaded = self._load()
        while True:
            begin = time.perf_counter()
            rows = [DecodedRow(row.request, row.prompt, row.questions) for row in batch]  # afresh after a failed try
            try:
                Decoder(loaded.model, loaded.ends, loaded.write).run(rows)
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                seconds = time.perf_counter() - begin
            else:
                seconds = time.perf_counter() - begin
                return [self._completion(row, seconds) for row in rows]
            _empty_cache()  # here, where the error no longer holds the tensors
            if len(batch) == 1:
                return [
                    Failure(batch[0].request.key, f"out of memory with {len(batch[0].prompt)} prompt tokens", seconds)
                ]
            self.batch_size = len(batch) // 2
            batch = batch[: self.batch_size]

    def _completion(self, row: DecodedRow, seconds: float) -> Completion:
        return Completion(
            key=row.request.key,
            text=row.text,
            input_tokens=len(row.prompt),
            output_tokens=len(row.ids),
            latency_s=seconds,
            finish_reason=row.finish,
            model=self.model,
            cut_at_question=bool(row.questions),
        )


def _out_of_memory(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
