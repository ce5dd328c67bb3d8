"""Text -> [N, D] vectors, cached on disk by content. Importing this is light; models load when a text needs them."""

from __future__ import annotations

import re
from copy import copy
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphrouter.encoders.base import Encoder, unit_rows
from graphrouter.encoders.cache import VectorCache
from graphrouter.encoders.causal import CausalEncoder
from graphrouter.encoders.causal_spec import PREFIX, CausalSpec
from graphrouter.encoders.joined import PLUS, JoinedEncoder
from graphrouter.encoders.log_vectors import GivenVectors, LogVectors
from graphrouter.encoders.sentence import DEFAULT_MODEL, SentenceEncoder
from graphrouter.encoders.tfidf import TfidfEncoder
from graphrouter.errors import UserError, first_line

if TYPE_CHECKING:
    from graphrouter.log import LLMLog

__all__ = [
    "DEFAULT_MODEL",
    "CausalEncoder",
    "Encoder",
    "GivenVectors",
    "JoinedEncoder",
    "LogVectors",
    "SentenceEncoder",
    "TfidfEncoder",
    "VectorCache",
    "default_encoder",
    "encoder_of",
    "find_encoder",
    "find_encoders",
    "unit_rows",
]

FORMS = (
    f"tfidf, tfidf:N, log, FILE.npy, the folder of a sentence-transformers model, a hub name such as {DEFAULT_MODEL}, "
    "causal:MODEL:layers=8+16:pooling=mean:tokens=512, or several of text joined by ' + '"
)
EACH = ":layers=each"
HUB_NAME = r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?"


def find_encoder(spec: str, device: str = "auto") -> Encoder:
    """Make the encoder that a text names.

    Args:
        spec: ``tfidf`` or ``tfidf:N`` (N dimensions), ``log`` (vectors that the log brings), ``FILE.npy`` (vectors [Q, D], a row
            for each query of the log, sorted by ``query_id``), the folder of a sentence-transformers model, or its name on the
            hub, optionally ``owner/name@revision``; or ``causal:MODEL``, the hidden states of a causal language model, with
            options behind it, see `graphrouter.encoders.causal_spec.CausalSpec`; or ``A + B``, the vectors of both.
        device: Where a model runs.

    Raises:
        UserError: If the text is none of these.
    """
    if PLUS in spec and not Path(spec).is_dir():
        return JoinedEncoder([find_encoder(part.strip(), device) for part in spec.split(PLUS)])
    if matched := re.fullmatch(r"tfidf(?::(\d+))?", spec):
        return TfidfEncoder(int(matched[1])) if matched[1] else TfidfEncoder()
    if spec == "log":
        return LogVectors()
    if spec.endswith(".npy"):
        return GivenVectors(_read_vectors(Path(spec)))
    if spec.startswith(PREFIX):
        asked = CausalSpec.read(spec)
        if _is_model(asked.model):
            return CausalEncoder(asked, device)
    elif _is_model(spec):
        return SentenceEncoder(spec, device=device)
    raise UserError(f"an encoder must be {FORMS}, but {spec!r} is none (a folder of that name does not exist)")


def find_encoders(spec: str, device: str = "auto") -> list[Encoder]:
    """Make the encoders that a text names: `find_encoder`, but ``causal:MODEL:layers=each`` is one for each layer and pooling.

    Raises:
        UserError: As `find_encoder`.
    """
    if PLUS in spec and not Path(spec).is_dir():
        parts = [find_encoders(part.strip(), device) for part in spec.split(PLUS)]
        return [JoinedEncoder(chosen) for chosen in product(*parts)]
    if spec.startswith(PREFIX) and EACH in spec:
        made = find_encoder(spec.replace(EACH, "", 1), device)
        assert isinstance(made, CausalEncoder)
        return list(made.variants())
    return [find_encoder(spec, device)]


def _is_model(name: str) -> bool:
    return bool((name and Path(name).is_dir()) or re.fullmatch(HUB_NAME, name))


def _read_vectors(file: Path) -> np.ndarray:
    try:
        vectors: np.ndarray = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{file} must be an array of numbers that NumPy saved, but: {first_line(error)}") from None
    return vectors


def default_encoder(log: LLMLog) -> str:
    """Return the spec of the encoder for a log where none is named.

    The text of a simulated log means nothing to a language model, so it gets ``tfidf``; a recorded log gets the one that
    its ``log.json`` names, or MiniLM.
    """
    return "tfidf" if log.simulated else log.encoder or DEFAULT_MODEL


def encoder_of(log: LLMLog, encoder: str | Encoder | np.ndarray | None = None, device: str = "auto") -> Encoder:
    """Return an encoder for a log that nothing else fits or changes.

    Args:
        log: Names its default, see `default_encoder`.
        encoder: Its name, see `find_encoder`; an encoder, which is copied; an array of vectors [Q, D] in the order of
            ``log.queries``; or None for the default.
        device: Where a model runs.

    Raises:
        UserError: If it is none of these.
    """
    if encoder is None or isinstance(encoder, str):
        return find_encoder(encoder or default_encoder(log), device)
    if isinstance(encoder, Encoder):
        return copy(encoder)
    if isinstance(encoder, np.ndarray):
        return GivenVectors(encoder)
    raise UserError(
        f"an encoder must be a name, an Encoder or an array of vectors, but is a {type(encoder).__name__}; names: {FORMS}"
    )
