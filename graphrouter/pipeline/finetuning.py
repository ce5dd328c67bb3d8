"""Fine-tuning of a sentence-transformers model by the outcomes of a log, into an encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from graphrouter.dataset import RoutingData
from graphrouter.encoders import SentenceEncoder, find_encoder
from graphrouter.encoders.seen import FILE, SeenQueries
from graphrouter.errors import UserError
from graphrouter.files import atomic_folder, check_writable
from graphrouter.log import LogLike
from graphrouter.nn.losses import soft
from graphrouter.prepared import PreparedLog, prepare
from graphrouter.progress import without_weights_bar
from graphrouter.routers.parts.outcomes import observed_outcomes
from graphrouter.run import RunOptions
from graphrouter.training import Schedule, fit_module, pick_device

CHECKPOINT = "checkpoint.pt"
HEAD_SCHEDULE = Schedule(steps=2000, patience=200, batch_size=64, learning_rate=1e-2)
"""The head before the transformer is touched: it is a convex problem, which any fast schedule solves."""


@dataclass(frozen=True)
class FineTuning:
    """Length and pace of fine-tuning.

    Attributes:
        epochs: At most so many passes over the training queries.
        patience: Epochs without a better validation loss before training stops.
        batch_size: Queries per optimiser step.
        learning_rate: Highest learning rate of the transformer; 2e-5 is usual for BERT (arXiv:1810.04805, A.3).
        head_learning_rate: Highest learning rate of the head, whose weights are two orders larger.
        weight_decay: Weight decay of AdamW.
    """

    epochs: int = 10
    patience: int = 2
    batch_size: int = 32
    learning_rate: float = 2e-5
    head_learning_rate: float = 1e-3
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("patience", 1), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} of fine-tuning must be {least} or more, but is {getattr(self, name)}")
        for name in ("learning_rate", "head_learning_rate", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} of fine-tuning must be within [0, 1), but is {getattr(self, name)}")

    def steps_of_epoch(self, rows: int) -> int:
        """Return the steps of a pass over so many training queries."""
        return -(-rows // self.batch_size)

    def schedule(self, rows: int) -> Schedule:
        """Return the schedule of the transformer on so many training queries."""
        epoch = self.steps_of_epoch(rows)
        lengths = self.epochs * epoch, self.patience * epoch
        return Schedule(*lengths, self.batch_size, self.learning_rate, self.weight_decay)


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning came to.

    Attributes:
        folder: Holds the model, for `graphrouter.encoders.find_encoder`.
        frozen: Validation likelihood per edge (negative log, nats) of the head on the vectors as they were.
        tuned: The same at the best epoch; equal to ``frozen`` where no epoch was better.
        epochs: Epochs until the best one; 0 where none was better.
    """

    folder: Path
    frozen: float
    tuned: float
    epochs: int


class TunedModel(nn.Module):
    """Transformer with a linear head: the logit that each LLM answers a query right, read off the query's vector.

    Args:
        model: A ``SentenceTransformer``.
        llms: Number of LLMs.
    """

    def __init__(self, model: Any, llms: int) -> None:
        super().__init__()
        self.model = model
        self.width = int(model.get_embedding_dimension())
        self.head = nn.Linear(self.width, llms)

    def vectors(self, features: dict[str, Tensor]) -> Tensor:
        """Return vectors [B, D] of a padded batch of tokens."""
        found: Tensor = self.model(features)["sentence_embedding"]
        return found.float()

    def logits(self, vectors: Tensor) -> Tensor:
        """Return logits [B, M] of vectors [B, D], which count by their direction, as they do for a router."""
        found: Tensor = self.head(functional.normalize(vectors) * self.width**0.5)
        return found


