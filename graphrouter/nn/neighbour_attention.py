"""Attention of queries over the logged queries that are similar to them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

SCALES = (60.0, 25.0, 10.0, 3.0)
"""Slopes of the heads' scores in the cosine before training, in turn: from few to nearly all neighbours. Those of the smoothing."""
SAME_TASK = 0.7
"""Score of a neighbour of the same task before training: it counts twice as much, as in the smoothing."""
SINK = 2.0
"""Score of asking no neighbour before training: as of seven neighbours that are as near as the nearest. Trained with the rest."""
METRIC_SCALE = 0.2
"""Size of the metric before training, relative to one that keeps lengths: near enough to zero that the cosine decides at first."""


class Neighbours(NamedTuple):
    """The ``similar_to`` edges into B queries, K each.

    Attributes:
        rows: [B, K] int64, which of the N logged queries.
        cosine: [B, K], -inf where there is no such neighbour, or where it must not be seen.
    """

    rows: Tensor
    cosine: Tensor

    def take(self, rows: Tensor | slice) -> Neighbours:
        """Return the edges into some of the queries."""
        return Neighbours(self.rows[rows], self.cosine[rows])

    def hide(self, hidden: Tensor) -> Neighbours:
        """Return the edges without those that are hidden, [B, K] bool."""
        return Neighbours(self.rows, self.cosine.masked_fill(hidden, -torch.inf))


class NeighbourAttention(nn.Module):
    r"""How much each similar query counts, in H heads of E members.

    .. math::
        s_{ij} = \tau (c_{ij} - \max_j c_{ij}) + b \, [t_i = t_j] - \tfrac12 \lVert A x_i + u_{t_i} - A x_j - u_{t_j} \rVert^2,
        \qquad w_{ij} = \frac{e^{s_{ij}}}{e^{s_0} + \sum_j e^{s_{ij}}}

    :math:`c` is the cosine of the frozen vectors, :math:`A` a learned metric on them and :math:`u_t` the place of a task in it.
    :math:`s_0` is the score of asking nobody: where neighbours are far, the weights add up to little.

    Args:
        members: E.
        inputs: D, width of a query's vector.
        tasks: T.
        heads: H.
        metric: Width of a head's metric; with 0 only the frozen cosine and the task tell neighbours apart.
    """

    def __init__(self, members: int, inputs: int, tasks: int, heads: int, metric: int) -> None:
        super().__init__()
        self.tasks, self.heads, self.metric = tasks, heads, metric
        scales = torch.tensor([SCALES[head % len(SCALES)] for head in range(heads)])
        self.scale = nn.Parameter(scales.repeat(members, 1))
        self.same_task = nn.Parameter(torch.full((members, heads), SAME_TASK))
        self.sink = nn.Parameter(torch.full((members, heads), SINK))
        if metric:
            width = heads * metric
            self.project = nn.Parameter(torch.randn(members, inputs, width) * METRIC_SCALE / math.sqrt(inputs))
            self.task = nn.Parameter(torch.zeros(members, tasks + 1, width))

    def forward(self, x: Tensor, task: Tensor, known_x: Tensor, known_task: Tensor, near: Neighbours) -> Tensor:
        """Return the weights [E, B, H, K + 1], the last of nobody; they add up to 1.

        Args:
            x: [B, D] of the queries.
            task: [B] int64, T where not known.
            known_x: [N, D] of the logged queries.
            known_task: [N].
            near: Edges into the B queries.
        """
        absent = near.cosine.isinf()
        cosine = near.cosine.masked_fill(absent, 0.0)
        below = torch.where(absent, 0.0, cosine - near.cosine.amax(dim=1, keepdim=True))
        same = ((known_task[near.rows] == task[:, None]) & (task[:, None] < self.tasks)).to(below.dtype)
        score = self.scale[:, None, :, None] * below[:, None] + self.same_task[:, None, :, None] * same[:, None]
        if self.metric:
            # A small difference of large numbers needs all their digits.
            with torch.autocast(x.device.type, enabled=False):
                score = score - self._distance(x, task, known_x, known_task, near.rows)
        score = score.masked_fill(absent[:, None], -torch.inf)
        sink = self.sink[:, None, :, None].expand(*score.shape[:3], 1)
        return torch.softmax(torch.cat([score, sink], dim=3), dim=3)

    def _distance(self, x: Tensor, task: Tensor, known_x: Tensor, known_task: Tensor, rows: Tensor) -> Tensor:
        """Return half the squared distances [E, B, H, K] in the metric.

        A logged query is projected once, however often it is near, and by all heads of all members at once. One product with a
        block for each head gives their scores; it is several times faster than sums over each head's few columns.
        """
        used, place = torch.unique(rows, return_inverse=True)
        key, query = self._place(known_x[used], known_task[used]), self._place(x, task)
        heads = len(self.scale) * self.heads
        block = torch.eye(heads, dtype=x.dtype, device=x.device).repeat_interleave(self.metric, dim=0)
        near = key.index_select(0, place.flatten()).view(*rows.shape, key.shape[1])
        product = near @ (query[:, :, None] * block)
        squares = (key**2) @ block, (query**2) @ block
        half = 0.5 * (squares[0].index_select(0, place.flatten()).view_as(product) + squares[1][:, None]) - product
        return half.view(*rows.shape, len(self.scale), self.heads).permute(2, 0, 3, 1)

    def _place(self, x: Tensor, task: Tensor) -> Tensor:
        """Return the places [B, E * H * C] of queries in the metrics of all heads."""
        project = self.project.transpose(0, 1).flatten(1)
        return x @ project + self.task.transpose(0, 1).flatten(1)[task]
