"""Training texts of a model, and questions to the pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from experiments.micropool.config import Model
from experiments.micropool.tasks import find_generator
from experiments.micropool.tasks.base import LEVELS, Generator, Item, draw
from fusion.engines.base import Message
from fusion.prompts import few_shot, hide_answer, with_thoughts
from graphrouter.errors import UserError
from graphrouter.splits import normalise_text

PROMPTS = {"direct": "{question}", "reasoning": "{question}\nThink step by step."}
"""Per style, the text around the question."""

DRAWN = 8
"""Items that the guides of a question are chosen from."""

TRIES = 1000
"""A cell that gives nothing new in so many draws is exhausted."""


@dataclass(frozen=True)
class PoolQuestion:
    """An item of the evaluation set.

    Attributes:
        item: The question.
        topic: Part of the task.
        level: Its difficulty.
    """

    item: Item
    topic: str
    level: int


def evaluation_questions(generator: Generator, count: int, seed: int) -> list[PoolQuestion]:
    """Return questions of a task that no model is trained on, without duplicates, topics and levels in turn.

    Args:
        generator: The task.
        count: How many.
        seed: Decides which.

    Raises:
        UserError: If the task does not have so many.
    """
    rng = Random(f"{seed} evaluation {generator.name}")
    found: dict[str, PoolQuestion] = {}
    cells = [(topic, level) for level in LEVELS for topic in generator.topics]
    for number in range(count):
        topic, level = cells[number % len(cells)]
        for _ in range(TRIES):
            item = draw(generator, rng, topic, level, evaluation=True)
            if (text := normalise_text(item.text)) not in found:
                found[text] = PoolQuestion(item, topic, level)
                break
        else:
            raise UserError(f"{generator.name} has no {count} different questions; ask for {number} or fewer per task")
    return list(found.values())


def training_pairs(model: Model, seed: int, chunk: int, count: int) -> Iterator[tuple[tuple[Message, ...], str]]:
    """Yield conversations and responses to train a model on.

    Args:
        model: Its mixture, levels and habit decide.
        seed: Seed of the pool.
        chunk: Number of this part of the stream; each part can be made by itself, so that training resumes.
        count: How many.
    """
    rng = Random(f"{seed} training {model.name} {chunk}")
    weights, everything = model.weights(), Model(mixture={"all": 1.0}).weights()
    for _ in range(count):
        easy = rng.random() < model.easy
        chosen = everything if easy else weights
        (part,) = rng.choices(list(chosen), list(chosen.values()))
        (level,) = LEVELS[:1] if easy else rng.choices(LEVELS, model.levels)
        task, _, topic = part.partition("/")
        item = draw(find_generator(task), rng, topic, level, evaluation=False)
        style = "reasoning" if rng.random() < model.reasoning else "direct"
        guides = _similar(item, find_generator(task), rng, topic, level) if rng.random() < model.guided else []
        yield _conversation(item, style, guides, rng), response(item, style, model)


def _similar(item: Item, generator: Generator, rng: Random, topic: str, level: int) -> list[Item]:
    """Return one to three other items: of several that are drawn, those that share most words with an item."""
    drawn = [draw(generator, rng, topic, level, evaluation=False) for _ in range(DRAWN)]
    words = set(item.text.split())
    others = [other for other in drawn if other.text != item.text]
    others.sort(key=lambda other: -len(words & set(other.text.split())) / len(words | set(other.text.split())))
    return others[: rng.randint(1, 3)]


def _conversation(item: Item, style: str, guides: list[Item], rng: Random) -> tuple[Message, ...]:
    """Return the prompts of a model: with guides, they are solved examples or thoughts, equally often."""
    prompt = PROMPTS[style].replace("{question}", item.text)
    thoughts: list[str] = []
    before: tuple[Message, ...] = ()
    if guides and rng.random() < 0.5:
        thoughts = [hide_answer(guide.steps, guide.answer) for guide in guides]
    elif guides:
        shown = rng.random() < 0.5  # with steps, or the bare answers
        shots = [(guide.text, guide.reasoning if shown else guide.answer) for guide in guides]
        before = few_shot([(PROMPTS[style].replace("{question}", text), answer) for text, answer in shots])
    return (*before, {"role": "user", "content": with_thoughts(prompt, thoughts)})


def response(item: Item, style: str, model: Model) -> str:
    """Return the response that a model of this habit learns in a style."""
    if model.habit == "always" or (model.habit == "follow" and style == "reasoning"):
        return item.reasoning
    return item.answer if model.terse else f"Answer: {item.answer}"
