"""The model and the tokenizer that training begins with."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fusion.engines.hf_load import load
from fusion.training.config import TrainConfig
from fusion.training.encoding import check_template
from fusion.training.processes import started_together
from graphrouter.errors import UserError
from graphrouter.progress import without_weights_bar
from graphrouter.training import pick_device

EDGE = 1 << 20
"""Bytes at either end of a weight file that identify it; training changes all weights."""


class Start(NamedTuple):
    """Model and tokenizer that training begins with.

    Attributes:
        model: In float32 (or bf16 under adapters), on the CPU.
        tokenizer: With a chat template.
        limit: Most tokens of a row, or None.
        dtype: Type of the weights on disk, in which the result is saved.
    """

    model: Any
    tokenizer: Any
    limit: int | None
    dtype: Any


def load_start(config: TrainConfig, folder: str, use_bf16: bool) -> Start:
    """Load a model and its tokenizer.

    Args:
        config: Config of the run.
        folder: ``config.model``, or what an earlier stage made of it.
        use_bf16: Whether training computes in bf16. Weights that adapters leave alone are then held in it too; weights
            that are trained stay in float32, as updates are smaller than what bf16 tells apart.

    Raises:
        UserError: If it is no causal language model, its tokenizer has no fit chat template, or ``max_length`` is more
            than its context.
    """
    import torch
    from transformers import AutoConfig

    frozen = use_bf16 and config.tuning == "lora"
    revision = config.revision if folder == config.model else None
    loaded = load(folder, revision, "cpu", "bfloat16" if frozen else "float32")
    if config.chat_template is not None:
        loaded.tokenizer.chat_template = _read_template(config.chat_template)
    check_template(loaded.tokenizer, loaded.ends, config.model)
    if config.max_length is not None and loaded.limit is not None and config.max_length > loaded.limit:
        raise UserError(
            f"max_length must be at most the context of {config.model}, {loaded.limit}, but is {config.max_length}; lower it"
        )
    where = {"revision": revision} if revision else {}
    dtype = AutoConfig.from_pretrained(folder, **where).dtype or torch.float32
    return Start(loaded.model, loaded.tokenizer, config.max_length or loaded.limit, dtype)


def _read_template(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the chat template must be a text file, but {file}: {error}") from None


def model_digest(model: str) -> str:
    """Return the identity of the weights in a folder; the name itself for a model on the hub."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    digest = hashlib.sha256()
    for file in sorted([folder / "config.json", *folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        if file.is_file():
            with file.open("rb") as stream:
                size = file.stat().st_size
                digest.update(f"{file.name} {size}".encode() + stream.read(EDGE))
                stream.seek(max(0, size - EDGE))
                digest.update(stream.read(EDGE))
    return digest.hexdigest()


def check_devices(device: str) -> str:
    """Return ``cpu`` or ``cuda``, on which training runs.

    Raises:
        UserError: If the device is not at hand, or several GPUs are visible to a single process.
    """
    import torch

    kind = pick_device(device).type
    if device.startswith("cuda:"):
        raise UserError(f"training takes all visible GPUs, but {device} was named; set CUDA_VISIBLE_DEVICES instead")
    if kind == "cuda" and torch.cuda.device_count() > 1 and not started_together():
        raise UserError(
            f"{torch.cuda.device_count()} GPUs are visible, but one process was started; start with 'accelerate launch "
            "-m fusion train ...', or set CUDA_VISIBLE_DEVICES=0"
        )
    return kind


def wants_bf16(config: TrainConfig, device: str) -> bool:
    """Return whether training computes in bf16.

    Raises:
        UserError: If it is asked for and the GPU has none.
    """
    import torch

    able = device == "cpu" or torch.cuda.is_bf16_supported()
    if config.precision == "bf16" and not able:
        raise UserError("precision bf16 needs a GPU that has it, but this one has none; set precision=float32")
    return config.precision == "bf16" or (config.precision == "auto" and device == "cuda" and able)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Have datasets and transformers show no bars and no hints inside, and TRL's calls of old names no warnings."""
    import datasets
    from transformers.utils import logging

    bars, level = not datasets.are_progress_bars_disabled(), logging.get_verbosity()
    datasets.disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        with without_weights_bar(), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*gradient_checkpointing.* is deprecated", category=FutureWarning
            )
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            datasets.enable_progress_bars()
