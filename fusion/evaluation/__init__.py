"""Gain of each level, measured on a log's test part."""

from __future__ import annotations

from fusion.evaluation.domain_chart import domain_chart
from fusion.evaluation.text import thought_notes, thought_table
from fusion.evaluation.thought import ThoughtLevel, evaluate_thoughts
from graphrouter.markdown import as_markdown, as_text

__all__ = [
    "ThoughtLevel",
    "as_markdown",
    "as_text",
    "domain_chart",
    "evaluate_thoughts",
    "thought_notes",
    "thought_table",
]
