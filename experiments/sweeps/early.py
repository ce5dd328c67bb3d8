"""``early_terminate: {type: hyperband}`` of a sweep file, by Optuna's successive halving (Li et al., 2018, arXiv:1810.05934).

Runs are compared after evaluations min_iter, min_iter * eta, min_iter * eta**2, ..., counted from 0, of which there is one in
every `graphrouter.training.EVERY` steps; with ``max_iter`` and ``s`` min_iter is max_iter / eta**s. W&B's rule (https://docs.wandb.ai/models/sweeps/sweep-config-keys) differs in that it lets
one run more go on (rank floor(n / eta) of n, here the best floor(n / eta) or the best one), and in that it takes an eta
that is not whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphrouter.errors import UserError
from graphrouter.ranges import COUNT, Allowed, Range, check_fields
from graphrouter.settings import check


@dataclass(frozen=True)
class Halving:
    """When to stop.

    Attributes:
        least: First evaluation, counted from 0, after which a run is compared; then after ``least * eta``, and so on.
        eta: The best 1/eta of the runs that came so far go on.
        strict: Whether the loss at the evaluation counts, else the lowest loss up to it.
    """

    least: int
    eta: int = 3
    strict: bool = False


@dataclass
class HyperbandKeys:
    """Keys of ``early_terminate``, as W&B has them."""

    type: str = ""
    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: int = 3
    strict: bool = False


def read_hyperband(given: Any, where: str) -> Halving:
    """Read ``early_terminate`` of a sweep file.

    Raises:
        UserError: If it is not as W&B's format wants it.
    """
    where = f"{where}: early_terminate"
    if not isinstance(given, dict):
        raise UserError(f"{where} must be a mapping, as in {{type: hyperband, min_iter: 3}}, but is {given!r}")
    keys = HyperbandKeys(**check(HyperbandKeys, given, where))
    allowed: dict[str, Allowed] = {
        "type": ("hyperband",),
        "min_iter": COUNT,
        "max_iter": COUNT,
        "s": COUNT,
        "eta": Range(2),
    }
    check_fields(keys, allowed, f"{where}.")
    if (keys.min_iter is None) == (keys.max_iter is None) or (keys.max_iter is None) != (keys.s is None):
        raise UserError(f"{where} must have either min_iter alone, or max_iter with s, but is {given!r}")
    least = keys.min_iter or 0
    if keys.max_iter is not None and keys.s is not None:  # the lowest bracket at evaluation 1 or later
        most, eta = keys.max_iter, keys.eta
        least = next((most // eta**place for place in range(min(keys.s, 64), 0, -1) if most >= eta**place), 0)
    if not least:
        raise UserError(f"{where} must have a bracket at evaluation 1 or later, but {given!r} has none")
    return Halving(least, keys.eta, keys.strict)
