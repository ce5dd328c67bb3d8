"""A log as routers see it, split. Importing it imports torch, so limit the threads first."""

from __future__ import annotations

from typing import Any

from graphrouter.dataset import RoutingData
from graphrouter.encoders import Encoder, encoder_of
from graphrouter.log import LLMLog
from graphrouter.prepared import prepare
from graphrouter.splits import PARTS, Split


def make_encoder(log: LLMLog, name: str | None) -> Encoder:
    """Return the encoder of a name, or the log's default."""
    return encoder_of(log, name, "cpu")


def load_parts(log: LLMLog, encoder: Encoder, seed: int) -> dict[str, RoutingData]:
    """Encode and split a log; a sentence-transformers model encodes only what its cache lacks."""
    prepared = prepare(log, encoder, seed=seed, progress=True)
    return {name: getattr(prepared, name) for name in PARTS}


def about(log: LLMLog, split: Split, encoder: Encoder, seed: int) -> dict[str, Any]:
    """Return what is said of the data; an encoder's folder is named by its content, not by its place."""
    name = encoder.id if getattr(encoder, "folder", None) else encoder.spec
    sizes = {part: len(getattr(split, part)) for part in PARTS}
    known = {"llms": len(log.llm_names), "cost_estimated": log.cost_estimated, "simulated": log.simulated}
    return {"log": log.name, "encoder": name, "seed": seed, **sizes, **known}
