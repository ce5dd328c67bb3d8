"""The loop of every torch router: minibatches, validation, early stop, checkpoint and resume."""

from __future__ import annotations

import copy
import hashlib
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from graphrouter.errors import UserError, first_line
from graphrouter.files import atomic_write
from graphrouter.run import RunOptions, open_wandb

CLOSE = 1e-4
"""Relative difference of two validation losses before training that are of the same data: rounding in single precision
gives far less, other data or other initial weights hardly ever so little."""
EVERY = 20
"""Optimiser steps from one look at validation to the next: a hundred looks in the default length, and ten before patience ends,
at a cost below that of the steps, since a log's validation part is about as large as five of its batches or fewer."""
BATCHES = 16
"""Fewest batches of a pass over the training queries. Small logs need small batches: with 256 queries at a time a log of 180 would
be seen whole in every step, and an averaged gradient finds worse optima there (experiments/LOG.md, 'Small logs')."""


@dataclass
class Schedule:
    """How long and how fast to learn.

    Attributes:
        steps: Optimiser steps, at most.
        patience: Stop after so many steps without a better validation loss.
        batch_size: Queries per optimiser step, see `batch_of`.
        learning_rate: Highest learning rate of AdamW; it falls as a cosine to a tenth.
        weight_decay: Weight decay of AdamW.
    """

    steps: int = 2000
    patience: int = 200
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2


