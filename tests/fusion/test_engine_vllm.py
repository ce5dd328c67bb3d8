"""How the vLLM engine ends answers at the model's next question; vLLM itself is stood in for, for it wants a GPU."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from fusion.engines.base import Completion, Request, Sampling
from fusion.engines.vllm_offline import VLLMEngine

MARKS = ("\nQuestion:", "\nQ:")
TEXTS = {
    "runs on": "18\nQuestion: Why?\nAnswer: 3",
    "begins with one": "\nQuestion: What?\nAnswer: 18\nQ: Why?",
    "answers": "18",
}


class Writes:
    """Writes `TEXTS`, and stops as vLLM does: at the first stop text, wherever it stands."""

    def __init__(self, template: str | None) -> None:
        self.tokenizer = SimpleNamespace(chat_template=template)
        self.asked: list[list[str]] = []

    def get_tokenizer(self) -> Any:
        return self.tokenizer

    def generate(self, texts: Sequence[str], params: Sequence[Any], use_tqdm: bool) -> list[Any]:
        self.asked.append(list(texts))
        return [self._write(text, one.stop) for text, one in zip(texts, params, strict=True)]

    def chat(self, conversations: Sequence[Any], params: Sequence[Any], **_: Any) -> list[Any]:
        return self.generate([turns[-1]["content"] for turns in conversations], params, False)

    def _write(self, prompt: str, stop: list[str]) -> Any:
        text = TEXTS[prompt]
        place, reason = min(((text.find(one), one) for one in stop if one in text), default=(len(text), None))
        made = SimpleNamespace(text=text[:place], token_ids=[1], finish_reason="stop", stop_reason=reason)
        return SimpleNamespace(outputs=[made], prompt_token_ids=[1, 2])


def answers(
    template: str | None, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[dict[str, Completion], Writes]:
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=SimpleNamespace))  # type: ignore[arg-type]
    engine = VLLMEngine("tiny", **options)
    engine.questions = MARKS
    engine._llm = writes = Writes(template)
    requests = [Request(key, ({"role": "user", "content": key},), Sampling(6)) for key in TEXTS]
    found = {}
    for answer in engine.generate(requests):
        assert isinstance(answer, Completion), answer
        found[answer.key] = answer
    return found, writes


def test_an_answer_ends_at_the_next_question_but_not_before_it_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    found, writes = answers(None, monkeypatch)
    assert {key: answer.text for key, answer in found.items()} == {
        "runs on": "18",
        "begins with one": "\nQuestion: What?\nAnswer: 18",
        "answers": "18",
    }
    assert all(answer.cut_at_question for answer in found.values())
    assert writes.asked[1:] == [["begins with one"]]


@pytest.mark.parametrize(("template", "options"), [("chat", {}), (None, {"stop_at_question": False})])
def test_a_chat_model_and_one_that_may_go_on_are_left_alone(
    template: str | None, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, writes = answers(template, monkeypatch, **options)
    assert {key: answer.text for key, answer in found.items()} == TEXTS
    assert not any(answer.cut_at_question for answer in found.values())
    assert len(writes.asked) == 1
