"""A chat template for tiny models, and rows to train them on."""

from __future__ import annotations

from fusion.training.rows import TrainingRow

CHAT = (
    "{% for m in messages %}<s>{{ m.role }}:\n{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant:\n{% endif %}"
)
"""Ends every message with the end token, so that a model can learn to stop."""


def said(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def row(question: str, answer: str, worse: str | None = None) -> TrainingRow:
    rejected = [said("assistant", worse)] if worse is not None else []
    return TrainingRow([said("user", question)], [said("assistant", answer)], rejected)
