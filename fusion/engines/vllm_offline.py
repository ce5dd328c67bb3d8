"""Model on this machine through vLLM, without a server. The package vllm is an extra."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

from fusion.engines.base import Answer, Completion, Engine, Failure, Request, plain_text
from fusion.engines.questions import cut_at_question
from graphrouter.errors import UserError, first_line


@dataclass(eq=False)
class VLLMEngine(Engine):
    """Decodes with vLLM's ``LLM`` class (arXiv:2309.06180) in this process, in chunks.

    vLLM batches the requests of a chunk by itself; answers come chunk by chunk, with the chunk's seconds as latency. The
    prompt is the tokenizer's chat template; without one, the messages' texts joined by line ends. Tokens are those that
    vLLM reports; the end token counts as output. An answer of a model without a chat template ends where it goes on with a
    question of its own (`Engine.questions`).

    Attributes:
        model: Folder, or name on the Hugging Face hub.
        revision: Branch, tag or commit on the hub; None for its default.
        chunk: Requests that are drawn and answered together.
        dtype: Type as vLLM takes it; auto is that of the weights.
        max_model_len: Most tokens of prompt and response together; None for the model's own limit.
        gpu_memory_utilization: Part of the GPU's memory that vLLM may take.
        tensor_parallel_size: GPUs that share the model.
        template: Further values for the chat template, such as ``{"enable_thinking": false}``.
        stop_at_question: Whether a model without a chat template ends where it goes on with a question of its own.
        extra: Further arguments of ``vllm.LLM``, such as ``{"enforce_eager": true}``.
    """

    model: str
    revision: str | None = None
    chunk: int = 256
    dtype: str = "auto"
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.9
    tensor_parallel_size: int = 1
    template: dict[str, Any] = field(default_factory=dict)
    stop_at_question: bool = True
    extra: dict[str, Any] = field(default_factory=dict)

    concurrent: ClassVar[bool] = False
    answers_depend_on: ClassVar[tuple[str, ...]] = ("revision", "dtype", "template", "extra")

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UserError: If the chunk is below 1.
        """
        self._llm: Any = None
        if self.chunk < 1:
            raise UserError(f"chunk of {self.model!r} must be 1 or more, but is {self.chunk}")

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests; see `Engine.generate`. The first call loads the model.

        Raises:
            UserError: If vllm is not installed or the model cannot be loaded.
        """
        source = iter(requests)
        while chunk := list(islice(source, self.chunk)):
            yield from self._answer(chunk)

    def close(self) -> None:
        """Free the model's memory, and end vLLM's processes."""
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.llm_engine.engine_core.shutdown()
        del llm
        gc.collect()

    def _load(self) -> Any:
        if self._llm is not None:
            return self._llm
        try:
            from vllm import LLM
        except ImportError as error:
            raise UserError(
                f"the vllm engine needs the package vllm, but {error}; pip install 'graphrouter[vllm]', on a machine with CUDA"
            ) from None
        given = {"revision": self.revision, "max_model_len": self.max_model_len}
        try:
            self._llm = LLM(
                model=self.model,
                dtype=self.dtype,
                gpu_memory_utilization=self.gpu_memory_utilization,
                tensor_parallel_size=self.tensor_parallel_size,
                **{name: value for name, value in given.items() if value is not None},
                **self.extra,
            )
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            raise UserError(f"vLLM must be able to load {self.model}, but: {first_line(error)}") from error
        return self._llm

    def _answer(self, chunk: list[Request]) -> list[Answer]:
        """Answer a chunk; where vLLM refuses it for one request, each by itself."""
        llm, begin = self._load(), time.perf_counter()
        try:
            outputs = self._ask(llm, chunk)
        except Exception as error:  # vLLM and chat templates raise many kinds, and one bad prompt spoils its chunk
            if len(chunk) > 1:
                return [answer for request in chunk for answer in self._answer([request])]
            reason = " ".join(str(error).split())[:400] or type(error).__name__
            return [Failure(chunk[0].key, reason, time.perf_counter() - begin)]
        seconds = time.perf_counter() - begin
        return [self._completion(request, output, seconds) for request, output in zip(chunk, outputs, strict=True)]

    def _ask(self, llm: Any, chunk: list[Request]) -> list[Any]:
        """Ask for a chunk; an answer that begins with a question has not answered yet, and is asked for without an end."""
        marks = self._marks(llm)
        outputs = self._sample(llm, chunk, marks)
        empty = [i for i, output in enumerate(outputs) if output.outputs[0].stop_reason in marks and not _text(output)]
        if empty:
            again = self._sample(llm, [chunk[i] for i in empty], ())
            for i, output in zip(empty, again, strict=True):
                outputs[i] = output
        return outputs

    def _marks(self, llm: Any) -> tuple[str, ...]:
        """Texts that end an answer behind its first text."""
        return self.questions if self.stop_at_question and llm.get_tokenizer().chat_template is None else ()

    def _sample(self, llm: Any, chunk: list[Request], marks: tuple[str, ...]) -> list[Any]:
        from vllm import SamplingParams

        params = [
            SamplingParams(
                max_tokens=request.sampling.max_tokens,
                temperature=request.sampling.temperature,
                top_p=request.sampling.top_p,
                stop=[*request.sampling.stop, *marks],
                seed=request.sampling.seed,
            )
            for request in chunk
        ]
        if llm.get_tokenizer().chat_template is None:
            texts = [plain_text(request.messages) for request in chunk]
            return list(llm.generate(texts, params, use_tqdm=False))
        conversations = [list(request.messages) for request in chunk]
        return list(llm.chat(conversations, params, use_tqdm=False, chat_template_kwargs=self.template or None))

    def _completion(self, request: Request, output: Any, seconds: float) -> Completion:
        response, marks = output.outputs[0], self._marks(self._load())
        return Completion(
            key=request.key,
            text=cut_at_question(response.text, marks),
            input_tokens=len(output.prompt_token_ids),
            output_tokens=len(response.token_ids),
            latency_s=seconds,
            finish_reason=response.finish_reason or "unknown",
            model=self.model,
            cut_at_question=bool(marks),
        )


def _text(output: Any) -> str:
    text: str = output.outputs[0].text
    return text.strip()
