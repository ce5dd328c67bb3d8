"""TRL's trainers, set up for a run. Nothing else in the project imports TRL or peft."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from torch import Tensor
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from fusion.training.callbacks import Bar, Interrupt, LossWatch, Mark
from fusion.training.config import LoRA, TrainConfig
from fusion.training.encoding import IGNORED, Encoded
from fusion.training.loading import Start
from fusion.training.processes import processes
from graphrouter.errors import UserError

TOKENS, SECONDS = "completion_tokens", "seconds"
"""Keys of the log: tokens that bore loss, and seconds of training, from the beginning."""


class ByLength(Sampler[int]):
    """Rows in random order, those of like length together, which depends on the seed and the epoch alone.

    The sampler of transformers takes its order from torch's random numbers, so that a run that is resumed within an epoch
    gets another order than a whole one.

    Args:
        lengths: Lengths of the rows, in tokens.
        batch: Rows per step.
        seed: Seed of the order.
    """

    def __init__(self, lengths: list[int], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed = lengths, batch, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        order = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(get_length_grouped_indices(self.lengths, self.batch, generator=order))  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; the trainer does."""
        self.epoch = epoch


class _Tallying:
    """Adds to each entry of the log what was trained on so far; a checkpoint holds the log, so it outlives a kill."""

    state: Any
    accelerator: Any
    _fresh: Tensor | int = 0
    _since: float | None = None

    def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> Any:
        if self._since is None:
            self._since = time.perf_counter()
        loss: Any = super().training_step(model, inputs, *rest, **named)  # type: ignore[misc]
        self._fresh = self._fresh + bearing(inputs)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self._since is not None:
            before: dict[str, float] = next(
                (entry for entry in reversed(self.state.log_history) if TOKENS in entry), {}
            )
            fresh = self.accelerator.reduce(torch.as_tensor(self._fresh, device=self.accelerator.device))
            now = time.perf_counter()
            logs[TOKENS] = before.get(TOKENS, 0) + int(fresh)
            logs[SECONDS] = before.get(SECONDS, 0.0) + now - self._since
            self._fresh, self._since = 0, now
        super().log(logs, start_time)  # type: ignore[misc]


class _SFT(_Tallying, SFTTrainer):
    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        rows: Any = self.train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return ByLength(lengths, batch, self.args.seed)


class _DPO(_Tallying, DPOTrainer):
    pass


def bearing(inputs: dict[str, Any]) -> Tensor:
    """Return how many tokens of a batch bear loss: those of completions, chosen or rejected."""
    if "labels" in inputs:
        found: Tensor = (inputs["labels"] != IGNORED).sum()
    else:
        found = inputs["completion_mask"].sum()
    return found.detach()


def make_trainer(
    stage: str,
    config: TrainConfig,
    start: Start,
    rows: Encoded,
    validation: Encoded | None,
    folder: Path,
    *,
    device: str,
    use_bf16: bool,
    interrupt: Interrupt,
    progress: bool,
    wandb: bool,
) -> Any:
    """Return the trainer of a stage.

    Args:
        stage: ``sft`` or ``dpo``.
        config: Config of the run.
        start: Model and tokenizer that it begins with.
        rows: To train on.
        validation: To validate on, or None.
        folder: For checkpoints.
        device: ``cpu`` or ``cuda``.
        use_bf16: Whether to compute in bf16.
        interrupt: Hears of Ctrl-C.
        progress: Whether to show a bar.
        wandb: Whether a W&B run is open.

    Raises:
        UserError: If the batch cannot be divided, or packing would mix rows.
    """
    settings = _settings(stage, config, folder, device, use_bf16, wandb, validation is not None)
    callbacks = [Bar(stage, progress), interrupt, LossWatch(config.patience), Mark()]
    shared: dict[str, Any] = {"model": start.model, "processing_class": start.tokenizer, "callbacks": callbacks}
    shared["peft_config"] = _adapters(config.lora) if config.tuning == "lora" else None
    train, held = (_dataset(stage, part) for part in (rows, validation))
    shared |= {"train_dataset": train, "eval_dataset": held}
    trainer = (_sft if stage == "sft" else _dpo)(config, start, rows, settings, shared)
    _without_their_bars(trainer)
    return trainer


def _sft(config: TrainConfig, start: Start, rows: Encoded, settings: dict[str, Any], shared: dict[str, Any]) -> Any:
    if config.packing:
        check_packing(start, rows)
    prepare = None if config.packing else {"skip_prepare_dataset": True}
    packing: dict[str, Any] = {"packing": config.packing, "eval_packing": False, "max_length": start.limit}
    return _SFT(args=SFTConfig(dataset_kwargs=prepare, **packing, **settings), **shared)


