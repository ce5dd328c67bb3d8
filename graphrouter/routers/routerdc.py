"""RouterDC: dual contrastive learning of query and LLM embeddings, on frozen vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional as F

from graphrouter.dataset import Queries, RoutingData
from graphrouter.ranges import COUNT, NOT_NEGATIVE, POSITIVE, Range
from graphrouter.routers.base import Prediction
from graphrouter.routers.parts.calibration import PlattScaling
from graphrouter.routers.parts.logits import predict_logits, schedule_of
from graphrouter.routers.parts.query_inputs import QueryInputs, VectorRouter
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.training import fit_module, pick_device
from graphrouter.typing import Array


class DualEncoder(nn.Module):
    """Cosine similarity of a query's head output and the LLMs' embeddings, over a temperature.

    Args:
        inputs: D', length of a query's row.
        width: Length of an embedding.
        layers: Linear layers of the head.
        llms: M.
        temperature: Divides the similarity of query and LLM.
        dropout: Share of the hidden units dropped in training.
    """

    def __init__(self, inputs: int, width: int, layers: int, llms: int, temperature: float, dropout: float) -> None:
        super().__init__()
        self.temperature = temperature
        sizes = [inputs] + [width] * layers
        parts: list[nn.Module] = []
        for before, after in pairwise(sizes):
            parts += [nn.Linear(before, after), nn.GELU(), nn.Dropout(dropout)]
        self.head = nn.Sequential(*parts[:-2])
        self.llms = nn.Embedding(llms, width)
        nn.init.normal_(self.llms.weight, std=0.78)

    def embed(self, rows: Tensor) -> Tensor:
        """Map rows [B, D'] to embeddings [B, width] of length 1."""
        return F.normalize(self.head(rows), dim=-1)

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows [B, D'] to scores [B, M]."""
        return self.score(self.embed(rows))

    def score(self, embedded: Tensor) -> Tensor:
        """Map embeddings [B, width] to scores [B, M]."""
        return embedded @ F.normalize(self.llms.weight, dim=-1).T / self.temperature


def sample_llm_loss(scores: Tensor, performance: Tensor, positives: int, negatives: int) -> Tensor:
    """Pull a query towards its best LLMs, each against its worst (equation 4).

    ``sum over i in the top K+ of -log(exp(s_i) / (exp(s_i) + sum over j in the last K- of exp(s_j)))``, mean over the
    batch. As in the source, a top LLM with performance 0 is skipped, and one of the last with more than 0.5 is no
    negative. LLMs that tie are ordered at random; the source orders them by position.

    Args:
        scores: [B, M].
        performance: [B, M], NaN where missing; a missing cell is neither positive nor negative.
        positives: K+, at most M.
        negatives: K-, at most M.
    """
    seen = ~torch.isnan(performance)
    order = torch.argsort(torch.rand_like(scores, dtype=torch.float32), dim=1)
    shuffled = performance.gather(1, order)
    best = shuffled.nan_to_num(-1.0).argsort(dim=1, descending=True, stable=True)[:, :positives]
    worst = shuffled.nan_to_num(2.0).argsort(dim=1, stable=True)[:, :negatives]
    best, worst = order.gather(1, best), order.gather(1, worst)
    is_positive = performance.gather(1, best) > 0
    is_negative = (performance.gather(1, worst) <= 0.5) & seen.gather(1, worst)
    against = scores.gather(1, worst).masked_fill(~is_negative, float("-inf"))
    pulled = scores.gather(1, best)
    every = torch.cat([pulled[:, :, None], against[:, None, :].expand(-1, pulled.shape[1], -1)], dim=2)
    losses = every.logsumexp(dim=2) - pulled
    return (losses * is_positive).sum() / len(scores)


def sample_sample_loss(embedded: Tensor, clusters: Tensor, negatives: int) -> Tensor:
    """Pull a query towards one of its cluster, against others (equation 5).

    Partner and negatives are drawn at random from the batch. A query without a partner, or with fewer than ``negatives``
    queries of other clusters in the batch, is left out.

    Args:
        embedded: [B, width], of length 1.
        clusters: [B] numbers.
        negatives: H.
    """
    same = clusters[:, None] == clusters[None, :]
    chance = torch.rand(same.shape, device=same.device)
    partner = chance.masked_fill(~same | torch.eye(len(same), dtype=torch.bool, device=same.device), -1.0)
    others = chance.masked_fill(same, -1.0)
    count = min(negatives, len(same))
    chosen = torch.cat([partner.argmax(dim=1, keepdim=True), others.topk(count, dim=1).indices], dim=1)
    usable = (partner.amax(dim=1) >= 0) & ((~same).sum(dim=1) >= negatives)
    similarity = (embedded @ embedded.T).gather(1, chosen)
    losses = similarity.logsumexp(dim=1) - similarity[:, 0]
    return (losses * usable).sum() / usable.sum().clamp(min=1)


@dataclass(eq=False)
class RouterDC(VectorRouter):
    """Dual contrastive learning: queries near the LLMs that solve them, and near queries of their cluster.

    The source fine-tunes mDeBERTa-v3 as the query's encoder for 1,000 steps at 5e-5; here a small head on the frozen
    vectors is trained in its place, from scratch and so at a higher rate. The source clusters t-SNE projections; here
    k-means runs on the vectors themselves. It keeps the checkpoint with the best accuracy, and so does this, on
    validation. Similarities are no probabilities: Platt scaling on validation turns them into quality.

    Attributes:
        width: Length of the embeddings.
        layers: Linear layers of the head.
        temperature: Divides the cosine similarity of query and LLM.
        dropout: Share of the hidden units of the head dropped in training.
        positives: K+, how many of the best LLMs are pulled.
        negatives: K-, how many of the worst LLMs are pushed.
        clusters: Number of clusters of training queries.
        other_queries: H, queries of other clusters that are pushed.
        sample_weight: Lambda, weight of the sample-sample loss.
        steps: Optimiser steps, at most; see `graphrouter.training.Schedule`.
        patience: Steps without a better validation performance before training stops.
        batch_size: Queries per step, at most a sixteenth of the training queries.
        learning_rate: Highest learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
    """

    width: int = 256
    layers: int = 2
    temperature: float = 1.0
    dropout: float = 0.0
    positives: int = 3
    negatives: int = 3
    clusters: int = 5
    other_queries: int = 3
    sample_weight: float = 1.0
    steps: int = 2000
    patience: int = 200
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2

    source: ClassVar[str] = (
        "RouterDC, arXiv:2409.19886, section 3; github.com/shuhao02/RouterDC, train_router_mdeberta.py"
    )
    ranges: ClassVar[dict[str, Range]] = {
        "width": COUNT,
        "temperature": POSITIVE,
        "positives": COUNT,
        "negatives": COUNT,
        "clusters": COUNT,
        "other_queries": NOT_NEGATIVE,
        "sample_weight": NOT_NEGATIVE,
    }
    parts: ClassVar[dict[str, Any]] = {**VectorRouter.parts, "calibration_": PlattScaling}
    tuned_by: ClassVar[str | None] = "reward"
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"clusters": 20},
        {"dropout": 0.1},
        {"temperature": 0.3},
        {"temperature": 0.1, "sample_weight": 0.0},
        {"inputs": ["vector"]},
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn head and embeddings; validation stops early and calibrates."""
        train, validation = train.sorted(), validation.sorted()
        self.inputs_ = QueryInputs(self.inputs).fit(train.queries)
        self.sizes_ = {
            "inputs": self.inputs_.rows(train.queries).shape[1],
            "width": self.width,
            "layers": self.layers,
            "llms": len(train.llms),
            "temperature": self.temperature,
            "dropout": self.dropout,
        }
        device = pick_device(self.run.device)
        torch.manual_seed(self.seed)
        module = self.build(**self.sizes_).to(device)
        loss, validate = (
            self._loss(module, train, device),
            _routed_loss(module, self.inputs_.rows(validation.queries), validation, device),
        )
        rows, plan = len(train.queries), schedule_of(self, len(train.queries))
        fit_module(module, loss, rows, validate, plan, seed=self.seed, run=self.run, label=self.name)
        self.module_ = module.cpu()
        scores = predict_logits(self.module_, self.inputs_.rows(validation.queries))
        self.calibration_ = PlattScaling().fit(scores, validation.performance)
        self.cost_ = TaskMeans().fit(train.cost, train.queries.tasks)
        return self

    def build(self, **sizes: Any) -> DualEncoder:
        """Make the module from its sizes."""
        return DualEncoder(**sizes)

    def _loss(self, module: DualEncoder, train: RoutingData, device: torch.device) -> Callable[[Tensor], Tensor]:
        groups = KMeans(min(self.clusters, len(train.queries)), n_init=4, random_state=self.seed)
        clusters = torch.as_tensor(groups.fit_predict(train.queries.vectors), device=device)
        inputs = torch.as_tensor(self.inputs_.rows(train.queries), device=device)
        performance = torch.as_tensor(train.performance, device=device)

        def loss(rows: Tensor) -> Tensor:
            embedded = module.embed(inputs[rows])
            scores = module.score(embedded)
            first = sample_llm_loss(scores, performance[rows], self.positives, self.negatives)
            return first + self.sample_weight * sample_sample_loss(embedded, clusters[rows], self.other_queries)

        return loss

    def predict(self, queries: Queries) -> Prediction:
        """Predict the quality from the calibrated similarities, and the cost from the task."""
        scores = predict_logits(self.module_, self.inputs_.rows(queries))
        return Prediction(self.calibration_.apply(scores), self.cost_.lookup(queries.tasks))


def _routed_loss(module: nn.Module, inputs: Array, data: RoutingData, device: torch.device) -> Callable[[], float]:
    """Return a function that gives minus the mean performance of the LLM with the highest score."""
    rows = torch.as_tensor(inputs, device=device)
    answered = data.observed.any(axis=1)

    def loss() -> float:
        scores = np.where(data.observed, module(rows).float().cpu().numpy(), -np.inf)
        chosen = data.performance[np.arange(len(scores)), scores.argmax(axis=1)]
        return -float(chosen[answered].mean())

    return loss
