"""The GNN router, which for now predicts as the smoothing does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphrouter.routers.smoothing import Smoothing


@dataclass(eq=False)
class GNN(Smoothing):
    """The smoothing under the name of the network with learned messages, until that takes its place."""

    baseline: ClassVar[bool] = False
