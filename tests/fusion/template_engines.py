"""Engines for tests of templates: summarisers of every mood, and an LLM that a template helps or hurts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import scripted

from fusion.engines.base import Answer, Completion, Failure, Request

SUMMARY = "Look at what is asked first. Then apply the rule of this kind of task. The form is one short word"


@dataclass
class Summarises(scripted.Scripted):
    """Writes a summary; its model says how."""

    def _answer(self, request: Request) -> Answer:
        prompt = request.messages[-1]["content"]
        query = re.search(r"<query>\n(.*?)\n</query>", prompt, re.DOTALL)
        told = re.search(r"The answer is (\S+)\.", prompt)
        if self.model == "error" or (self.fail and self.fail in prompt):
            return Failure(request.key, "the server is on fire")
        text = {
            "nothing": " \n",
            "novel": "Words go on and on in this long story. " * 1250,
            "endless": "rivers " * 10_000,
            "leaky": f"{SUMMARY}, here {told[1] if told else ''}.",
            "sorry": "I cannot answer this question, for it is unclear.",
        }.get(self.model, f"Template: {SUMMARY}, as for {(query[1] if query else '').split()[-1]}.")
        return Completion(request.key, text, 100, 50, 0.1)


@dataclass
class Guided(scripted.Scripted):
    """Knows sums below 38, or all with a thought of "helps", and nothing with one of "hurts"."""

    def _answer(self, request: Request) -> Answer:
        prompt = request.messages[-1]["content"]
        a, b = map(int, re.findall(r"(\d+) plus (\d+)", prompt)[-1])
        right = (a + b < 38 or "helps" in prompt) and "hurts" not in prompt
        return Completion(request.key, str(a + b if right else 0), 100, 50, 0.1)
