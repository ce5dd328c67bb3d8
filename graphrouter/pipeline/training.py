"""A log -> a fitted pipeline."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from graphrouter.config import hyperparameters, router_of
from graphrouter.dataset import RoutingData, llm_texts
from graphrouter.encoders import Encoder, encoder_of
from graphrouter.errors import UserError
from graphrouter.identity import digest_of, log_digest
from graphrouter.log import LLMLog, check_log
from graphrouter.pipeline.routing import LLM_COLUMNS, RoutingPipeline
from graphrouter.routers.base import Router
from graphrouter.run import RunOptions
from graphrouter.scenario import fit_cost_scale
from graphrouter.splits import Split, by_query, query_groups


def train(
    log: LLMLog,
    router: str | Router,
    encoder: str | Encoder | np.ndarray | None = None,
    seed: int = 0,
    split: Split | None = None,
    run: RunOptions | None = None,
    target: str = "performance",
) -> RoutingPipeline:
    """Fit an encoder and a router on a log.

    Args:
        log: With two LLMs or more.
        router: Its name, or a router with its hyperparameters; it is copied.
        encoder: Its name, see `graphrouter.encoders.find_encoder`; an encoder, which is copied; or an array of vectors
            [Q, D] in the order of ``log.queries``. None for `graphrouter.encoders.default_encoder`.
        seed: Of the split and of the router.
        split: Rows for train and validation; None for `graphrouter.splits.by_query`. The test rows are not looked at.
        run: Where and how to run.
        target: The column of the log that counts as performance: ``performance`` or ``judge_score``.

    Raises:
        UserError: If the log, the router or the encoder does not do.
    """
    run = run or RunOptions()
    check_log(log)
    chosen = replace(router_of(router), seed=seed)
    _check(log, chosen)
    log = log.with_target(target)
    split = split or by_query(log, seed)
    fitted = encoder_of(log, encoder, run.device)
    chosen.run = replace(run, inputs=_inputs(log, chosen, fitted, split)) if run.checkpoint else run
    data = routing_data(log, fitted, split, progress=run.progress)
    part, validation = data.take(split.train), data.take(split.validation)
    scale = fit_cost_scale(part.cost)
    return as_pipeline(chosen.fit(part, validation), fitted, log, part, validation, scale, target)


def as_pipeline(
    router: Router,
    encoder: Encoder,
    log: LLMLog,
    train: RoutingData,
    validation: RoutingData,
    cost_scale: float,
    target: str,
) -> RoutingPipeline:
    """Join a fitted router with what it needs to route new queries.

    Args:
        router: Fitted on ``train`` and ``validation``; its seed is the pipeline's.
        encoder: That made their vectors.
        log: What they were taken from; it may have more LLMs.
        train: What was learnt from.
        validation: What training was stopped or tuned on.
        cost_scale: Dollars of a normalised cost of 1.
        target: The column of the log that counts as performance.
    """
    llms = log.llms.filter(log.llms["llm"].is_in(list(train.llms.names)))
    return RoutingPipeline(
        router=router,
        encoder=encoder,
        dimensions=train.queries.vectors.shape[1],
        llms=llms.select(LLM_COLUMNS).to_dicts(),
        tasks=sorted({task for task in train.queries.tasks if task is not None}),
        cost_scale=cost_scale,
        seen_groups=np.unique(np.concatenate([train.queries.groups, validation.queries.groups])),
        log={"name": log.name, "simulated": log.simulated, "cost_estimated": log.cost_estimated},
        target=target,
        seed=router.seed,
    )


def routing_data(log: LLMLog, encoder: Encoder, split: Split, progress: bool = False) -> RoutingData:
    """Fit the encoder on the training queries, and return the whole log as routers see it, in the log's row order."""
    texts = log.queries["query"].to_list()
    encoder.fit([texts[row] for row in split.train])
    vectors = encoder.encode_log(log, llm_texts(log), progress=progress)
    return RoutingData.from_log(log, *vectors, query_groups(texts))


def _inputs(log: LLMLog, router: Router, encoder: Encoder, split: Split) -> str:
    """Identify what is learnt from, and by what, before anything is computed."""
    parts = (split.train, split.validation)
    said = [log_digest(log), encoder.given(log), digest_of(*parts), router.name, repr(hyperparameters(router))]
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
