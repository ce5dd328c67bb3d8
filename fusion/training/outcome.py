"""Output of a run: an ordinary Hugging Face folder, its losses, and ``training.json``."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import polars as pl

from fusion.training.trainers import SECONDS, TOKENS
from graphrouter.errors import UserError, first_line
from graphrouter.files import check_writable, replace_file

ABOUT, LOSSES, CHECKPOINTS, DRAFT = "training.json", "losses.csv", "checkpoints", ".draft"
PLACES = {"model", "data", "validation", "chat_template"}
"""Settings that earlier versions kept and that name files or folders."""
COLUMNS = {
    "stage": pl.String,
    "step": pl.Int64,
    "loss": pl.Float64,
    "validation_loss": pl.Float64,
    "margin": pl.Float64,
    "learning_rate": pl.Float64,
    TOKENS: pl.Int64,
    SECONDS: pl.Float64,
}
"""Of ``losses.csv``; the margin is DPO's: how much more the chosen response has gained than the rejected one."""


def check_out(out: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return ``training.json`` where this very run has ended there already, else None.

    Raises:
        UserError: If the folder holds something else, or a run of other settings.
    """
    check_writable(out, "a model")
    if (out / ABOUT).is_file():
        about: dict[str, Any] = _read(out / ABOUT)
        _same(out / ABOUT, about["settings"], settings)
        return about
    begun = out / CHECKPOINTS / "settings.json"
    if begun.is_file():
        _same(begun, _read(begun), settings)
    elif any(_holds_files(entry) for entry in (out.iterdir() if out.is_dir() else ()) if entry.name != "wandb"):
        raise UserError(f"{out} must be new or hold this run, but holds other files; name another folder")
    return None


def _holds_files(entry: Path) -> bool:
    """Whether there is a file that a run would write over; empty folders and drafts are what a killed run may leave."""
    files = [entry] if not entry.is_dir() or entry.is_symlink() else entry.rglob("*")
    return any(not file.is_dir() and not file.name.startswith(".") for file in files)


def _read(file: Path) -> dict[str, Any]:
    try:
        about = json.loads(file.read_text())
        return dict(about)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{file} must be as an earlier run wrote it, but cannot be read ({first_line(error)}); remove the folder or name "
            "another"
        ) from None


def _same(file: Path, kept: dict[str, Any], settings: dict[str, Any]) -> None:
    """Refuse other settings. Where the data and the model lie decides nothing: digests stand for their content."""
    different = sorted(key for key in {*kept, *settings} - PLACES if kept.get(key) != settings.get(key))
    if different:
        raise UserError(
            f"{file} must come from the same settings, but {', '.join(different)} differ; remove the folder or name another"
        )


def begin(out: Path, settings: dict[str, Any]) -> None:
    """Write down what is about to be trained."""
    replace_file(out / CHECKPOINTS / "settings.json", json.dumps(settings, indent=2).encode() + b"\n")


def remove_checkpoints(out: Path) -> None:
    """Remove what only a run that goes on needs, and drafts that a killed one has left."""
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    shutil.rmtree(out / DRAFT, ignore_errors=True)


def save_model(trainer: Any, tokenizer: Any, folder: Path, adapter: Path, dtype: Any) -> None:
    """Save what was trained as an ordinary folder, whole or not at all; adapters are merged, and kept beside it.

    Args:
        trainer: At its end.
        tokenizer: With the chat template of the training.
        folder: For the model; other files in it stay.
        adapter: Folder for the adapter, where there is one.
        dtype: Type of the saved weights.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        if trainer.is_world_process_zero():
            shutil.rmtree(adapter, ignore_errors=True)
            model.save_pretrained(adapter)
        model = model.merge_and_unload()
    if not trainer.is_world_process_zero():
        return
    draft = folder / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    model.to(dtype).save_pretrained(draft)
    tokenizer.save_pretrained(draft)
    for file in draft.iterdir():
        file.replace(folder / file.name)
    draft.rmdir()


def losses_table(stage: str, history: list[dict[str, float]]) -> pl.DataFrame:
    """Return the losses of a stage: a row per step, with the validation loss where there was one."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in history:
        row = rows.setdefault(int(entry["step"]), {"stage": stage, "step": int(entry["step"])})
        row |= {name: entry[name] for name in ("loss", "learning_rate", TOKENS, SECONDS) if name in entry}
        row |= {"validation_loss": entry["eval_loss"]} if "eval_loss" in entry else {}
        row |= {"margin": entry["rewards/margins"]} if "rewards/margins" in entry else {}
    return pl.DataFrame([rows[step] for step in sorted(rows) if "loss" in rows[step]], schema=COLUMNS)


def summary(stage: str, losses: pl.DataFrame) -> dict[str, Any]:
    """Return the entry of ``training.json`` for a stage."""
    last = losses.row(-1, named=True)
    found = {
        "steps": last["step"],
        "first_loss": losses["loss"][0],
        "last_loss": last["loss"],
        "best_validation_loss": losses["validation_loss"].min(),
        TOKENS: last[TOKENS],
        "minutes": last[SECONDS] / 60,
    }
    margins = {"first_margin": losses["margin"][0], "last_margin": last["margin"]}
    return found | (margins if stage == "dpo" else {})


def peak_memory(device: str) -> dict[str, Any]:
    """Return the most memory that was held, in MiB: of the GPU, or of this process with all that it has loaded."""
    if device == "cuda":
        import torch

        return {"of": "gpu", "mib": torch.cuda.max_memory_allocated() / 2**20}
    unit = 1 if sys.platform == "darwin" else 1024
    return {"of": "process", "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20}
