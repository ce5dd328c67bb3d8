"""The router with learned convolutions; before all else, a supervised query must not see its own outcomes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gnn_fits import make

from graphrouter.nn.relation_conv import AGGREGATIONS, find_aggregation
from graphrouter.routers.conv_gnn import ConvGNN
from graphrouter.routers.conv_gnn.graph import NAMES, ConvGraph
from graphrouter.routers.gnn.outcome_graph import OutcomeGraph, fold_inputs
from graphrouter.run import RunOptions
from graphrouter.testing import RouterContract, data_of, make_log, make_parts

RELATIONS = ConvGNN().relations
FAST = {"hidden": 8, "heads": 2, "folds": 3, "steps": 60, "neighbours": 5, "dropout": 0.1, "learning_rate": 2e-2}


class TestConvGNN(RouterContract):
    router = ConvGNN(**FAST)


@pytest.fixture(scope="module")
def parts():
    return make_parts(make_log(draws=2, missing=0.1, without_task=0.1))


def fitted(parts, checkpoint=None, on_evaluation=None, **settings):
    router = make(ConvGNN, **{**FAST, **settings})
    router.run = RunOptions(device="cpu", checkpoint=checkpoint, on_evaluation=on_evaluation)
    return router.fit(parts.train, parts.validation)


VARIANTS = (
    [{"conv": conv, "aggregation": name} for conv, allowed in AGGREGATIONS.items() for name in allowed]
    + [{"conv": "general", "relations": [name for name in NAMES if name != off]} for off in NAMES]
    + [{"conv": conv, "edge_attributes": False} for conv in ("sage", "transformer", "hgt")]
    + [{"relations": []}, {"layers": 1}, {"layers": 4}, {"loss": "listwise"}, {"mask_rate": 0.6}]
)


@pytest.fixture(scope="module")
def default(parts):
    return fitted(parts).predict(parts.test.queries).quality


class TestSwitches:
    @pytest.mark.parametrize("settings", VARIANTS, ids=str)
    def test_it_trains_and_differs(self, parts, default, settings):
        told = []
        router = fitted(parts, on_evaluation=lambda label, row: told.append(row["train_loss"]), **settings)
        assert np.isfinite(told).all()
        assert min(told[1:]) < told[0]
        quality = router.predict(parts.test.queries).quality
        same = settings == {"conv": "sage", "aggregation": "mean"}
        assert np.array_equal(quality, default) == same

    def test_the_network_has_what_was_asked_for(self, parts):
        assert len(fitted(parts, layers=3, steps=0).module_.layers) == 3
        assert not fitted(parts, relations=[], steps=0).module_.layers
        whole, parted = (fitted(parts, conv=conv, steps=0).sizes_["relations"] for conv in ("general", "sage"))
        assert whole["query answered_by llm"] == 2
        assert set(parted) - set(whole) == {
            f"{source} {verb}_{part} {target}"
            for source, verb, target in (("query", "answered_by", "llm"), ("llm", "rev_answered_by", "query"))
            for part in ("right", "wrong")
        }
        assert not any(parted.values())
        assert not any(fitted(parts, conv="general", edge_attributes=False, steps=0).sizes_["relations"].values())

    def test_each_convolution_has_a_default(self):
        assert [find_aggregation(conv, "auto") for conv in AGGREGATIONS] == ["mean", *["attention"] * 3, "mean"]


def flipped(data, rows):
    performance = data.performance.copy()
    performance[rows] = 1 - performance[rows]
    return replace(data, performance=performance)


class TestLeaks:
    @pytest.mark.parametrize("conv", list(AGGREGATIONS))
    def test_a_supervised_query_never_sees_its_own_outcome(self, parts, conv):
        """What is predicted of hidden queries in a training step is the same whatever their outcomes are."""
        train = parts.train.sorted()
        batch = torch.tensor([0, 3, 8, 9, 20])
        router = fitted(parts, conv=conv)
        hidden = router._conv_graph().hidden(batch).numpy()
        first, second = (self.states(router, data, batch) for data in (train, flipped(train, hidden)))
        for name in ("query", "llm"):
            torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
        other = self.states(router, flipped(train, ~hidden), batch)
        assert (first["query"] - other["query"]).abs().max() > 1e-4

    def states(self, router, data, batch, neighbours=5):
        edges_of = self.conv_graph(data, neighbours, router.conv in ("sage", "hgt"))
        hidden = edges_of.hidden(batch)
        edges = edges_of.edges(~hidden, torch.ones_like(hidden))
        module = router.module_
        with torch.no_grad():
            passed = module.convolve(module.start(self.inputs(data.queries)), edges, edges_of.last(edges, hidden))
        return {"query": passed[-1]["query"][batch], "llm": passed[-1]["llm"]}

    @pytest.mark.parametrize("conv", list(AGGREGATIONS))
    def test_a_new_query_is_a_hidden_query_in_the_graph_of_the_others(self, parts, conv):
        train = parts.train.sorted()
        router = fitted(parts, conv=conv)
        count, split = len(train.queries), conv in ("sage", "hgt")
        hidden = self.conv_graph(train, count, split).hidden(torch.tensor([0, 3, 8, 9]))
        rows = hidden.nonzero().flatten()
        here = self.states(router, train, rows, neighbours=count)["query"]
        others = self.conv_graph(train.take((~hidden).nonzero().flatten().numpy()), count, split)
        everyone = torch.ones(others.count, dtype=torch.bool)
        edges, module = others.edges(everyone, everyone), router.module_
        attached = others.graph.attach(train.queries.take(rows.numpy()))
        with torch.no_grad():
            start = module.start(self.inputs(others.graph.data_.queries))
            precomputed = module.convolve(start, edges, others.last(edges, ~everyone))
            new = self.inputs(train.queries.take(rows.numpy()))
            there = module.convolve_new(new, precomputed, *others.edges_into(attached))
        torch.testing.assert_close(there, here, rtol=1e-4, atol=1e-5)

    @staticmethod
    def inputs(queries):
        return torch.cat([torch.as_tensor(queries.vectors), torch.zeros(len(queries), 2)], dim=1)

    def conv_graph(self, data, neighbours, split):
        graph = OutcomeGraph(
            neighbours=len(data.queries),
            scales=(9.0,),
            same_task_weight=2.0,
            task_strength=5.0,
            relations=RELATIONS,
            edge_attributes=True,
        ).fit(data, data.output_tokens / 100)
        return ConvGraph(graph, neighbours, RELATIONS, edge_attributes=True, split=split)

    def test_hidden_queries_say_nothing_and_those_of_their_wording_neither(self, parts):
        train = parts.train.sorted()
        router = fitted(parts, conv="general", steps=0)
        graph = router._conv_graph()
        group, counts = np.unique(train.queries.groups, return_counts=True)
        twice = np.flatnonzero(train.queries.groups == group[counts.argmax()])
        hidden = graph.hidden(torch.as_tensor(twice[:1]))
        assert hidden.nonzero().flatten().tolist() == twice.tolist()
        edges = graph.edges(~hidden, torch.ones_like(hidden))
        for (source, verb, _), (ends, _) in edges.items():
            if source == "query":
                assert not np.isin(ends[0], twice).any(), verb
            if verb == "rev_answered_by":
                assert not np.isin(ends[1], twice).any()
            assert ends.shape[1] > 0
        heard = {
            verb
            for (_, verb, target), (ends, _) in edges.items()
            if target == "query" and np.isin(twice, ends[1]).any()
        }
        assert heard == {"similar_to", "rev_belongs_to"}

    def test_untrained_it_predicts_the_shrunk_messages(self, parts):
        router = fitted(parts, steps=0)
        inputs = router.graph_.inputs(parts.test.queries)
        with torch.no_grad():
            states = torch.randn(len(parts.test.queries), 8)
            logits, _ = router.module_.decode(inputs, states, torch.randn(3, 8))
        expected = torch.sigmoid(logits[0]).numpy()
        np.testing.assert_allclose(router.predict(parts.test.queries).quality, expected, atol=1e-6)

    def test_supervised_inputs_come_from_other_folds(self, parts, monkeypatch):
        import graphrouter.routers.conv_gnn.router as module

        called = []
        monkeypatch.setattr(
            module, "fold_inputs", lambda graph, folds: called.append(folds) or fold_inputs(graph, folds)
        )
        fitted(parts, steps=20)
        assert called == [3]


class TestGraph:
    DATA = data_of([[1, 0], [0.5, np.nan], [0, 0]], vectors=[[1, 0], [0.9, 0.1], [0, 1]], tasks=["a", "b", None])

    def graph(self, relations=RELATIONS, neighbours=1, **settings):
        outcome_graph = OutcomeGraph(
            neighbours=3,
            scales=(9.0,),
            same_task_weight=1.0,
            task_strength=5.0,
            relations=RELATIONS,
            edge_attributes=True,
        ).fit(self.DATA, np.full((3, 2), np.nan, dtype=np.float32))
        return outcome_graph, ConvGraph(
            outcome_graph, neighbours, list(relations), **{"edge_attributes": True, "split": False, **settings}
        )

    def everyone(self):
        return torch.ones(3, dtype=torch.bool)

    def test_edges_are_what_the_log_says(self):
        _, graph = self.graph()
        edges = graph.edges(self.everyone(), torch.tensor([True, False, True]))
        ends, attr = edges["query", "answered_by", "llm"]
        assert ends.T.tolist() == [[0, 0], [0, 1], [1, 0], [2, 0], [2, 1]]
        np.testing.assert_allclose(attr, [[0.5, 0.5], [-0.5, -0.5], [0, 0], [-0.5, 0], [-0.5, 0]])
        torch.testing.assert_close(edges["llm", "rev_answered_by", "query"].ends, ends.flip(0))
        assert edges["query", "belongs_to", "task"].ends.T.tolist() == [[0, 0], [1, 1]]
        assert edges["task", "rev_belongs_to", "query"].ends.T.tolist() == [[0, 0]]
        ends, attr = edges["query", "similar_to", "query"]
        assert ends.T.tolist() == [[1, 0], [0, 1], [1, 2]]
        np.testing.assert_allclose(attr[:, 0], [0.9939, 0.9939, 0.1104], atol=1e-4)

    def test_outcomes_are_told_by_the_relation_where_a_convolution_reads_no_attributes(self):
        _, graph = self.graph(split=True)
        edges = graph.edges(self.everyone(), self.everyone())
        assert edges["query", "answered_by_right", "llm"].ends.T.tolist() == [[0, 0], [1, 0]]
        assert edges["query", "answered_by_wrong", "llm"].ends.T.tolist() == [[0, 1], [2, 0], [2, 1]]
        assert all(attr is None for _, attr in edges.values())
        _, blind = self.graph(split=True, edge_attributes=False)
        assert ("query", "answered_by", "llm") in blind.edges(self.everyone(), self.everyone())

    def test_new_queries_hear_of_their_nearest_and_their_task(self):
        outcome_graph, graph = self.graph(neighbours=2)
        new = replace(self.DATA.queries, groups=np.array([7, 8, 9]), tasks=np.array(["b", None, "c"], dtype=object))
        all_layers, edges = graph.edges_into(outcome_graph.attach(new))
        silent = all_layers.pop(("llm", "rev_answered_by", "query"))
        assert silent.ends.shape == (2, 0)
        assert set(all_layers) == set(edges) == {("query", "similar_to", "query"), ("task", "rev_belongs_to", "query")}
        assert edges["query", "similar_to", "query"].ends.T.tolist() == [
            [0, 3],
            [1, 3],
            [1, 4],
            [0, 4],
            [2, 5],
            [1, 5],
        ]
        assert edges["task", "rev_belongs_to", "query"].ends.T.tolist() == [[1, 3]]


def test_a_checkpoint_resumes_to_the_same_weights(parts, tmp_path):
    def cut(label, row):
        if row["step"] == 40:
            raise KeyboardInterrupt

    whole = fitted(parts)
    with pytest.raises(KeyboardInterrupt):
        fitted(parts, checkpoint=tmp_path / "state.pt", on_evaluation=cut)
    resumed = fitted(parts, checkpoint=tmp_path / "state.pt")
    np.testing.assert_array_equal(
        resumed.predict(parts.test.queries).quality, whole.predict(parts.test.queries).quality
    )


def test_a_router_that_is_fitted_again_forgets(parts):
    router = fitted(parts)
    before = router.predict(parts.test.queries).quality
    router.fit(flipped(parts.train, slice(None)), parts.validation)
    assert np.abs(router.predict(parts.test.queries).quality - before).max() > 0.1