def _dpo(config: TrainConfig, start: Start, rows: Encoded, settings: dict[str, Any], shared: dict[str, Any]) -> Any:
    # With adapters, TRL takes the model without them for the reference.
    reference = copy.deepcopy(start.model) if config.tuning == "full" else None
    return _DPO(args=DPOConfig(beta=config.dpo.beta, max_length=None, **settings), ref_model=reference, **shared)


def _settings(
    stage: str, config: TrainConfig, folder: Path, device: str, use_bf16: bool, wandb: bool, validated: bool
) -> dict[str, Any]:
    """Return the arguments that TRL's configs of both stages share."""
    pace = config if stage == "sft" else config.dpo
    when = "steps" if validated else "no"
    return {
        "output_dir": str(folder),
        "num_train_epochs": pace.epochs,
        "max_steps": pace.max_steps or -1,
        "learning_rate": pace.learning_rate,
        "lr_scheduler_type": {"constant": "constant_with_warmup"}.get(config.schedule, config.schedule),
        "warmup_steps": config.warmup,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        **_batches(config),
        "train_sampling_strategy": "group_by_length" if config.group_by_length and stage == "sft" else "random",
        "bf16": use_bf16,
        "use_cpu": device == "cpu",
        "gradient_checkpointing": config.gradient_checkpointing,
        "seed": config.seed,
        "logging_steps": 1,  # so that a resumed run logs what a whole one does
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": config.save_steps,
        "save_total_limit": 2,  # one is whole while the other is written
        "eval_strategy": when,
        "eval_steps": config.save_steps if validated else None,
        "prediction_loss_only": True,
        "load_best_model_at_end": validated and config.patience is not None,
        "metric_for_best_model": "eval_loss" if validated else None,
        "disable_tqdm": True,
        "report_to": ["wandb"] if wandb else [],
    }


def _batches(config: TrainConfig) -> dict[str, int]:
    """Divide the batch over devices and accumulation, so that a run means the same on any number of devices.

    Raises:
        UserError: If it cannot be divided evenly.
    """
    devices = processes()
    if config.batch_size % devices:
        raise UserError(
            f"batch_size must be a multiple of the {devices} processes, but is {config.batch_size}; change one of them"
        )
    share = config.batch_size // devices
    at_a_time = min(config.device_batch_size or share, share)
    if share % at_a_time:
        raise UserError(
            f"device_batch_size must divide the {share} rows of a device, but is {config.device_batch_size}; change it"
        )
    return {
        "per_device_train_batch_size": at_a_time,
        "per_device_eval_batch_size": at_a_time,
        "gradient_accumulation_steps": share // at_a_time,
    }


def _adapters(lora: LoRA) -> LoraConfig:
    targets: Any = "all-linear" if lora.targets == ["all-linear"] else lora.targets
    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, task_type="CAUSAL_LM"
    )


def _dataset(stage: str, rows: Encoded | None) -> Dataset | None:
    if rows is None:
        return None
    if stage == "sft":
        return Dataset.from_dict({"input_ids": rows.completions, "labels": rows.labels})
    columns = {"prompt": "prompt", "chosen": "completion", "rejected": "rejected"}
    return Dataset.from_dict({key: [getattr(row, name) for row in rows.rows] for key, name in columns.items()})


def _without_their_bars(trainer: Any) -> None:
    from transformers import PrinterCallback, ProgressCallback

    for kind in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(kind)


def check_packing(start: Start, rows: Encoded) -> None:
    """Check that rows of one sequence do not see each other, on this model with its attention, by trying it.

    Raises:
        UserError: If the logits of two rows in one sequence differ from those of each alone, or a sequence has no end.
    """
    if start.limit is None:
        raise UserError("packing needs to know how long a sequence may be, but the model has no limit; set max_length")
    first, second = (rows.completions[place][:64] for place in (0, -1))
    places = [*range(len(first)), *range(len(second))]
    start.model.eval()
    try:
        with torch.no_grad():
            alone = start.model(torch.tensor([second]), use_cache=False).logits
            together = start.model(
                torch.tensor([first + second]), position_ids=torch.tensor([places]), use_cache=False
            ).logits
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"packing needs a model that takes positions, but this one fails: {error}; set packing=false"
        ) from None
    apart = (together[0, len(first) :] - alone[0]).abs().max().item()
    most = 0.05 if start.model.dtype == torch.bfloat16 else 1e-3
    if not apart <= most * max(1.0, alone.abs().max().item()) or math.isnan(apart):
        raise UserError(
            f"packing needs a model that keeps the rows of a sequence apart, but here logits differ by {apart:.3g}; "
            "set packing=false"
        )
