import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_geometric.nn import GeneralConv

from graphrouter.errors import UserError
from graphrouter.routers.graphrouter import GraphRouter
from graphrouter.routers.graphrouter.network import DenseGeneralConv, EdgeNetwork, Graph, NodeNorm
from graphrouter.run import RunOptions
from graphrouter.scenario import SCENARIOS, Scenario, fit_cost_scale
from graphrouter.testing import RouterContract, data_of, make_log, make_parts

Q, M, E, HIDDEN = 7, 3, 2, 4
C = 2 * HIDDEN


class TestGraphRouter(RouterContract):
    router = GraphRouter(passes=2, steps=12, learning_rate=3e-2)
    weighs_new_llms = False

    def check_choice(self, router, parts):
        # A dozen steps do for all else.
        longer = replace(router, scenarios=["performance_first"], passes=4, mask_rate=0.2, steps=60)
        super().check_choice(self.fit_this(longer, parts), parts)

    def fit_this(self, router, parts):
        router.run = RunOptions(device="cpu")
        return router.fit(parts.train, parts.validation)


@pytest.fixture
def graph():
    random = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(shape, generator=random)

    return Graph(
        queries=normal(Q, 5),
        task_of=torch.tensor([0, 1, 0, 1, 2, 2, 0]),
        tasks=normal(3, 5),
        llms=normal(M, 6),
        edges=normal(M, Q, E),
        seen=(torch.rand((M, Q), generator=random) < 0.8).float(),
        sign=torch.where(torch.arange(M)[:, None] == torch.arange(Q) % M, -1.0, 1.0),
    )


