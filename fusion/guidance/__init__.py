"""Guides: solved examples or thoughts, of training queries only, that are shown with a question.

`Shots` and `Thoughts`, which need rankings, libraries and encoders, are imported where they are used.
"""

from __future__ import annotations

from fusion.guidance.cache import Guidance, find_guidance
from fusion.guidance.guide import SHOWN, Guide
from fusion.guidance.pieces import KINDS, Piece, compose, fit
from fusion.guidance.questions import GuidedQuestion
from fusion.guidance.specs import Spec, make_guide, parse_guides
from fusion.guidance.tokens import TOKENS, Room, estimate, find_room

__all__ = [
    "KINDS",
    "SHOWN",
    "TOKENS",
    "Guidance",
    "Guide",
    "GuidedQuestion",
    "Piece",
    "Room",
    "Spec",
    "compose",
    "estimate",
    "find_guidance",
    "find_room",
    "fit",
    "make_guide",
    "parse_guides",
]
