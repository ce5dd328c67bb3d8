"""A log -> a fitted pipeline."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from graphrouter.config import hyperparameters, router_of
from graphrouter.encoders import Encoder
from graphrouter.errors import UserError
from graphrouter.log import LLMLog, LogLike
from graphrouter.pipeline.routing import LLM_COLUMNS, RoutingPipeline
from graphrouter.prepared import PreparedLog, prepare
from graphrouter.routers.base import Router
from graphrouter.routers.outside import code_of
from graphrouter.run import RunOptions
from graphrouter.splits import Split, by_query


def train(
    log: LogLike,
    router: str | Router,
    encoder: str | Encoder | np.ndarray | None = None,
    seed: int = 0,
    split: Split | None = None,
    run: RunOptions | None = None,
    target: str = "performance",
) -> RoutingPipeline:
    """Fit an encoder and a router on a log.

    Args:
        log: Log, its name or folder, or a DataFrame (see `graphrouter.log.load_log`), with two LLMs or more.
        router: Name of a router, or one with its hyperparameters; it is copied.
        encoder: Name of an encoder, see `graphrouter.encoders.find_encoder`; an encoder, which is copied; or an array of vectors
            [Q, D] in the order of ``log.queries``. None for `graphrouter.encoders.default_encoder`.
        seed: Seed of the split and of the router.
        split: Rows for train and validation; None for `graphrouter.splits.by_query`. The test rows are not looked at.
        run: Options of the run.
        target: The column of the log that counts as performance: ``performance`` or ``judge_score``.

    Raises:
        UserError: If the log, the router or the encoder does not do.
    """
    run = run or RunOptions()
    chosen = replace(router_of(router), seed=seed)
    prepared = prepare(
        log, encoder, seed=seed, split=split or by_query, target=target, device=run.device, progress=run.progress
    )
    _check(prepared.log, chosen)
    chosen.run = replace(run, inputs=_inputs(prepared, chosen)) if run.checkpoint else run
    return as_pipeline(chosen.fit(prepared.train, prepared.validation), prepared)


def as_pipeline(router: Router, prepared: PreparedLog) -> RoutingPipeline:
    """Join a fitted router with what it needs to route new queries.

    Args:
        router: Fitted on the train and validation part; its seed is the pipeline's.
        prepared: Log that it was fitted on.
    """
    log, train = prepared.log, prepared.train
    llms = log.llms.filter(log.llms["llm"].is_in(list(train.llms.names)))
    return RoutingPipeline(
        router=router,
        encoder=prepared.fitted,
        dimensions=train.queries.vectors.shape[1],
        llms=llms.select(LLM_COLUMNS).to_dicts(),
        tasks=sorted({task for task in train.queries.tasks if task is not None}),
        cost_scale=prepared.cost_scale,
        seen_groups=_seen_groups(prepared),
        log={"name": log.name, "simulated": log.simulated, "cost_estimated": log.cost_estimated},
        target=prepared.target,
        seed=router.seed,
    )


def _seen_groups(prepared: PreparedLog) -> np.ndarray:
    """Return [n] the text groups that the router or its encoder has seen outcomes of."""
    groups = [prepared.train.queries.groups, prepared.validation.queries.groups]
    if isinstance(prepared.encoder, Encoder):
        groups += [seen.groups for seen in prepared.encoder.seen]
    return np.unique(np.concatenate(groups))


def _inputs(prepared: PreparedLog, router: Router) -> str:
    """Identify what is learnt from, and by what, before anything is computed."""
    said = [prepared.identity, router.name, repr(hyperparameters(router))]
    said += [code] if (code := code_of(type(router))) else []
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _check(log: LLMLog, router: Router) -> None:
    if len(log.llm_names) < 2:
        raise UserError(
            f"{log.name} must have two LLMs or more to route between, but has only {log.llm_names[0]!r}; add another"
        )
    if router.needs_outcomes:
        raise UserError(
            f"{router.name} must see the outcomes that it picks by, so it cannot route new queries; train another router"
        )