class SparseNetwork(nn.Module):
    """The published forward pass, edge by edge, on torch_geometric's and torch's own layers."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.convs = nn.ModuleList(GeneralConv(C, C, in_edge_channels=E) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(C) for _ in range(2))
        for conv, norm, ours in zip(self.convs, self.norms, (1, 2), strict=True):
            conv.load_state_dict(getattr(network, f"conv{ours}").state_dict())
            norm.load_state_dict(getattr(network, f"norm{ours}").state_dict())

    def forward(self, graph, visible):
        llm, query = visible.nonzero().T
        index = torch.stack([query, llm + Q])
        edges = F.relu(self.network.edge(graph.edges[llm, query]))
        first = self.network.query_nodes(graph.queries, graph.task_of, graph.tasks)
        nodes = torch.cat([first, self.network.llm(graph.llms)])
        nodes = F.relu(self.norms[0](self.convs[0](nodes, index, edge_attr=edges)))
        nodes = self.norms[1](self.convs[1](nodes, index, edge_attr=edges))
        return torch.stack([(first * nodes[Q + llm]).mean(dim=1) for llm in range(M)])


def test_dense_convolution_equals_general_conv(graph):
    dense, sparse = DenseGeneralConv(C, E), GeneralConv(C, C, in_edge_channels=E)
    dense.load_state_dict(sparse.state_dict())
    queries, llms = torch.randn(Q, C), torch.randn(M, C)
    llm, query = graph.seen.nonzero().T
    index = torch.stack([query, llm + Q])
    expected = sparse(torch.cat([queries, llms]), index, edge_attr=graph.edges[llm, query])
    actual = dense(queries[None], llms[None], graph.edges, graph.seen[:, None])[0]
    torch.testing.assert_close(actual, expected[Q:], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(queries, expected[:Q])  # no query receives a message


@pytest.mark.parametrize("training", [True, False])
def test_several_masks_at_once_equal_the_published_network_one_by_one(graph, training):
    torch.manual_seed(0)
    network = EdgeNetwork(5, 6, E, HIDDEN)
    for norm in (network.norm1, network.norm2):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    sparse = SparseNetwork(network).train(training)
    visible = (torch.rand(M, 3, Q) < 0.5) * graph.seen[:, None]
    nodes = network.query_nodes(graph.queries, graph.task_of, graph.tasks)
    actual = network.score(nodes, network.llm_nodes(graph, nodes, visible))
    expected = torch.stack([sparse(graph, visible[:, one]) for one in range(3)])
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip((network.norm1, network.norm2), sparse.norms, strict=True):
        torch.testing.assert_close(ours.running_mean, theirs.running_mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-4, atol=1e-4)


def test_loss_is_the_cross_entropy_of_the_hidden_edges_averaged_over_the_masks(graph):
    network = EdgeNetwork(5, 6, E, HIDDEN).eval()
    torch.manual_seed(3)
    actual = network.loss(graph, passes=2, mask_rate=0.4)
    torch.manual_seed(3)
    visible = (torch.rand(M, 2, Q) < 0.4) * graph.seen[:, None]
    label = (graph.sign < 0).float()
    losses = []
    for one in range(2):
        probability = torch.sigmoid(SparseNetwork(network).eval()(graph, visible[:, one]))
        hidden = (graph.seen - visible[:, one]).bool()
        losses.append(F.binary_cross_entropy(probability[hidden], label[hidden]))
    torch.testing.assert_close(actual, sum(losses) / 2, rtol=1e-4, atol=1e-4)


def test_a_hidden_edge_does_not_enter_its_own_prediction(graph):
    network = EdgeNetwork(5, 6, E, HIDDEN).eval()
    nodes = network.query_nodes(graph.queries, graph.task_of, graph.tasks)
    hidden = torch.zeros(M, Q, dtype=torch.bool)
    hidden[1, 2] = True
    other = graph._replace(edges=torch.where(hidden[:, :, None], 100.0, graph.edges))
    visible = graph.seen.masked_fill(hidden, 0)[:, None]
    first, second = (network.score(nodes, network.llm_nodes(one, nodes, visible)) for one in (graph, other))
    assert torch.equal(first, second)


def test_norm_is_used_one_by_one_in_the_running_statistics():
    ours, theirs = NodeNorm(2), nn.BatchNorm1d(2)
    queries, llms = torch.randn(1, 5, 2), torch.randn(3, 2, 2) * 10
    normal_queries, normal_llms = ours(queries, llms)
    for one in range(3):
        expected = theirs(torch.cat([queries[0], llms[one]]))
        torch.testing.assert_close(torch.cat([normal_queries[one], normal_llms[one]]), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def small(**settings):
    router = GraphRouter(**{"hidden": 4, "passes": 2, "steps": 5, "learning_rate": 3e-2, **settings})
    router.run = RunOptions(device="cpu")
    return router


def test_labels_are_the_first_best_reward_and_missing_cells_are_no_edges():
    nan = math.nan
    train = data_of([[1, 1, 0], [0, nan, 1], [nan, 0, 0]], cost=[[3.0, 1, 1], [1, nan, 1], [nan, 2, 1]])
    router = small()
    router.cost_scale_ = 2.0
    router._fit_tasks(train.queries)
    device = torch.device("cpu")
    quality_only = router._graph(SCENARIOS["performance_first"], train, device)
    assert (quality_only.sign.T < 0).tolist() == [[True, False, False], [False, False, True], [False, True, False]]
    assert quality_only.seen.T.tolist() == [[1, 1, 1], [1, 0, 1], [0, 1, 1]]
    balance = router._graph(SCENARIOS["balance"], train, device)
    assert (balance.sign.T < 0).tolist() == [[False, True, False], [False, False, True], [False, False, True]]
    # Reward, performance, cost over the scale.
    assert balance.edges[0, 0].tolist() == [-0.25, 1, 1.5]
    assert balance.edges[1, 1].tolist() == [0, 0, 0]


def test_scenarios_have_networks_of_their_own():
    parts = make_parts(make_log())
    router = small(steps=20).fit(parts.train, parts.validation)
    scale = fit_cost_scale(parts.train.cost)
    by_name = {name: router.utility(parts.test.queries, scenario, scale) for name, scenario in SCENARIOS.items()}
    assert not np.allclose(by_name["performance_first"], by_name["balance"])
    assert not np.allclose(by_name["cost_first"], by_name["balance"])
    # The judge's scores stand in the place of performance when a log is prepared, so the weights decide.
    np.testing.assert_array_equal(by_name["judge"], by_name["performance_first"])


def test_scenarios_without_a_network_are_refused():
    parts = make_parts(make_log(cost=False))
    router = small().fit(parts.train, parts.validation)
    assert router.sizes_["scenarios"] == ["performance_first"]
    for scenario in (SCENARIOS["balance"], Scenario("alpha=0.7", 0.7, 0.3)):
        with pytest.raises(UserError, match="it has performance_first; add it to scenarios"):
            router.utility(parts.test.queries, scenario, 1.0)


def test_outcomes_of_validation_carry_no_messages():
    parts = make_parts(make_log())
    halved = replace(parts.validation, performance=parts.validation.performance / 2)
    # Half the reward in every cell changes no ranking of the steps, so the same weights are kept.
    first, second = (small().fit(parts.train, part) for part in (parts.validation, halved))
    scores = [router.scores(parts.test.queries, "performance_first") for router in (first, second)]
    np.testing.assert_array_equal(*scores)


def test_history_tells_the_validation_reward_over_time():
    parts = make_parts(make_log())
    router = small(scenarios=["performance_first", "balance"]).fit(parts.train, parts.validation)
    assert [(one["scenario"], one["step"]) for one in router.history_] == [
        (name, step) for name in ("performance_first", "balance") for step in range(1, 6)
    ]
    seconds = [one["seconds"] for one in router.history_[:5]]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0
    scores = router.scores(parts.validation.queries, "performance_first")
    routed = parts.validation.performance[np.arange(len(scores)), scores.argmax(axis=1)].mean()
    assert routed >= max(one["validation_reward"] for one in router.history_[:5]) - 1e-6


def test_resumes_each_scenario_from_its_checkpoint(tmp_path):
    parts = make_parts(make_log())
    whole = small(scenarios=["performance_first", "balance"]).fit(parts.train, parts.validation)
    cut = small(scenarios=["performance_first", "balance"])
    cut.run.checkpoint = tmp_path / "state.pt"
    keep = cut._keep_llm_nodes
    calls = []

    def cut_off(scenario, graph):
        calls.append(scenario.name)
        if len(calls) == 10:
            raise KeyboardInterrupt
        keep(scenario, graph)

    cut._keep_llm_nodes = cut_off
    with pytest.raises(KeyboardInterrupt):
        cut.fit(parts.train, parts.validation)
    assert calls[-1] == "balance"
    resumed = small(scenarios=["performance_first", "balance"])
    resumed.run.checkpoint = tmp_path / "state.pt"
    resumed.fit(parts.train, parts.validation)
    for name in ("performance_first", "balance"):
        scores = [router.scores(parts.test.queries, name) for router in (whole, resumed)]
        np.testing.assert_array_equal(*scores)
    rewards = [[one["validation_reward"] for one in router.history_] for router in (whole, resumed)]
    assert rewards[0] == rewards[1]
    assert [math.isnan(one["seconds"]) for one in resumed.history_] == [True] * 6 + [False] * 4


def test_unknown_and_absent_tasks_get_the_mean_task():
    parts = make_parts(make_log())
    router = small().fit(parts.train, parts.validation)
    queries = replace(
        parts.test.queries, tasks=np.array([None, "never seen"] * 50, dtype=object)[: len(parts.test.queries)]
    )
    assert set(router._task_rows(queries)) == {2}
    length = np.linalg.norm(router.task_vectors_, axis=1)
    np.testing.assert_allclose(length, np.linalg.norm(parts.train.queries.vectors, axis=1).mean(), rtol=1e-5)
