"""Sums over neighbours, weighted by kernels of their similarity."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import scatter

ALIKE = 1e-3
"""Range of cosines below which neighbours count as equally similar: it changes the weights of the narrowest default kernel
(width 60) by 6%."""


class KernelConv(MessagePassing):
    r"""Neighbours' features, summed at H kernel widths at once.

    .. math::
        x'_{i,h} = \sum_{j \in N(i)} w_h(s_{ij}) \, b_{ij} \, x_j, \qquad
        w_h(s) = e^{\tau_h (s - \max_j s_{ij})} - c_i \, e^{\tau_h (\min_j s_{ij} - \max_j s_{ij})}

    with :math:`s_{ij}` the cosine similarity and :math:`b_{ij}` = ``same_task_weight`` where both queries have one task, else
    1. The farthest neighbour has no weight, so that the sum does not jump when a query enters or leaves the list: there
    :math:`c_i` is 1. Where all neighbours are about equally similar, one alone or ties, nothing would be left to tell them by,
    so :math:`c_i` falls to 0 with the range of their similarity, below `ALIKE`: then all count as the nearest does. Neighbours
    that have nothing in common with the query (:math:`\max_j s_{ij} \le 0`) stay without weight where they tie.

    Args:
        scales: H kernel widths :math:`\tau_h`; the larger, the fewer neighbours count.
        same_task_weight: How much more a neighbour of the same task counts.
    """

    def __init__(self, scales: tuple[float, ...], same_task_weight: float = 1.0) -> None:
        super().__init__(aggr="sum")
        self.scales = scales
        self.same_task_weight = same_task_weight

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, targets: int) -> Tensor:
        """Propagate.

        Args:
            x: [N, C], features of the neighbours.
            edge_index: [2, E] from neighbour to target, sorted by target.
            edge_attr: [E, 2], cosine similarity and whether both have one task.
            targets: B.

        Returns:
            [B, H, C].
        """
        target, cosine = edge_index[1], edge_attr[:, 0]
        top = scatter(cosine, target, dim_size=targets, reduce="max")[target]
        floor = scatter(cosine, target, dim_size=targets, reduce="min")[target] - top
        cut = torch.where(top > 0, (-floor / ALIKE).clamp(max=1), torch.ones_like(floor))
        boost = 1 + (self.same_task_weight - 1) * edge_attr[:, 1]
        pointers = torch.searchsorted(target.contiguous(), torch.arange(targets + 1, device=target.device))
        sums = []
        for scale in self.scales:
            weight = ((scale * (cosine - top)).exp() - cut * (scale * floor).exp()) * boost
            adjacency = _csr(pointers, edge_index[0], weight, (targets, len(x)))
            sums.append(self.propagate(adjacency, x=(x, None), edge_weight=weight))
        return torch.stack(sums, dim=1)

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """Weigh a neighbour's features; used where PyG does not fuse the two steps, as in its explainers."""
        return edge_weight[:, None] * x_j

    def message_and_aggregate(self, edge_index: Tensor, x: tuple[Tensor, None]) -> Tensor:
        """Multiply the sparse adjacency [B, N] with the features."""
        return edge_index @ x[0]


def _csr(pointers: Tensor, column: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():  # torch calls all of CSR beta, once per process
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(pointers, column, value, size=size, check_invariants=False)
