"""How a run is run, and what is written down about it. Nothing here changes what is learnt."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


@dataclass
class RunOptions:
    """Where and how to run.

    Attributes:
        device: ``cpu``, ``cuda`` or ``auto`` (CUDA where there is one).
        progress: Whether to show progress bars.
        checkpoint: File to keep the state of training in after every epoch, and to resume from; None for neither.
        wandb: ``off``, ``offline`` or ``online``.
        wandb_project: Project that runs are logged to.
        wandb_name: Name of the run there.
        on_epoch: Called after every epoch of a torch router, with what is trained (a router may train several networks)
            and ``epoch, train_loss, validation_loss``. What it raises ends the training.
    """

    device: str = "auto"
    progress: bool = False
    checkpoint: Path | None = None
    wandb: str = "off"
    wandb_project: str = "graphrouter"
    wandb_name: str | None = None
    on_epoch: Callable[[str, dict[str, float]], None] | None = None


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