def finetune_encoder(
    log: LogLike,
    model: str,
    out: str | Path,
    *,
    seed: int = 0,
    target: str = "performance",
    settings: FineTuning | None = None,
    run: RunOptions | None = None,
) -> FineTuned:
    """Fine-tune a sentence-transformers model on the training queries of a split, and save it.

    Transformer and head learn by the cross-entropy of the edges between queries and LLMs. The head alone learns first, on the
    vectors as they are, so that a random one does not spoil the transformer (arXiv:2202.10054). Validation queries stop the
    training and choose its epoch; outcomes of test queries are not looked at. Which queries were seen is written down, and
    splits that have one of them in test are refused later (see `graphrouter.encoders.seen.SeenQueries`).

    Args:
        log: Log, its name or folder, or a DataFrame.
        model: Folder or hub name of the model.
        out: Folder for the fine-tuned model: new, empty, or one from before, which is replaced at the end.
        seed: Seed of the split (`graphrouter.splits.by_query`), of the head and of the order of batches.
        target: Column of the log that counts as performance.
        settings: Length and pace; None for the defaults.
        run: Options of the run. A checkpoint is kept in the folder until the end.

    Raises:
        UserError: If the log does not divide, or the model or the folder does not do.
    """
    run, settings, folder = run or RunOptions(), settings or FineTuning(), Path(out)
    _check_folder(folder)
    encoder = find_encoder(model, run.device)
    if not isinstance(encoder, SentenceEncoder):
        raise UserError(f"only a sentence-transformers model can be fine-tuned, but {model!r} is none; name another")
    prepared = prepare(log, encoder, seed=seed, target=target, device=run.device, progress=run.progress)
    device = pick_device(run.device)
    torch.manual_seed(seed)
    tuned = TunedModel(encoder.load(), len(prepared.train.llms)).to(device)
    frozen = _fit_head(tuned, prepared, seed, run)
    loss, validate = (_part_loss(tuned, prepared, part, device) for part in ("train", "validation"))
    identity = "\n".join([prepared.identity, repr(settings), str(seed)])
    inputs = hashlib.sha256(identity.encode()).hexdigest()
    rows = len(prepared.train.queries)
    epoch = settings.steps_of_epoch(rows)
    history = fit_module(
        tuned,
        loss,
        rows,
        lambda: _mean_loss(validate, prepared.validation, settings.batch_size, device),
        settings.schedule(rows),
        seed=seed,
        run=replace(run, checkpoint=folder / CHECKPOINT, inputs=inputs),
        label="encoder",
        every=epoch,  # a look at validation reads all its texts, so there is one for each pass
        parameter_groups=[
            {"params": list(tuned.model.parameters()), "lr": settings.learning_rate},
            {"params": list(tuned.head.parameters()), "lr": settings.head_learning_rate},
        ],
    )
    best = min(history, key=lambda row: row["validation_loss"])
    better = best["validation_loss"] < frozen
    epochs = int(best["step"]) // epoch if better else 0
    done = FineTuned(folder, frozen, best["validation_loss"] if better else frozen, epochs)
    _save(tuned, prepared, done, {"model": encoder.model_id, "target": target, **asdict(settings)})
    return done


def _check_folder(folder: Path) -> None:
    check_writable(folder, "a fine-tuned encoder")
    if not folder.is_dir() or (folder / FILE).exists():
        return
    others = {file.name for file in folder.iterdir() if not file.name.startswith(".")} - {CHECKPOINT, "wandb"}
    if others:
        raise UserError(
            f"{folder} must be new, empty or a fine-tuned encoder, but holds {min(others)!r}; name another folder"
        )


def _fit_head(tuned: TunedModel, prepared: PreparedLog, seed: int, run: RunOptions) -> float:
    """Fit the head on the vectors as they are, and return its validation loss."""
    device = tuned.head.weight.device

    def loss_on(part: RoutingData) -> Callable[[Tensor], Tensor]:
        vectors = torch.as_tensor(part.queries.vectors, device=device)
        target, seen = observed_outcomes(part, device)
        return lambda rows: soft(tuned.logits(vectors[rows])[None], target[rows], seen[rows][None])

    loss, validate = loss_on(prepared.train), loss_on(prepared.validation)
    every = torch.arange(len(prepared.validation.queries), device=device)
    quiet = RunOptions(device=run.device, progress=run.progress)

    def later() -> float:
        return validate(every).item()

    history = fit_module(
        tuned.head, loss, len(prepared.train.queries), later, HEAD_SCHEDULE, seed=seed, run=quiet, label="head"
    )
    return min(row["validation_loss"] for row in history)


def _part_loss(tuned: TunedModel, prepared: PreparedLog, name: str, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return the loss of rows of a part, from texts to edges."""
    part: RoutingData = getattr(prepared, name)
    texts_of = dict(zip(prepared.log.queries["query_id"], prepared.log.queries["query"], strict=True))
    texts = [texts_of[query] for query in part.queries.ids]
    target, seen = observed_outcomes(part, device)

    def loss(rows: Tensor) -> Tensor:
        features = tuned.model.preprocess([texts[row] for row in rows.tolist()])
        features = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in features.items()}
        return soft(tuned.logits(tuned.vectors(features))[None], target[rows], seen[rows][None])

    return loss


def _mean_loss(loss: Callable[[Tensor], Tensor], part: RoutingData, batch_size: int, device: torch.device) -> float:
    """Return the mean loss over the edges of a part, the longest queries first, so that batches have little padding."""
    edges = part.observed.sum(axis=1)
    order = np.argsort(-part.queries.chars, kind="stable")
    total = 0.0
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        total += loss(torch.as_tensor(rows, device=device)).item() * float(edges[rows].sum())
    return total / float(max(edges.sum(), 1))


def _groups(part: RoutingData) -> tuple[int, ...]:
    return tuple(sorted({int(group) for group in part.queries.groups}))


def _save(tuned: TunedModel, prepared: PreparedLog, done: FineTuned, about: dict[str, Any]) -> None:
    """Write the model, without the head, and what it has seen."""
    results = {"frozen_loss": done.frozen, "validation_loss": done.tuned, "best_epoch": done.epochs}
    parts = _groups(prepared.train), _groups(prepared.validation)
    seen = SeenQueries(prepared.log.name, prepared.seed, *parts, about | results)
    with atomic_folder(done.folder, "a fine-tuned encoder", keep=("wandb",)) as draft, without_weights_bar():
        tuned.model.cpu().save_pretrained(str(draft), create_model_card=False)
        seen.save(draft)
