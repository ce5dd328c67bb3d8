"""Fine-tunes one LLM on selected responses: SFT, DPO or both, through TRL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from fusion.training.config import TrainConfig, make_config, read_config
from fusion.training.processes import is_first, processes
from graphrouter.errors import UserError
from graphrouter.files import replace_file
from graphrouter.run import RunOptions, open_wandb, provenance
from graphrouter.settings import to_plain

if TYPE_CHECKING:
    from fusion.training.callbacks import Interrupt
    from fusion.training.encoding import Encoded

__all__ = ["TrainConfig", "make_config", "read_config", "train"]

NO_PART = ("device_batch_size", "save_steps")
"""Fields of a config that leave the weights as they are, but for rounding."""


def train(config: TrainConfig, out: str | Path, run: RunOptions | None = None) -> dict[str, Any]:
    """Fine-tune a model, from its last checkpoint where a run was cut off. The same settings give the same weights.

    Args:
        config: Settings of the run.
        out: Folder for the model: new, or one where this very run was begun or has ended. While training goes on it
            holds ``checkpoints/``; then the model with its tokenizer, adapters in ``adapter_sft/`` and ``adapter_dpo/``,
            ``losses.csv`` and ``training.json``.
        run: Device, progress and W&B.

    Returns:
        The content of ``training.json``.

    Raises:
        UserError: If the model, the tokenizer, the rows or the folder do not do.
        KeyboardInterrupt: After Ctrl-C, once a checkpoint of the last step is written.
    """
    out, run = Path(out), run or RunOptions()
    from fusion.training.outcome import check_out, remove_checkpoints

    settings = _settings(config)
    if ended := check_out(out, settings):
        if is_first():  # a run may have been killed just before its end
            remove_checkpoints(out)
        return ended
    from fusion.training.loading import check_devices, quiet_libraries, wants_bf16

    device = check_devices(run.device)
    use_bf16 = wants_bf16(config, device)
    stages: dict[str, Any] = {}
    folder = config.model
    with quiet_libraries(), _wandb(config, run) as logged:
        for stage in config.stages:
            target = out if stage == config.stages[-1] else out / "checkpoints" / f"{stage}-model"
            how = {"device": device, "use_bf16": use_bf16, "progress": run.progress, "wandb": logged}
            stages[stage] = _stage(stage, config, folder, target, out, settings, **how)
            folder = str(target)
    return _finish(config, out, settings, stages, device)


def _settings(config: TrainConfig) -> dict[str, Any]:
    """Return all that decides the weights: of files their content, wherever they lie."""
    from fusion.training.loading import model_digest
    from fusion.training.outcome import PLACES
    from fusion.training.rows import data_file, file_digest, validation_file

    plain = {key: value for key, value in to_plain(config).items() if key not in {*NO_PART, *PLACES}}
    files = {f"{stage}_rows": data_file(config.data, stage) for stage in config.stages}
    files |= {f"{stage}_validation": file for stage in config.stages if (file := validation_file(config, stage))}
    files |= {"chat_template_digest": Path(config.chat_template)} if config.chat_template else {}
    return (
        plain | {name: file_digest(file) for name, file in files.items()} | {"model_digest": model_digest(config.model)}
    )


def _stage(
    stage: str, config: TrainConfig, folder: str, target: Path, out: Path, settings: dict[str, Any], **how: Any
) -> dict[str, Any]:
    """Run a stage, or take what it has left where it has ended before."""
    about = out / "checkpoints" / f"{stage}.json"
    if about.is_file():
        return dict(json.loads(about.read_text()))
    from fusion.training.callbacks import Interrupt, last_checkpoint
    from fusion.training.loading import load_start
    from fusion.training.outcome import begin, losses_table, save_model, summary
    from fusion.training.trainers import make_trainer

    start = load_start(config, folder, how["use_bf16"])
    rows, validation, results = _rows(stage, config, start.tokenizer, start.limit, how["progress"])
    checkpoints = out / "checkpoints" / stage
    with Interrupt() as interrupt:
        trainer = make_trainer(stage, config, start, rows, validation, checkpoints, interrupt=interrupt, **how)
        if is_first():
            begin(out, settings)  # only now, so that what was refused leaves nothing behind
        _run(trainer, last_checkpoint(checkpoints), interrupt)
    losses = losses_table(stage, trainer.state.log_history)
    target.mkdir(parents=True, exist_ok=True)
    save_model(trainer, start.tokenizer, target, out / f"adapter_{stage}", start.dtype)
    results |= summary(stage, losses)
    if is_first():
        replace_file(out / "checkpoints" / f"{stage}.csv", losses.write_csv().encode())
        replace_file(about, json.dumps(results).encode())
    trainer.accelerator.wait_for_everyone()
    return results


def _rows(
    stage: str, config: TrainConfig, tokenizer: Any, limit: int | None, progress: bool
) -> tuple[Encoded, Encoded | None, dict[str, Any]]:
    """Return the rows of a stage, those to validate on, and what is said of both."""
    from fusion.training.rows import data_file, validation_file

    rows, results = _encoded(data_file(config.data, stage), stage, stage, tokenizer, limit, progress)
    held = validation_file(config, stage)
    if held is None:
        return rows, None, results
    validation, results["validation"] = _encoded(held, stage, f"{stage} validation", tokenizer, limit, progress)
    return rows, validation, results


def _encoded(
    file: Path, stage: str, what: str, tokenizer: Any, limit: int | None, progress: bool
) -> tuple[Encoded, dict[str, Any]]:
    """Return the rows of a file as tokens, and how many are trained on, left out, or not read whole."""
    from fusion.training.encoding import encode
    from fusion.training.rows import RowTally, read_rows

    tally = RowTally()
    found = encode(read_rows(file, stage, tally), tokenizer, limit, what, progress)
    if found.alike:
        tally.left_out["with a chosen response equal to the rejected one"] = found.alike
    return found, {
        "rows": len(found.rows),
        "skipped": found.skipped,
        "left_out": dict(tally.left_out),
        "dropped_keys": dict(tally.dropped),
        "longest": found.longest,
        "bent_prompts": found.bent,
    }


def _run(trainer: Any, checkpoint: Path | None, interrupt: Interrupt) -> None:
    import torch

    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError:
        raise UserError(
            "training must fit into the GPU's memory, but does not; lower device_batch_size or max_length, set "
            "gradient_checkpointing=true, or use tuning=lora"
        ) from None
    if interrupt.asked:
        raise KeyboardInterrupt


def _finish(
    config: TrainConfig, out: Path, settings: dict[str, Any], stages: dict[str, Any], device: str
) -> dict[str, Any]:
    """Write what there is to say, and remove the checkpoints."""
    from fusion.training.outcome import ABOUT, CHECKPOINTS, LOSSES, peak_memory, remove_checkpoints

    about = {
        "config": asdict(config),
        "settings": settings,
        "stages": stages,
        "completion_tokens": sum(stage["completion_tokens"] for stage in stages.values()),
        "minutes": sum(stage["minutes"] for stage in stages.values()),
        "peak_memory": peak_memory(device),
        "processes": processes(),
        "device": device,
        "provenance": provenance() | {"training": _versions()},
    }
    if is_first():
        tables = [pl.read_csv(out / CHECKPOINTS / f"{stage}.csv", infer_schema=False) for stage in stages]
        replace_file(out / LOSSES, pl.concat(tables).write_csv().encode())
        replace_file(out / ABOUT, json.dumps(about, indent=2).encode() + b"\n")
        remove_checkpoints(out)
    return about


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("trl", "peft", "accelerate", "datasets")}


@contextmanager
def _wandb(config: TrainConfig, run: RunOptions) -> Iterator[bool]:
    """Open a W&B run around training, which TRL logs to; give whether there is one."""
    if run.wandb == "off" or not is_first():
        yield run.wandb != "off"
        return
    begun = open_wandb(run, run.wandb_name, asdict(config), "finish_previous")
    code = 1
    try:
        yield True
        code = 0
    finally:
        begun.finish(exit_code=code)
