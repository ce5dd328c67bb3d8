"""Messages and node states -> logit of success and log-amount of output of every (query, LLM) edge."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

TERMS = ("prior", "neighbours", "difficulty", "bilinear")
LLM_FEATURES = ("learned", "description")
PRIOR_RANGE = (0.01, 0.99)
GATE = 0.1
"""What the weights of the H kernel widths add up to before training."""
SMALLEST_AMOUNT = 0.02
AMOUNT_RANGE = 2.0
"""How far, in logarithms, an amount can be from what the task expects."""
LOGIT_PER_RESIDUAL = 4.0
"""Slope of the logit at one half: turns a difference of probabilities into one of logits."""


class EdgeInputs(NamedTuple):
    """What the decoder reads of B queries.

    Attributes:
        x: [B, D] vector and features of the length.
        task: [B] int64, T where unknown.
        fold: [B] int64, which history may be seen.
        prior: [B, M] expected performance.
        residual: [B, H, M] residual performance of the neighbours.
        amount_prior: [B, M] expected amount of output, relative to the LLM's mean.
        amount_residual: [B, H, M] residual amount of the neighbours.
    """

    x: Tensor
    task: Tensor
    fold: Tensor
    prior: Tensor
    residual: Tensor
    amount_prior: Tensor
    amount_residual: Tensor

    def take(self, rows: Tensor | slice) -> EdgeInputs:
        """Return these queries only."""
        return EdgeInputs(*(tensor[rows] for tensor in self))


class MemberLinear(nn.Module):
    """A linear layer of each of E members: [E, B, inputs] -> [E, B, outputs]."""

    def __init__(self, members: int, inputs: int, outputs: int, *, zero: bool = False) -> None:
        super().__init__()
        bound = 0.0 if zero else 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Apply every member's layer."""
        return torch.baddbmm(self.bias, x, self.weight)


