"""GPQA: questions that experts wrote and web search does not answer (Rein et al. 2023, arXiv:2311.12022). Gated: accept its terms on the hub."""

from collections.abc import Mapping
from random import Random
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import CHOICE_PROMPTS, SHORT_TOKENS, multiple_choice
from fusion.tasks.graders.choice import option_letter


def read(row: Mapping[str, Any]) -> Example:
    """Shuffle the options, of which the source names the right one first, by a seed from the question."""
    options = [row["Correct Answer"], *(row[f"Incorrect Answer {number}"] for number in (1, 2, 3))]
    order = list(range(len(options)))
    Random(row["Question"].strip()).shuffle(order)
    return multiple_choice(
        row["Question"],
        [options[place] for place in order],
        order.index(0),
        row["Record ID"],
        row["High-level domain"],
    )


TASK = Task(
    name="gpqa",
    domain="popular",
    metric="em_mc",
    description="Graduate-level biology, physics and chemistry questions that cannot be looked up, with four options.",
    hub=HubData("Idavidrein/gpqa", "gpqa_main", "train"),
    read=read,
    grade=option_letter,
    prompts=CHOICE_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
