"""The ranking ``graph``: the posterior of the true quality of every edge, given what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fusion.ranking.crossfit import Prior, cross_fit
from fusion.ranking.response_model import ResponseEdges, ResponseModel, make_edges
from graphrouter.dataset import RoutingData
from graphrouter.log import LLMLog
from graphrouter.typing import Array


def graph_posterior(
    data: RoutingData,
    domains: Mapping[str, str],
    *,
    folds: int,
    seed: int,
    gnn: Mapping[str, Any] | None = None,
    device: str = "auto",
    progress: bool = False,
) -> Array:
    """Return [Q, M], the expected true quality of every edge.

    A query's prior comes from a GNN, a task's mean and a response model that were fitted without the query's fold; its own
    outcomes are seen once, as evidence. For the first stage, the GNN and the task's mean, this holds strictly. The response
    model is fitted on the priors of the other folds, and those come from GNNs that were trained with this fold's outcomes,
    too: the usual stacking, which is not nested. What of a query's outcomes reaches its prior in this way are the few
    numbers of the response model that all queries share; nesting would fit folds times as many GNNs.

    Args:
        data: Q queries, M LLMs.
        domains: The group of each task; a task that is not named is its own.
        folds: Number of folds, see `fusion.ranking.crossfit.cross_fit`.
        seed: Seed of folds and GNNs.
        gnn: Hyperparameters.
        device: Device to train on.
        progress: Whether to show a bar.
    """
    prior = cross_fit(data, folds, seed, gnn, device, progress)
    return posterior_of(data, prior, domains, seed)


def posterior_of(data: RoutingData, prior: Prior, domains: Mapping[str, str], seed: int) -> Array:
    """Return [Q, M], the posterior from a cross-fitted prior; the response model is fitted on the edges of other folds.

    Their priors may come from GNNs that saw the outcomes of this one; see `graph_posterior`.
    """
    edges, domain_of = _edges(data, prior, domains)
    posterior = np.empty(data.performance.shape)
    for part in np.unique(prior.fold):
        model = ResponseModel(domain_of, seed).fit(edges.take(np.flatnonzero(prior.fold != part)))
        own = np.flatnonzero(prior.fold == part)
        posterior[own] = model.posterior(edges.take(own))
    return posterior


def _edges(data: RoutingData, prior: Prior, domains: Mapping[str, str]) -> tuple[ResponseEdges, Array]:
    """Return the edges, and the domain [T] of each task. Queries without a task share one of their own."""
    names = [task or "" for task in data.queries.tasks]
    tasks, task = np.unique(np.array(names), return_inverse=True)
    groups = [f"domain {domains[name]}" if name in domains else f"task {name}" for name in tasks]
    _, domain_of = np.unique(np.array(groups), return_inverse=True)
    return make_edges(task, prior.task_mean, prior.quality, prior.spread, data.performance, data.draws), domain_of


def domains_of(log: LLMLog) -> dict[str, str]:
    """Return the domain of each task that has one."""
    known = log.queries.select("task", "domain").drop_nulls().sort("task", "domain").unique("task", keep="first")
    return dict(known.iter_rows())
