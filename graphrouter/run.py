"""How a run is run, and what is written down about it. Nothing here changes what is learnt."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from graphrouter.errors import UserError, first_line

PACKAGES = (
    "graphrouter",
    "torch",
    "torch-geometric",
    "numpy",
    "scipy",
    "scikit-learn",
    "polars",
    "sentence-transformers",
    "transformers",
    "tokenizers",
)


TUNE_BY = ("nll", "reward")
"""Validation scores that a router's setting may be chosen by. In a config and on the command line ``none`` is a choice too."""


@dataclass
class RunOptions:
    """Where and how to run.

    Attributes:
        device: ``cpu``, ``cuda`` or ``auto`` (CUDA where there is one).
        progress: Whether to show progress bars.
        checkpoint: File to keep the state of training in after every evaluation, and to resume from; None for neither.
        inputs: Identifies the data that training learns from, for the checkpoint; None where only the data itself does.
        wandb: ``off``, ``offline`` or ``online``.
        wandb_project: Project that runs are logged to.
        wandb_name: Name of the run there.
        wandb_folder: Gets a folder ``wandb`` with what W&B writes, unless ``WANDB_DIR`` names another; None for the
            current folder.
        on_evaluation: Called after every evaluation on validation of a torch router, with what is trained (a router may train
            several networks) and ``step, train_loss, validation_loss``. What it raises ends the training.
        on_end: Called when the training of a network has ended, with what was trained and whether its last evaluation was the
            best and only the number of steps ended it.
    """

    device: str = "auto"
    progress: bool = False
    checkpoint: Path | None = None
    inputs: str | None = None
    wandb: str = "off"
    wandb_project: str = "graphrouter"
    wandb_name: str | None = None
    wandb_folder: Path | None = None
    on_evaluation: Callable[[str, dict[str, float]], None] | None = None
    on_end: Callable[[str, bool], None] | None = None


def open_wandb(options: RunOptions, name: str | None, config: dict[str, Any], reinit: str) -> Any:
    """Open a W&B run that prints nothing.

    Args:
        options: Mode, project and folder; the mode is not ``off``.
        name: Name of the run; None for one that W&B makes up.
        config: Config of the run.
        reinit: Treatment of a run that is open, as ``wandb.init`` takes it.

    Raises:
        UserError: If W&B cannot be reached, or wants a login.
    """
    import wandb

    folder = None if os.environ.get("WANDB_DIR") else options.wandb_folder
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)  # else W&B takes a temporary one
    quiet = wandb.Settings(silent=True, console="off", x_disable_stats=True)
    how: Any = {"mode": options.wandb, "reinit": reinit}
    try:
        return wandb.init(project=options.wandb_project, name=name, dir=folder, config=config, settings=quiet, **how)
    except (wandb.Error, OSError) as error:
        raise UserError(
            f"W&B must be reachable for --wandb {options.wandb}, but: {first_line(error)}; use offline"
        ) from None


def provenance() -> dict[str, object]:
    """Return the git commit of the code (None outside a checkout), and the versions of Python and packages."""
    return {"commit": _git_commit(), "python": platform.python_version(), "packages": _versions()}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
