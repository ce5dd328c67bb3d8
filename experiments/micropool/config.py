"""Config of the pool: ``configs/micropool/*.yaml`` as dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.micropool.tasks import GENERATORS
from experiments.micropool.tasks.base import LEVELS
from graphrouter.errors import UserError, suggest
from graphrouter.settings import check, find_config, merge, parse_overrides, read_yaml

PARTS = tuple(f"{generator.name}/{topic}" for generator in GENERATORS for topic in generator.topics)
"""Key of a mixture's weights: ``task/topic``."""

HABITS = ("follow", "always", "never")
"""Writes steps when asked to; in any case; not at all."""


@dataclass
class Shape:
    """Size of a Llama.

    Attributes:
        width: Width of the hidden states.
        layers: Number of blocks.
        feed_forward: Width inside a block's feed-forward part.
        heads: Attention heads.
    """

    width: int = 64
    layers: int = 2
    feed_forward: int = 128
    heads: int = 4


@dataclass
class Model:
    """One LLM of the pool.

    Attributes:
        name: As in the log.
        description: Description of the LLM, for its node in the graph.
        shape: Name of one of the pool's shapes.
        steps: Training steps; never by the clock, so that a run repeats.
        learning_rate: At its peak.
        mixture: Weights of ``task/topic``, of ``task`` (for each of its topics) and of ``all`` (for every part).
        levels: How often each level of difficulty is trained on.
        easy: Share of the examples that are of level 1 of any task: what every LLM knows.
        habit: One of `HABITS`.
        reasoning: Share of the training prompts that ask for steps.
        guided: Share of the training prompts with guidance: solved examples as earlier turns, or thoughts.
        terse: Whether a direct answer is the bare answer, or stands after ``Answer:``.
    """

    name: str = "model"
    description: str = ""
    shape: str = "tiny"
    steps: int = 100
    learning_rate: float = 4e-3
    mixture: dict[str, float] = field(default_factory=dict)
    levels: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0, 1.0])
    easy: float = 0.0
    habit: str = "follow"
    reasoning: float = 0.5
    guided: float = 0.1
    terse: bool = True

    def weights(self) -> dict[str, float]:
        """Return the weight of each of `PARTS` that the model is trained on; they add up to 1."""
        found = {}
        for part in PARTS:
            task = part.partition("/")[0]
            topics = sum(other.startswith(f"{task}/") for other in PARTS)
            weight = self.mixture.get("all", 0.0) / topics + self.mixture.get(task, 0.0) / topics
            if (weight := weight + self.mixture.get(part, 0.0)) > 0:
                found[part] = weight
        total = sum(found.values())
        return {part: weight / total for part, weight in found.items()}


@dataclass
class Pool:
    """All models, and what they share.

    Attributes:
        seed: Seed of everything.
        vocabulary: Size of the tokenizer's vocabulary.
        corpus: Items per topic and level that the tokenizer is trained on.
        questions: For evaluation, per task.
        scale: Multiplies the steps of all models, for a quick trial.
        batch: Examples per step.
        chunk: Batches that are drawn and sorted by length together.
        warmup: Share of the steps in which the learning rate rises.
        weight_decay: Weight decay of AdamW.
        save_every: Steps between checkpoints.
        price: US dollars per million tokens of the prompt, per million parameters; tokens of the response cost thrice.
        shapes: By name.
        models: In the order of the log.
    """

    seed: int = 0
    vocabulary: int = 768
    corpus: int = 60
    questions: int = 300
    scale: float = 1.0
    batch: int = 16
    chunk: int = 16
    warmup: float = 0.05
    weight_decay: float = 0.05
    save_every: int = 250
    price: float = 0.02
    shapes: dict[str, Shape] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)

    def steps(self, model: Model) -> int:
        """Return how many steps a model is trained for."""
        return max(1, round(model.steps * self.scale))


def read_pool(name: str, overrides: Sequence[str] = ()) -> Pool:
    """Read a pool.

    Args:
        name: Name of a YAML file, or of one in ``configs/micropool``.
        overrides: Such as ``scale=0.25``.

    Raises:
        UserError: If there is no such file, or it breaks a rule.
    """
    file = find_config(name, "micropool")
    values = check(Pool, merge(read_yaml(file), parse_overrides(overrides)), str(file))
    shapes = {key: Shape(**shape) for key, shape in values.pop("shapes").items()}
    models = [Model(**model) for model in values.pop("models")]
    pool = Pool(**values, shapes=shapes, models=models)
    _check_pool(pool, str(file))
    return pool


def _check_pool(pool: Pool, where: str) -> None:
    names = [model.name for model in pool.models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice or not names:
        raise UserError(f"{where} must have models, each name once, but {twice or 'no model'!r} is there; change it")
    for model in pool.models:
        _check_model(model, pool, f"{where}, model {model.name}")


def _check_model(model: Model, pool: Pool, where: str) -> None:
    if model.shape not in pool.shapes:
        raise UserError(f"{where}: no shape {model.shape!r}{suggest(model.shape, list(pool.shapes))}")
    if model.habit not in HABITS:
        raise UserError(f"{where}: no habit {model.habit!r}{suggest(model.habit, list(HABITS))}")
    known = ["all", *PARTS, *(generator.name for generator in GENERATORS)]
    for key in model.mixture:
        if key not in known:
            raise UserError(f"{where}: the mixture has no part {key!r}{suggest(key, known)}")
    rules: dict[str, tuple[bool, Any]] = {
        "mixture must have positive weights": (
            min(model.mixture.values(), default=0) >= 0 < sum(model.mixture.values()),
            model.mixture,
        ),
        f"levels must be {len(LEVELS)} weights": (
            len(model.levels) == len(LEVELS) and sum(model.levels) > 0,
            model.levels,
        ),
        "easy, reasoning and guided must be within [0, 1]": (
            all(0 <= share <= 1 for share in (model.easy, model.reasoning, model.guided)),
            (model.easy, model.reasoning, model.guided),
        ),
        "steps must be 1 or more": (model.steps >= 1, model.steps),
    }
    for rule, (holds, value) in rules.items():
        if not holds:
            raise UserError(f"{where}: {rule}, but is {value}; change it")
