"""Callbacks of the trainers: a bar, Ctrl-C, an early stop, and marks on whole checkpoints."""

from __future__ import annotations

import math
import shutil
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from fusion.training.processes import is_first
from graphrouter.errors import UserError

MARK = "whole"
"""Empty file in a checkpoint that was written to its end."""


class Bar(TrainerCallback):
    """A bar of steps, with the last losses.

    Args:
        label: Name of the training on the bar.
        progress: Whether to show it.
    """

    def __init__(self, label: str, progress: bool) -> None:
        self.label, self.progress = label, progress
        self.bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show the steps of earlier runs as done."""
        hidden = not (self.progress and state.is_world_process_zero)
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self.label, unit="step", disable=hidden)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go on by what was done."""
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Show the losses."""
        logs: dict[str, float] = kwargs["logs"]
        shown = {
            name: f"{logs[key]:.4f}" for key, name in (("loss", "loss"), ("eval_loss", "validation")) if key in logs
        }
        if self.bar is not None and shown:
            self.bar.set_postfix(shown, refresh=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the bar as it is."""
        self.bar.close()


class Interrupt(TrainerCallback):
    """Takes the first Ctrl-C for 'write a checkpoint after this step, and stop'; the second ends at once.

    Attributes:
        asked: Whether Ctrl-C came.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Write a checkpoint and stop, where that was asked for."""
        if self.asked:
            control.should_save = control.should_training_stop = True
        return control


class LossWatch(TrainerCallback):
    """Stops at a loss that is no number, and after ``patience`` validations without a better loss.

    All that it needs is in the log of the run, so that a resumed run stops where a whole one does.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the loss.

        Raises:
            UserError: If it is no number.
        """
        logs: dict[str, float] = kwargs["logs"]
        if not math.isfinite(logs.get("loss", 0.0)):
            raise UserError(
                f"the loss must stay a number, but is {logs['loss']} at step {state.global_step}; lower learning_rate"
            )

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Look at the validation losses so far."""
        losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
        if self.patience is not None and len(losses) - 1 - losses.index(min(losses)) >= self.patience:
            control.should_training_stop = True
        return control


class Mark(TrainerCallback):
    """Marks a checkpoint once it is whole: a killed run may leave half a one."""

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the checkpoint of this step."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            (folder / MARK).touch()


def last_checkpoint(folder: Path) -> Path | None:
    """Return the last whole checkpoint of a stage, or None; halves of one are removed by the first process."""
    whole = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / MARK).exists():
            whole.append(checkpoint)
        elif is_first():
            shutil.rmtree(checkpoint)
    return max(whole, key=lambda checkpoint: int(checkpoint.name.partition("-")[2]), default=None)
