"""Expectations and observed outcomes -> posterior of the true quality of every (query, LLM) edge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from graphrouter.typing import Array

NODES = 11
"""Gauss-Hermite nodes of the integral over how easy a query is. Not tuned."""
CELL_NODES = 15
"""Gauss-Hermite nodes of the integral over what is particular to a cell. Not tuned."""
ROUNDS = 5
"""Rounds of fitting the parameters, and then the spread of the effects that they show. Not tuned."""
STEPS = 20
"""Steps of L-BFGS in each round, at most; see `TOLERANCE`."""
TOLERANCE = 1e-4
"""The fit ends when a step gains less log-likelihood, or moves no parameter by more."""
MOST_QUERIES = 5000
"""Queries that the parameters are fitted on, drawn at random from a larger log; a fifth where a cell has several draws."""
CHUNK = 512
"""Queries whose posterior means are computed at once, to bound the memory."""
MARGIN = 1e-6
"""Least distance of a chance from 0 and 1, and least divisor: logarithms and quotients stay finite."""
EXPECTED_RANGE = (0.005, 0.995)
"""Range of an expectation before it becomes a probit: a prediction of the GNN is no certainty. Not tuned."""
PARTICULAR = 0.5
"""Standard deviation of what is particular to a cell, where no cell has two draws to show it. Not tuned."""
PRIORS = {
    "task": (0.0, 2.0),
    "llm": (0.0, 1.0),
    "llm_in_domain": (0.0, 0.3),
    "llm_in_task": (0.0, 0.3),
    "level": (1.0, 1.0),
    "contrast": (0.0, 0.3),
    "loading": (0.0, 0.5),
    "guess": (-3.0, 1.0),
    "particular": (math.log(PARTICULAR), 1.0),
}
"""Mean and standard deviation of the normal prior of each parameter; see `Parameters`. Not tuned; for `EFFECTS` only
the first round has these, later rounds estimate them."""
EFFECTS = ("llm", "llm_in_domain", "llm_in_task")
"""Parameters whose standard deviation is estimated between rounds, by empirical Bayes."""
EFFECT_RANGE = (0.02, 2.0)
"""Range of an estimated standard deviation, in probits: an effect neither vanishes for good nor is left free."""


class ResponseEdges(NamedTuple):
    """Inputs of the response model for the edges between Q queries and M LLMs, double precision.

    Attributes:
        task: [Q] int64.
        shift: [Q, M] how far the GNN is from the task's mean, in probits.
        spread: [Q, M] how unsure the GNN is, in probits.
        right: [Q, M] sum of the performance over the draws of the cell; 0 where missing.
        draws: [Q, M] their number; 0 where missing.
    """

    task: Tensor
    shift: Tensor
    spread: Tensor
    right: Tensor
    draws: Tensor

    def take(self, rows: Array | slice) -> ResponseEdges:
        """Return these queries only."""
        return ResponseEdges(*(tensor[rows] for tensor in self))

    @property
    def contrast(self) -> Tensor:
        """[Q, M] the part of ``shift`` in which the LLMs differ."""
        return self.shift - self.shift.mean(dim=1, keepdim=True)


def make_edges(
    task: Array, task_mean: Array, quality: Array, spread: Array, performance: Array, draws: Array
) -> ResponseEdges:
    """Turn expectations in (0, 1) and outcomes into `ResponseEdges`; all are [Q, M] but ``task`` [Q]."""
    mean, expected, unsure = (torch.as_tensor(values, dtype=torch.float64) for values in (task_mean, quality, spread))
    graph = ndtri(expected.clamp(*EXPECTED_RANGE))
    density = torch.exp(-(graph**2) / 2) / math.sqrt(2 * math.pi)
    count = torch.as_tensor(draws, dtype=torch.float64)
    right = torch.as_tensor(np.where(draws > 0, performance, 0.0), dtype=torch.float64) * count
    return ResponseEdges(
        torch.as_tensor(task), graph - ndtri(mean.clamp(*EXPECTED_RANGE)), unsure / density, right, count
    )


@dataclass(eq=False)
class Parameters:
    """Parameters of `ResponseModel`, which has the formulas.

    Attributes:
        task: [T, 1] how easy a task is.
        llm: [M] how able an LLM is.
        llm_in_domain: [D, M] what is its own in a group of tasks.
        llm_in_task: [T, M] what is its own in a task.
        level: [] weight of what the GNN says of the query.
        contrast: [] weight of what the GNN says of LLMs on the query.
        loading: [T] logarithm of how far queries of a task differ in ease.
        guess: [T] logit of twice the guess rate.
        particular: [] logarithm of how far cells differ beyond that.
    """

    task: Tensor
    llm: Tensor
    llm_in_domain: Tensor
    llm_in_task: Tensor
    level: Tensor
    contrast: Tensor
    loading: Tensor
    guess: Tensor
    particular: Tensor

    @classmethod
    def start(cls, domains: int, tasks: int, llms: int) -> Self:
        """Return the means of the priors, where the fit starts."""
        shapes = {"task": (tasks, 1), "llm": (llms,), "llm_in_domain": (domains, llms), "llm_in_task": (tasks, llms)}
        shapes |= {"loading": (tasks,), "guess": (tasks,)}
        return cls(*(torch.full(shapes.get(name, ()), PRIORS[name][0], dtype=torch.float64) for name in PRIORS))

    def penalty(self, effects: Mapping[str, float]) -> Tensor:
        """Return minus the logarithm of the priors, up to a constant.

        Args:
            effects: Standard deviations in place of those of `PRIORS`.
        """
        spread = {name: effects.get(name, sd) for name, (_, sd) in PRIORS.items()}
        parts = [(((getattr(self, name) - PRIORS[name][0]) / sd) ** 2).sum() / 2 for name, sd in spread.items()]
        return torch.stack(parts).sum()


@dataclass(eq=False)
class ResponseModel:
    r"""A normal-ogive item response model on top of what other queries tell.

    A draw of LLM m on query q, of task t and domain d, is right with the chance

    .. math::
        p_{qm} = g_t + (1 - g_t)\,\Phi(b_{qm} + \lambda_t \theta_q + \tau \epsilon_{qm}),
        \qquad \theta_q, \epsilon_{qm} \sim N(0, 1).

    :math:`\theta_q` is how easy the query is beyond what its text says; all LLMs' outcomes on it tell of that.
    :math:`\epsilon_{qm}` is what is particular to this LLM on this query, and :math:`g_t` the chance to be right by
    guessing. The factor in :math:`b_{qm} = \sqrt{1 + \lambda_t^2 + \tau^2}\; f_{qm}` keeps :math:`\Phi(f_{qm})` the mean over
    queries, guesses aside. It is expected without the query's own outcomes:

    .. math::
        f_{qm} = a_t + \beta_m + \gamma_{dm} + \delta_{tm} + w_1 \bar s_q
                 + w_2 \frac{S}{S + v_{qm}} (s_{qm} - \bar s_q)

    Effects of LLMs shrink from task to domain to LLM, as far as their own spread says (empirical Bayes), which makes them
    surer than plain means of tasks. :math:`s` is how
    far the GNN is from the task's mean, :math:`\bar s` its mean over LLMs, :math:`v` the variance over the GNN's
    ensemble, and :math:`S` the mean square of the contrasts :math:`s - \bar s`. The best of several noisy predictions is
    too often a lucky one, so :math:`w_2` starts from a sceptical prior at 0 that a GNN overcomes by its likelihood.

    All LLMs share the loading :math:`\lambda_t`. With a single draw per cell, an LLM that agrees less with the others may
    be less steady, or right for reasons of its own; only repeated draws could tell, and loadings of their own would
    rank by that guess.

    Parameters have the maximum of the marginal likelihood times weak normal priors (`PRIORS`); :math:`\tau` is fitted
    only where a cell has several draws. Integrals are Gauss-Hermite sums. A graded performance counts as that part of
    a success.

    Source: Lord and Novick, Statistical Theories of Mental Test Scores, 1968, chapters 16 and 17 (normal ogive,
    guessing); Bock and Aitkin, Psychometrika 46, 1981 (marginal maximum likelihood).

    Attributes:
        domain_of: [T] int64, the domain of each task.
        seed: Seed of the choice of queries to fit on.
    """

    domain_of: Array
    seed: int = 0

    def fit(self, edges: ResponseEdges) -> Self:
        """Fit the parameters to the outcomes of Q queries."""
        single = bool((edges.draws <= 1).all())
        most = MOST_QUERIES if single else MOST_QUERIES // 5
        edges = edges.take(np.sort(np.random.default_rng(self.seed).permutation(len(edges.task))[:most]))
        tasks, llms = len(self.domain_of), edges.shift.shape[1]
        self.parameters = Parameters.start(int(self.domain_of.max()) + 1, tasks, llms)
        self.signal = float((edges.contrast**2).mean())
        names = [one.name for one in fields(Parameters) if not (single and one.name == "particular")]
        known = [getattr(self.parameters, name) for name in names]
        self.effects = {name: PRIORS[name][1] for name in EFFECTS}
        for _ in range(ROUNDS):
            self._climb(edges, known, single)
            self.effects = {name: self._effect_spread(edges, name) for name in EFFECTS}
        return self

    def _climb(self, edges: ResponseEdges, known: list[Tensor], single: bool) -> None:
        """Go on to the maximum for the spreads of the effects as they are."""
        optimiser = torch.optim.LBFGS(known, max_iter=STEPS, tolerance_change=TOLERANCE, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            likelihood = torch.logsumexp(self._joint(edges, single), dim=1).sum()
            total = self.parameters.penalty(self.effects) - likelihood
            total.backward()  # type: ignore[no-untyped-call]
            return total

        for value in known:
            value.requires_grad_()
        optimiser.step(loss)  # type: ignore[no-untyped-call]
        for value in known:
            value.requires_grad_(False)

    def _effect_spread(self, edges: ResponseEdges, name: str) -> float:
        """Return the standard deviation of a kind of effect: their squares, over the number that the data determine.

        MacKay, Bayesian interpolation, Neural Computation 4, 1992, with a diagonal Hessian: the Fisher information of
        the outcomes, each on its own.
        """
        expected = self._expectation(edges)
        chance = ndtr(expected).clamp(MARGIN, 1 - MARGIN)
        density = torch.exp(-(expected**2) / 2) / math.sqrt(2 * math.pi)
        known = density**2 / (chance * (1 - chance)) * edges.draws
        tasks = torch.as_tensor(self.domain_of)
        place = {"llm": torch.zeros_like(edges.task), "llm_in_domain": tasks[edges.task], "llm_in_task": edges.task}
        value = getattr(self.parameters, name)
        value = value.expand(1, -1) if value.dim() == 1 else value
        information = torch.zeros_like(value).index_add(0, place[name], known)
        determined = (information / (information + self.effects[name] ** -2)).sum()
        spread = float(torch.sqrt((value**2).sum() / determined.clamp(min=MARGIN)))
        return min(max(spread, EFFECT_RANGE[0]), EFFECT_RANGE[1])

    def posterior(self, edges: ResponseEdges, own: bool = True) -> Array:
        """Return [Q, M], the expected :math:`p` given the outcomes of the query.

        Args:
            edges: Edges of Q queries that the parameters need not have seen.
            own: Whether the outcome of the cell itself counts, or only those of the other LLMs.
        """
        with torch.inference_mode():
            starts = range(0, len(edges.task), CHUNK)
            return torch.cat([self._mean(edges.take(slice(start, start + CHUNK)), own) for start in starts]).numpy()

    def guess_rate(self) -> Array:
        """Return [T], the chance to be right by guessing."""
        return (0.5 * torch.sigmoid(self.parameters.guess)).numpy()

    def _mean(self, edges: ResponseEdges, own: bool) -> Tensor:
        """Return E[p] [B, M]: the cell's mean at every ease, weighted by the posterior of the ease."""
        chance, logs = self._cells(edges, CELL_NODES)
        weight = _nodes(CELL_NODES)[1]
        cell = torch.exp(logs - logs.max(dim=3, keepdim=True).values) * weight if own else weight.expand_as(logs)
        mean = (cell * chance).sum(dim=3) / cell.sum(dim=3)
        given = torch.logsumexp(logs + weight.log(), dim=3)
        joint = given.sum(dim=2, keepdim=True) + _nodes(NODES)[1].log()[:, None]
        return (torch.softmax(joint if own else joint - given, dim=1) * mean).sum(dim=1)

    def _joint(self, edges: ResponseEdges, single: bool) -> Tensor:
        """Return [B, K]: the logarithm of likelihood times prior at every ease.

        With a single draw per cell the integral over what is particular to it is known, and needs no nodes.
        """
        if single:
            given = self._cells(edges, None)[1][..., 0]
        else:
            given = torch.logsumexp(self._cells(edges, CELL_NODES)[1] + _nodes(CELL_NODES)[1].log(), dim=3)
        return given.sum(dim=2) + _nodes(NODES)[1].log()

    def _cells(self, edges: ResponseEdges, nodes: int | None) -> tuple[Tensor, Tensor]:
        """Return the chance and the log-likelihood [B, K, M, J] at every ease and every particular.

        Without a number of nodes J is 1, and the chance is the mean over what is particular.
        """
        loading, tau = self.parameters.loading.exp()[edges.task][:, None, None], self.parameters.particular.exp()
        guess = 0.5 * torch.sigmoid(self.parameters.guess)[edges.task][:, None, None, None]
        base = torch.sqrt(1 + loading**2 + tau**2) * self._expectation(edges)[:, None]
        z = (base + loading * _nodes(NODES)[0][:, None])[..., None]
        z = z / torch.sqrt(1 + tau**2) if nodes is None else z + tau * _nodes(nodes)[0]
        chance = (guess + (1 - guess) * ndtr(z)).clamp(MARGIN, 1 - MARGIN)
        right, wrong = edges.right[:, None, :, None], (edges.draws - edges.right)[:, None, :, None]
        return chance, right * chance.log() + wrong * torch.log1p(-chance)

    def _expectation(self, edges: ResponseEdges) -> Tensor:
        """Return f [B, M]."""
        mine = self.parameters
        effect = (mine.task + mine.llm + mine.llm_in_domain[self.domain_of] + mine.llm_in_task)[edges.task]
        sure = self.signal / (self.signal + edges.spread**2 + MARGIN)
        return effect + mine.level * edges.shift.mean(dim=1, keepdim=True) + mine.contrast * sure * edges.contrast


def _nodes(count: int) -> tuple[Tensor, Tensor]:
    """Return the nodes and weights [count] of a standard normal distribution."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return torch.as_tensor(nodes), torch.as_tensor(weights / weights.sum())