def batch_of(batch_size: int, rows: int) -> int:
    """Return how many of ``rows`` training queries a step takes: ``batch_size``, but at most one in `BATCHES`, rounded up."""
    return min(batch_size, -(-rows // BATCHES))


def pick_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is CUDA where there is one.

    Raises:
        UserError: If CUDA is asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"device {name!r} needs a CUDA GPU, but torch sees none; use --device cpu")
    if name not in ("cpu", "cuda") and not name.startswith("cuda:"):
        raise UserError(f"device must be auto, cpu or cuda, but is {name!r}")
    return torch.device(name)


def fit_module(
    module: nn.Module,
    batch_loss: Callable[[Tensor], Tensor],
    rows: int,
    validate: Callable[[], float],
    schedule: Schedule,
    *,
    seed: int,
    run: RunOptions,
    label: str,
    every: int = EVERY,
    parameter_groups: list[dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
) -> list[dict[str, float]]:
    """Fit a module, and leave it with the weights of its best validation loss.

    On CUDA the loss is computed in bfloat16 where that helps; on the CPU in float32. The same seed gives the same
    result on the same device, also when training was cut off and resumed from ``run.checkpoint``. Where the best
    evaluation is the last, and nothing but the length ended the training, a warning says so.

    Args:
        module: Already on its device.
        batch_loss: Takes [B] row numbers on the device of the module and returns a scalar loss.
        rows: Number of training queries. Each pass over them is in a new random order.
        validate: Returns the validation loss, lower is better; called without gradients, in evaluation mode.
        schedule: Length and pace.
        seed: Seed of the order of the batches and of dropout.
        run: Progress, checkpoint and W&B.
        label: Shown beside the progress bar, and part of what identifies a checkpoint.
        every: Steps from one evaluation on validation to the next; the last step is followed by one, too.
        parameter_groups: For the optimiser, where not all parameters share the schedule's pace.
        settings: Hyperparameters that neither the schedule nor the weights show; part of what identifies a checkpoint.

    Returns:
        One dict per evaluation: ``step`` (steps done), ``train_loss`` (mean since the evaluation before) and
        ``validation_loss``.

    Raises:
        UserError: If the checkpoint to resume from belongs to another run.
    """
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(
        parameter_groups or module.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    pace = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: 0.55 + 0.45 * math.cos(math.pi * min(step / max(schedule.steps, 1), 1))
    )
    history: list[dict[str, float]] = []
    best: dict[str, Any] = {
        "loss": _validation_loss(module, validate),
        "step": 0,
        "weights": _copy(module.state_dict()),
    }
    start = _Start.of(module, (asdict(schedule), rows, seed, label, every, settings), run.inputs, best["loss"])
    stateful = {"module": module, "optimiser": optimiser, "pace": pace}
    order = _Order(rows, schedule.batch_size, seed)
    if run.checkpoint and run.checkpoint.exists():
        start, history, best = _resume(run.checkpoint, start, stateful, order)
    step = int(history[-1]["step"]) if history else 0
    with (
        _wandb_run(run, schedule, label) as log,
        tqdm(
            total=schedule.steps,
            initial=step,
            desc=label,
            unit="step",
            disable=None if run.progress else True,
            leave=False,
        ) as bar,
    ):
        while step < schedule.steps and step - best["step"] < schedule.patience:
            count = min(every, schedule.steps - step)
            train_loss = _take_steps(module, batch_loss, optimiser, pace, [next(order) for _ in range(count)])
            step += count
            loss = _validation_loss(module, validate)
            history.append({"step": step, "train_loss": train_loss, "validation_loss": loss})
            bar.update(count)
            bar.set_postfix(validation=f"{loss:.4f}", best=f"{best['loss']:.4f}")
            log(history[-1])
            if run.on_evaluation is not None:
                run.on_evaluation(label, history[-1])
            if loss < best["loss"]:
                best = {"loss": loss, "step": step, "weights": _copy(module.state_dict())}
            if run.checkpoint:
                _save_checkpoint(run.checkpoint, start, stateful, order, history, best)
    module.load_state_dict(best["weights"])
    module.eval()
    _tell_end(run, label, best["step"] == schedule.steps > 0)
    return history


def _take_steps(
    module: nn.Module, batch_loss: Callable[[Tensor], Tensor], optimiser: Any, pace: Any, batches: list[Tensor]
) -> float:
    """Take one optimiser step for each batch of row numbers, and return the mean training loss over their rows."""
    device = next(module.parameters()).device
    module.train()
    total = 0.0
    for batch in batches:
        optimiser.zero_grad(set_to_none=True)
        with _autocast(device):
            loss = batch_loss(batch.to(device))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        pace.step()
        total += loss.item() * len(batch)
    return total / sum(map(len, batches))


class _Order(Iterator[Tensor]):
    """Batches of row numbers, pass after pass, each pass in a random order and in batches of about equal size.

    Args:
        rows: Number of training queries.
        batch_size: Most rows of a batch.
        seed: Seed of the order.
    """

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        self.rows, self.count = rows, -(-rows // batch_size)
        self.generator = torch.Generator().manual_seed(seed)
        self.left: list[Tensor] = []

    def __next__(self) -> Tensor:
        if not self.left:
            self.left = list(torch.randperm(self.rows, generator=self.generator).tensor_split(self.count))
        return self.left.pop(0)

    def state(self) -> dict[str, Any]:
        """Return what a later process goes on from, in the middle of a pass too."""
        return {"generator": self.generator.get_state(), "left": self.left}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from the result of `state`."""
        self.generator.set_state(state["generator"])
        self.left = list(state["left"])


def _tell_end(run: RunOptions, label: str, best_is_last: bool) -> None:
    """Tell the listener how a training ended, and warn where it seems to have been too short."""
    if run.on_end is not None:
        run.on_end(label, best_is_last)
    if best_is_last:
        warnings.warn(
            f"{label}: the last evaluation was the best, and only the number of steps ended the training; more steps may help",
            stacklevel=3,
        )


def _validation_loss(module: nn.Module, validate: Callable[[], float]) -> float:
    module.eval()
    with torch.no_grad():
        loss = validate()
    return loss if math.isfinite(loss) else float("inf")


def _autocast(device: torch.device) -> AbstractContextManager[Any]:
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _copy(state: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy({key: value.detach() if isinstance(value, Tensor) else value for key, value in state.items()})


@dataclass(frozen=True)
class _Start:
    """Identity of a run: its settings and its data, as they were given.

    Initial weights and vectors are computed, so their last digits differ between processors, threads and versions.

    Attributes:
        settings: Digest of the settings, and of the names and shapes of the weights.
        inputs: Identifies the data, see `graphrouter.run.RunOptions`; None where nothing does but the loss.
        loss: Validation loss before training.
    """

    settings: str
    inputs: str | None
    loss: float

    @classmethod
    def of(cls, module: nn.Module, settings: tuple[Any, ...], inputs: str | None, loss: float) -> _Start:
        shapes = [(key, tuple(value.shape)) for key, value in sorted(module.state_dict().items())]
        return cls(hashlib.sha256(repr((settings, shapes)).encode()).hexdigest(), inputs, loss)

    def same_as(self, other: _Start) -> bool:
        """Whether a run can go on from what another has left."""
        if (self.settings, self.inputs) != (other.settings, other.inputs):
            return False
        return self.inputs is not None or math.isclose(self.loss, other.loss, rel_tol=CLOSE)


def _save_checkpoint(
    file: Path,
    start: _Start,
    stateful: dict[str, Any],
    order: _Order,
    history: list[dict[str, float]],
    best: dict[str, Any],
) -> None:
    state = {key: thing.state_dict() for key, thing in stateful.items()}
    random = {"order": order.state(), "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state()
    kept = {"start": asdict(start), "state": state, "random": random, "history": history, "best": best}
    with atomic_write(file) as draft:
        torch.save(kept, draft)


def _resume(
    file: Path, start: _Start, stateful: dict[str, Any], order: _Order
) -> tuple[_Start, list[dict[str, float]], dict[str, Any]]:
    try:
        kept = torch.load(file, weights_only=True)
        begun = _Start(**kept["start"])
    except Exception as error:
        raise UserError(
            f"{file} must be a checkpoint of this version, but cannot be read ({first_line(error)}); remove it"
        ) from None
    if not start.same_as(begun):
        raise UserError(
            f"{file} must come from the same data, config and seed, but does not; remove it or name another"
        )
    for key, thing in stateful.items():
        thing.load_state_dict(kept["state"][key])
    order.load(kept["random"]["order"])
    torch.set_rng_state(kept["random"]["torch"])
    if "cuda" in kept["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(kept["random"]["cuda"])
    return begun, kept["history"], kept["best"]


class _wandb_run:
    """A W&B run around training, or nothing where it is off. Entering it gives the function that logs a dict."""

    def __init__(self, run: RunOptions, schedule: Schedule, label: str) -> None:
        self.options, self.schedule, self.label = run, schedule, label
        self.run: Any = None

    def __enter__(self) -> Callable[[dict[str, float]], None]:
        if self.options.wandb == "off":
            return lambda metrics: None
        config = {"label": self.label, **asdict(self.schedule)}
        self.run = open_wandb(self.options, self.options.wandb_name or self.label, config, "create_new")
        return self.run.log  # type: ignore[no-any-return]

    def __exit__(self, *error: object) -> None:
        if self.run is not None:
            self.run.finish(exit_code=0 if error[0] is None else 1)