class EdgeDecoder(nn.Module):
    r"""E small networks that add up four terms of a logit, for all M LLMs of a query at once.

    .. math::
        z_{qm} = \underbrace{(a + a_q)\,\mathrm{logit}\,\mu_{tm}}_{\text{prior}}
               + \underbrace{\sum_h (g_h + g_{qh})\,(r_{qhm} - \bar r_{qh})}_{\text{neighbours}}
               + \underbrace{s_m \Big(d_q + \sum_h c_h \bar r_{qh}\Big)}_{\text{difficulty}}
               + \underbrace{v_q \cdot (e_m + W h_m)}_{\text{bilinear}}

    :math:`\mu` and :math:`r` are the messages over ``belongs_to`` and ``similar_to`` (the latter as logits, by their slope at
    one half), :math:`h_m` those over ``answered_by``, :math:`\bar r` the mean over LLMs. The query's
    :math:`(a_q, g_q, d_q, v_q)` come from its vector, its task's state, :math:`\bar r_q` and, over ``rev_answered_by``, the LLM
    states :math:`e_m` weighted by how the neighbours' outcomes differ. All of them start at zero, so an untrained network
    predicts the shrunk messages: what it adds is earned by data.

    Members share the weights that tell the amount of output, from messages of its own, :math:`\mu'` and :math:`r'`:

    .. math::
        \log y_{qm} = \log \mu'_{tm} + \sigma\Big(\sum_h g'_h \, r'_{qhm} / \mu'_{tm} + b_m + u \cdot x_q\Big),
        \qquad \sigma(z) = c \tanh(z / c)

    Args:
        inputs: D.
        llms: M.
        tasks: T.
        scales: H.
        members: E networks, trained side by side; their spread tells how sure a prediction is.
        rank: Width of LLM states.
        hidden: Width of query states.
        dropout: On the query's vector and state.
        history: Width of :math:`h_m`.
        terms: Which of the four terms are added up.
        llm_to_query: Whether LLM states flow to the query (``rev_answered_by``).
        llm_features: What :math:`e_m` adds up: ``learned``, a free vector of the LLM; ``description``, a projection of the vector of
            its description. With neither it is zero.
        description: Width of the descriptions' vectors, which go into the buffer ``description`` [M, width].
    """

    def __init__(
        self,
        *,
        inputs: int,
        llms: int,
        tasks: int,
        scales: int,
        members: int,
        rank: int,
        hidden: int,
        dropout: float,
        history: int,
        terms: tuple[str, ...] | list[str] = TERMS,
        llm_to_query: bool = True,
        llm_features: tuple[str, ...] | list[str] = ("learned",),
        description: int = 0,
    ) -> None:
        super().__init__()
        self.description: Tensor
        self.members, self.llm_features = members, tuple(llm_features)
        self.terms, self.rank, self.scales, self.llm_to_query = tuple(terms), rank, scales, llm_to_query
        if "learned" in self.llm_features:
            self.llm = nn.Parameter(0.1 * torch.randn(members, llms, rank))
        self.task = nn.Parameter(torch.zeros(members, tasks + 1, hidden))
        self.query = MemberLinear(members, inputs, hidden)
        self.state = MemberLinear(members, hidden + scales * (rank + 1), hidden)
        self.head = MemberLinear(members, hidden, rank + scales + 2, zero=True)
        # A product of two zeros never learns: where LLMs have no features, their history must not start at zero too.
        self.from_history = MemberLinear(members, history, rank, zero=bool(llm_features))
        self.dropout = nn.Dropout(dropout)
        self.prior_scale = nn.Parameter(torch.ones(members, 1, 1))
        self.gate = nn.Parameter(torch.full((members, 1, scales), GATE / scales))
        self.common = nn.Parameter(torch.full((members, 1, scales), GATE / scales))
        self.discrimination = nn.Parameter(torch.ones(members, 1, llms))
        self.amount_gate = nn.Parameter(torch.full((scales,), GATE / scales))
        self.amount_bias = nn.Parameter(torch.zeros(llms))
        self.amount_query = nn.Linear(inputs, 1)
        nn.init.zeros_(self.amount_query.weight)
        nn.init.zeros_(self.amount_query.bias)
        if "description" in self.llm_features:
            self.register_buffer("description", torch.zeros(llms, description))
            self.describe = MemberLinear(members, description, rank)

    def llm_states(self) -> Tensor:
        """Return e, [E, M, rank]."""
        states = self.discrimination.new_zeros(self.members, self.discrimination.shape[2], self.rank)
        if "learned" in self.llm_features:
            states = states + self.llm
        if "description" in self.llm_features:
            states = states + self.describe(self.description.expand(self.members, -1, -1))
        return states

    def fast_parameters(self) -> list[nn.Parameter]:
        """Return the few global weights, which learn faster than the networks and do not decay."""
        names = ("prior_scale", "gate", "common", "discrimination", "amount_gate", "amount_bias")
        return [getattr(self, name) for name in names]

    def forward(self, batch: EdgeInputs, history: Tensor) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            batch: Of B queries.
            history: [F, M, D], the LLMs' history without each fold.

        Returns:
            Logits [E, B, M] and logarithms of expected amounts [B, M].
        """
        residual = LOGIT_PER_RESIDUAL * batch.residual
        mean = residual.mean(dim=2)
        contrast = residual - mean[:, :, None]
        llms = self.llm_states()
        scale, gate, difficulty, vector = self._query_state(batch, mean, contrast, llms)
        logits = torch.zeros(self.members, *batch.prior.shape, device=residual.device)
        if "prior" in self.terms:
            logits = logits + (self.prior_scale + scale) * torch.logit(batch.prior.clamp(*PRIOR_RANGE))
        if "neighbours" in self.terms:
            logits = logits + torch.einsum("ebh,bhm->ebm", self.gate + gate, contrast)
        if "difficulty" in self.terms:
            logits = logits + self.discrimination * (difficulty + (self.common * mean).sum(dim=2, keepdim=True))
        if "bilinear" in self.terms:
            logits = logits + self._bilinear(vector, batch.fold, history, llms)
        return logits, self._amount(batch)

    def _query_state(
        self, batch: EdgeInputs, mean: Tensor, contrast: Tensor, llms: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        members = self.members
        from_llms = torch.einsum("bhm,emr->ebhr", contrast, llms).flatten(2) * (10 / contrast.shape[2])
        if not self.llm_to_query:
            from_llms = torch.zeros_like(from_llms)
        vector = self.dropout(batch.x).expand(members, -1, -1)
        state = self.query(vector) + self.task[:, batch.task]
        state = torch.cat([state, from_llms, mean.expand(members, -1, -1)], dim=2)
        state = self.dropout(functional.gelu(self.state(state)))
        return self.head(state).split([1, self.scales, 1, self.rank], dim=2)

    def _bilinear(self, vector: Tensor, fold: Tensor, history: Tensor, llms: Tensor) -> Tensor:
        folds, count, width = history.shape
        told = self.from_history(history.view(1, folds * count, width).expand(self.members, -1, -1))
        states = llms[:, None] + told.view(self.members, folds, count, self.rank)
        if folds == 1:
            return vector @ states[:, 0].transpose(1, 2)
        return torch.einsum("ebr,ebmr->ebm", vector, states[:, fold])

    def _amount(self, batch: EdgeInputs) -> Tensor:
        prior = batch.amount_prior.clamp(min=SMALLEST_AMOUNT)
        neighbours = torch.einsum("h,bhm->bm", self.amount_gate, batch.amount_residual) / prior
        shift = neighbours + self.amount_bias + self.amount_query(batch.x)
        return prior.log() + AMOUNT_RANGE * torch.tanh(shift / AMOUNT_RANGE)
