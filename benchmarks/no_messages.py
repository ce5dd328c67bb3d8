"""The control of the GNN: the same network, told the same of a query, without messages from similar queries.

Usage: graphrouter compare LOG --routers gnn,mlp,benchmarks/no_messages.py:NoMessages
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from graphrouter.routers import GNN


@dataclass(eq=False)
class NoMessages(GNN):
    """`GNN` whose perceptrons alone are left, as many of them as its two paths have networks.

    It reads the vector, the length, the task's label and the task's expectation, as the GNN does.
    """

    members: int = 8
    relations: list[str] = field(default_factory=lambda: ["belongs_to"])

    name: ClassVar[str] = "no_messages"
    baseline: ClassVar[bool] = True
