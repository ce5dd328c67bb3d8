"""Encoders compared by what routers make of their vectors on validation queries, to choose a layer, a pooling or a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphrouter.config import router_of
from graphrouter.encoders import Encoder
from graphrouter.errors import UserError
from graphrouter.evaluation.run import fit_router
from graphrouter.log import LogLike, load_log
from graphrouter.markdown import as_text
from graphrouter.prepared import prepare
from graphrouter.routers.base import Router
from graphrouter.run import RunOptions


@dataclass(frozen=True)
class EncoderScore:
    """Likelihood of routers on the vectors of an encoder.

    Attributes:
        encoder: Its spec.
        nll: Negative log-likelihood per edge on validation queries, in nats, by router; the mean over seeds.
    """

    encoder: str
    nll: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean over routers."""
        return float(np.mean(list(self.nll.values())))


def score_encoders(
    log: LogLike,
    encoders: Sequence[str | Encoder],
    routers: Sequence[str | Router] = ("linear", "mlp"),
    *,
    seeds: Sequence[int] = (0,),
    settings: int = 6,
    target: str = "performance",
    run: RunOptions | None = None,
) -> list[EncoderScore]:
    """Fit routers on the vectors of each encoder, and return the encoders, the best first.

    Outcomes of test queries are not looked at. The best of many is flattered by its choice: only a comparison on test
    queries says how good it is.

    Args:
        log: Log, its name or folder, or a DataFrame.
        encoders: Encoders or their names, see `graphrouter.encoders.find_encoder`; each once.
        routers: Routers or their names, with the same number of settings for each encoder.
        seeds: Seeds of splits and routers.
        settings: Most settings of a router that are tried; the best on validation counts.
        target: Column of the log that counts as performance.
        run: Options of the run.

    Raises:
        UserError: If there is no encoder, router or seed, or one of them does not do.
    """
    for name, given in (("encoder", encoders), ("router", routers), ("seed", seeds)):
        if not len(given):
            raise UserError(f"one {name} or more must be given to choose an encoder, but none was")
    run, log = run or RunOptions(), load_log(log)
    tried = [router_of(router) for router in routers]
    scores: dict[str, EncoderScore] = {}
    for encoder in encoders:
        found: dict[str, list[float]] = {router.name: [] for router in tried}
        for seed in seeds:
            prepared = prepare(log, encoder, seed=seed, target=target, device=run.device, progress=run.progress)
            for router in tried:
                fitted = fit_router(router, prepared, settings=settings, run=run)
                found[router.name].append(fitted.about["validation"])
        score = EncoderScore(prepared.encoder_name, {name: float(np.mean(values)) for name, values in found.items()})
        if score.encoder in scores:
            raise UserError(f"every encoder must be named once, but {score.encoder} was named twice")
        scores[score.encoder] = score
    return sorted(scores.values(), key=lambda score: score.mean)


def format_scores(scores: Sequence[EncoderScore]) -> str:
    """Return the scores as a table."""
    names = list(scores[0].nll)
    rows = [["encoder", *names, "mean"]]
    rows += [[score.encoder, *(f"{score.nll[name]:.4f}" for name in names), f"{score.mean:.4f}"] for score in scores]
    return "NLL on validation queries\n" + as_text(rows, left=1)
