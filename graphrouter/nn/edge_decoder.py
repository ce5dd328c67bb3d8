"""Messages and node states -> logit of success and log of the output cost of every (query, LLM) edge."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from graphrouter.graph import NEW
from graphrouter.members import MemberLinear
from graphrouter.nn.edge_head import EdgeHead, EdgeInputs
from graphrouter.nn.messages import MessageOptions, operators

TERMS = ("prior", "neighbours", "difficulty", "bilinear")
LLM_FEATURES = ("learned", "description")
LLM_SCALE = 0.1
"""Standard deviation of LLM states before training: with it they tell LLMs apart, and the bilinear term starts small."""


@dataclass(frozen=True)
class DecoderSizes:
    """Sizes and parts of an `EdgeDecoder`.

    Attributes:
        inputs: D.
        llms: M.
        tasks: T.
        channels: H, 0 where no neighbours send messages.
        history: Width of an LLM's history, 0 where queries send LLMs no messages.
        members: E networks, trained side by side; their spread tells how sure a prediction is.
        rank: Width of LLM states.
        hidden: Width of query states.
        dropout: On the query's vector and state.
        relations: Names; those from LLMs to queries have an operator here.
        terms: Terms that are added up, of the four.
        llm_features: Parts of :math:`e_m`: ``learned``, a free vector of the LLM; ``description``, a projection of the vector of its
            description. With neither it is zero.
        description: Width of the descriptions' vectors, which go into the buffer ``description`` [M, width].
    """

    inputs: int
    llms: int
    tasks: int
    channels: int
    history: int
    members: int
    rank: int
    hidden: int
    dropout: float
    relations: list[str]
    terms: list[str]
    llm_features: list[str]
    description: int = 0


class EdgeDecoder(nn.Module):
    r"""E small networks that add up four terms of a logit, for all M LLMs of a query at once.

    .. math::
        z_{qm} = \underbrace{(a + a_q)\,\mathrm{logit}\,\mu_{tm}}_{\text{prior}}
               + \underbrace{\sum_h (g_h + g_{qh})\,(r_{qhm} - \bar r_{qh})}_{\text{neighbours}}
               + \underbrace{s_m \Big(d_q + \sum_h c_h \bar r_{qh}\Big)}_{\text{difficulty}}
               + \underbrace{v_q \cdot (e_m + W h_m)}_{\text{bilinear}}

    :math:`\mu` and :math:`r` are the messages over ``belongs_to`` and ``similar_to`` (the latter as logits, by their slope at
    one half), :math:`h_m` those over ``answered_by``, :math:`\bar r` the mean over LLMs; `EdgeHead` has the weights without q. The query's
    :math:`(a_q, g_q, d_q, v_q)` come from its vector, its task's state, :math:`\bar r_q` and, over ``rev_answered_by``, the LLM
    states :math:`e_m` weighted by how the neighbours' outcomes differ. All of them start at zero, so an untrained network
    predicts the shrunk messages: what it adds is earned by data.
    """

    def __init__(self, sizes: DecoderSizes) -> None:
        super().__init__()
        self.description: Tensor
        self.sizes = sizes
        members, rank, hidden, channels = sizes.members, sizes.rank, sizes.hidden, sizes.channels
        if "learned" in sizes.llm_features:
            self.llm = nn.Parameter(LLM_SCALE * torch.randn(members, sizes.llms, rank))
        self.task = nn.Parameter(torch.zeros(members, sizes.tasks + 1, hidden))
        self.head = EdgeHead(members, sizes.llms, channels)
        self.from_llms = operators(sizes.relations, "llm", NEW, MessageOptions((), 1.0, 0.0))
        self.query = MemberLinear(members, sizes.inputs, hidden)
        self.state = MemberLinear(members, hidden + channels * (rank * len(self.from_llms) + 1), hidden)
        self.own = MemberLinear(members, hidden, rank + channels + 2, zero=True)
        if sizes.history:
            # A product of two zeros never learns: where LLMs have no features, their history must not start at zero too.
            self.from_history = MemberLinear(members, sizes.history, rank, zero=bool(sizes.llm_features))
        self.dropout = nn.Dropout(sizes.dropout)
        self.amount_query = nn.Linear(sizes.inputs, 1)
        nn.init.zeros_(self.amount_query.weight)
        nn.init.zeros_(self.amount_query.bias)
        if "description" in sizes.llm_features:
            self.register_buffer("description", torch.zeros(sizes.llms, sizes.description))
            self.describe = MemberLinear(members, sizes.description, rank)

    def llm_states(self) -> Tensor:
        """Return e, [E, M, rank]."""
        states = self.task.new_zeros(self.sizes.members, self.sizes.llms, self.sizes.rank)
        if "learned" in self.sizes.llm_features:
            states = states + self.llm
        if "description" in self.sizes.llm_features:
            states = states + self.describe(self.description.expand(self.sizes.members, -1, -1))
        return states

    def forward(self, batch: EdgeInputs, history: Tensor) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            batch: Inputs of B queries.
            history: [F, M, D], the LLMs' history without each fold.

        Returns:
            Logits [E, B, M] and logarithms of expected output costs [B, M].
        """
        mean, contrast = batch.logit_residuals()
        llms, head, terms = self.llm_states(), self.head, self.sizes.terms
        scale, gate, difficulty, vector = self._query_state(batch, mean, contrast, llms)
        logits = torch.zeros(self.sizes.members, *batch.prior.shape, device=mean.device)
        if "prior" in terms:
            logits = logits + head.prior(batch.prior, scale)
        if "neighbours" in terms:
            logits = logits + head.neighbours(contrast, gate)
        if "difficulty" in terms:
            logits = logits + head.difficulty(mean, difficulty)
        if "bilinear" in terms:
            logits = logits + self._bilinear(vector, batch.fold, history, llms)
        return logits, head.log_output_cost(batch.cost_prior, batch.cost_residual, self.amount_query(batch.x))

    def _query_state(
        self, batch: EdgeInputs, mean: Tensor, contrast: Tensor, llms: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        members = self.sizes.members
        from_llms = [conv(contrast, llms) for conv in self.from_llms.values()]
        vector = self.dropout(batch.x).expand(members, -1, -1)
        state = self.query(vector) + self.task[:, batch.task]
        state = torch.cat([state, *from_llms, mean.expand(members, -1, -1)], dim=2)
        state = self.dropout(functional.gelu(self.state(state)))
        return self.own(state).split([1, self.sizes.channels, 1, self.sizes.rank], dim=2)

    def _bilinear(self, vector: Tensor, fold: Tensor, history: Tensor, llms: Tensor) -> Tensor:
        if not self.sizes.history:
            return vector @ llms.transpose(1, 2)
        folds, count, width = history.shape
        messages = self.from_history(history.view(1, folds * count, width).expand(self.sizes.members, -1, -1))
        states = llms[:, None] + messages.view(self.sizes.members, folds, count, self.sizes.rank)
        if folds == 1:
            return vector @ states[:, 0].transpose(1, 2)
        return torch.einsum("ebr,ebmr->ebm", vector, states[:, fold])
