"""Config of the distillation experiment: a log, a base, and arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphrouter.errors import UserError, suggest
from graphrouter.settings import check, find_config, merge, parse_overrides, read_yaml


@dataclass
class Arm:
    """One way to make a student.

    Attributes:
        name: Name of the student.
        select: Settings of `fusion.selection`; the seed is that of the run.
        train: Settings of `fusion.training`, over those that all arms share.
        tries: Settings over these again, of which the best on validation is kept; None for those of all arms.
        base: Base model, where that differs from the other arms.
        after: Name of the arm whose student it starts from, and whose data it takes; no selection of its own then.
        seeds: How many, where that differs.
    """

    name: str = ""
    select: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    tries: list[dict[str, Any]] | None = None
    base: str | None = None
    after: str | None = None
    seeds: int | None = None


@dataclass
class Distil:
    """The experiment.

    Attributes:
        log: Name or folder of the log.
        pool: Folder with ``models/`` and ``tasks/``, from ``experiments.micropool``.
        base: LLM of the log that the students start from.
        seeds: From 0; each is a split, a selection and a training.
        encoder: Encoder of the selection; None for the log's own.
        rare_tasks: Treatment of tasks that are too small to be divided: ``refuse``, ``pool`` or ``drop``.
        train: Training settings that all arms share.
        tries: Settings that every student is trained with; the one that is best on the validation queries of its seed is
            kept, and asked the test queries.
        arms: In the order of the table.
    """

    log: str = "micropool"
    pool: str = "runs/micropool"
    base: str = ""
    seeds: int = 3
    encoder: str | None = None
    rare_tasks: str = "refuse"
    train: dict[str, Any] = field(default_factory=dict)
    tries: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    arms: list[Arm] = field(default_factory=list)

    def jobs(self) -> list[tuple[Arm, int]]:
        """Return every arm with each of its seeds; one that comes after another stands behind it."""
        ordered = sorted(self.arms, key=lambda arm: arm.after is not None)
        return [(arm, seed) for arm in ordered for seed in range(arm.seeds or self.seeds)]


def read_distil(name: str, overrides: Sequence[str] = ()) -> Distil:
    """Read the experiment.

    Args:
        name: Name of a YAML file, or of one in ``configs/experiments``.
        overrides: Such as ``seeds=1 train.max_steps=10``.

    Raises:
        UserError: If a key is unknown, or an arm names what is not there.
    """
    file = find_config(name, "experiments")
    values = check(Distil, merge(read_yaml(file), parse_overrides(overrides)), str(file))
    made = Distil(**{**values, "arms": [Arm(**arm) for arm in values["arms"]]})
    names = [arm.name for arm in made.arms]
    twice = next((one for one in names if names.count(one) > 1 or not one), None)
    if twice is not None or not names:
        raise UserError(f"{file} must have arms, each with a name of its own, but has {twice or 'none'!r}; change it")
    for arm in made.arms:
        if arm.after is not None and arm.after not in names:
            raise UserError(
                f"{file}: arm {arm.name} comes after {arm.after!r}, which is no arm{suggest(arm.after, names)}"
            )
    return made


def label(arm: str, seed: int) -> str:
    """Return the name of an arm's student of a seed."""
    return f"{arm}-s{seed}"
