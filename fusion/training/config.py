"""Settings of a fine-tuning run: ``configs/train/*.yaml`` as dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphrouter.errors import UserError
from graphrouter.ranges import COUNT, NOT_NEGATIVE, POSITIVE, Allowed, Range, check_fields
from graphrouter.settings import COMMAND_LINE, check, check_layers, find_config, merge, parse_overrides, read_yaml

METHODS = ("sft", "dpo", "sft+dpo")
TUNINGS = ("full", "lora")
PRECISIONS = ("auto", "float32", "bf16")
AUTO = "auto"
SCHEDULES = ("cosine", "linear", "constant")


@dataclass
class LoRA:
    """Low-rank adapters (arXiv:2106.09685), through peft.

    Attributes:
        rank: Rank of each adapter.
        alpha: The adapter's output is scaled by ``alpha / rank``.
        dropout: Before the adapter, while training.
        targets: Names of the layers that get one, or ``all-linear``.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: list[str] = field(default_factory=lambda: ["all-linear"])


@dataclass
class DPO:
    """Direct preference optimisation (arXiv:2305.18290), where it differs from the run.

    Attributes:
        beta: How strongly the model is held to where it started.
        learning_rate: At its peak.
        epochs: Passes over the pairs.
        max_steps: Ends it before; None for whole epochs.
    """

    beta: float = 0.1
    learning_rate: float = 1e-6
    epochs: float = 1.0
    max_steps: int | None = None


@dataclass
class TrainConfig:
    """One fine-tuning run. Every field has a part in the weights, except ``device_batch_size`` and ``save_steps``.

    Attributes:
        model: Folder or hub name of a causal language model with its tokenizer.
        revision: Branch, tag or commit on the hub.
        data: Folder that ``fusion select`` wrote, or a JSONL file of one of its forms.
        validation: The same with rows that are not trained on; ``auto`` for the folder ``validation`` of the data, where
            that has such rows; None for none.
        method: ``sft`` on completions, ``dpo`` on preference pairs, or ``sft+dpo``: one after the other.
        tuning: ``full``, or ``lora`` for adapters that are merged at the end.
        chat_template: File with a Jinja template, for a tokenizer without one or in place of its own.
        epochs: Passes over the rows.
        max_steps: Ends training before; None for whole epochs.
        learning_rate: At its peak.
        batch_size: Rows per optimiser step, all devices together.
        device_batch_size: At most so many rows on a device at a time; the rest is accumulated.
        max_length: Most tokens of a row; longer rows are left out and counted. None for the model's context.
        packing: Whether several rows share a sequence, each blind to the others. Refused where the model mixes them.
        group_by_length: Whether rows of like length share a step of SFT, so that little is padding.
        schedule: How the learning rate falls after its rise: ``cosine``, ``linear`` or ``constant``.
        warmup: Share of the steps in which it rises.
        weight_decay: Weight decay of AdamW.
        max_grad_norm: Gradients are clipped to it.
        precision: ``bf16``, ``float32``, or ``auto``: bf16 on a GPU that has it.
        gradient_checkpointing: Whether to save memory by computing activations twice.
        save_steps: Steps between checkpoints, and between validations.
        patience: Stop after so many validations without a better loss, and keep the best; None to keep the last.
        seed: Seed of the order of the rows, of adapters and dropout.
        lora: For ``tuning: lora``.
        dpo: For the methods with it.
    """

    model: str = ""
    revision: str | None = None
    data: str = ""
    validation: str | None = AUTO
    method: str = "sft"
    tuning: str = "full"
    chat_template: str | None = None
    epochs: float = 1.0
    max_steps: int | None = None
    learning_rate: float = 2e-5
    batch_size: int = 16
    device_batch_size: int | None = None
    max_length: int | None = None
    packing: bool = False
    group_by_length: bool = False
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    precision: str = "auto"
    gradient_checkpointing: bool = False
    save_steps: int = 100
    patience: int | None = None
    seed: int = 0
    lora: LoRA = field(default_factory=LoRA)
    dpo: DPO = field(default_factory=DPO)

    @property
    def stages(self) -> tuple[str, ...]:
        """``sft``, ``dpo`` or both, in the order in which they are run."""
        return tuple(self.method.split("+"))


def read_config(file: str | Path, overrides: Sequence[str] = (), **given: Any) -> TrainConfig:
    """Resolve a run: defaults, then the file, then options, then overrides such as ``lora.rank=8``.

    Args:
        file: A path, or the name of a file in ``configs/train``.
        overrides: ``key=value`` words.
        given: Fields from command-line options; None where an option was not given.

    Raises:
        UserError: If a key is unknown, or a value is of the wrong type or out of range.
    """
    path = str(find_config(file, "train"))
    typed = merge({key: value for key, value in given.items() if value is not None}, parse_overrides(overrides))
    in_file = read_yaml(path)
    check_layers(TrainConfig, [(in_file, path), (typed, COMMAND_LINE)])
    return make_config(merge(in_file, typed), COMMAND_LINE if typed else path)


def make_config(values: dict[str, Any], where: str = "config") -> TrainConfig:
    """Make a run's settings of a mapping.

    Raises:
        UserError: As for `read_config`.
    """
    values = check(TrainConfig, values, where)
    lora, dpo = LoRA(**values.pop("lora")), DPO(**values.pop("dpo"))
    config = TrainConfig(**values, lora=lora, dpo=dpo)
    for name in ("model", "data"):
        if not getattr(config, name):
            raise UserError(f"{where} must name a {name}, but does not; add it, or give {name}=PATH")
    check_fields(config, ALLOWED, f"{where}: ")
    if config.patience is not None and config.validation is None:
        raise UserError(f"{where}: patience needs validation rows, but there are none; name them with validation=PATH")
    if not config.lora.targets:
        raise UserError(f"{where}: lora.targets must name layers, or be [all-linear], but is empty")
    return config


ALLOWED: dict[str, Allowed] = {
    "method": METHODS,
    "tuning": TUNINGS,
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
    "epochs": POSITIVE,
    "max_steps": COUNT,
    "learning_rate": POSITIVE,
    "batch_size": COUNT,
    "device_batch_size": COUNT,
    "max_length": Range(2),
    "warmup": Range(0, 1, below=True),
    "weight_decay": NOT_NEGATIVE,
    "max_grad_norm": POSITIVE,
    "save_steps": COUNT,
    "patience": COUNT,
    "seed": NOT_NEGATIVE,
    "lora.rank": COUNT,
    "lora.alpha": COUNT,
    "lora.dropout": Range(0, 1, below=True),
    "dpo.beta": POSITIVE,
    "dpo.learning_rate": POSITIVE,
    "dpo.epochs": POSITIVE,
    "dpo.max_steps": COUNT,
}
"""Range or names of each setting that has them."""
