import math

import numpy as np
import pytest
import torch

from graphrouter import graph as graph_module
from graphrouter.graph import NEW, RELATIONS, attach, build, task_positions
from graphrouter.testing import data_of, make_log, make_parts

CPU = torch.device("cpu")
NAN = math.nan
TASKS = ["art", "biology"]


BELONGS_TO, AMONG, SIMILAR_TO = (
    ("query", "belongs_to", "task"),
    ("query", "similar_to", "query"),
    ("query", "similar_to", NEW),
)


def graph_of(data, tasks=TASKS, relations=tuple(RELATIONS), neighbours=3):
    return build(data, tasks, relations, neighbours, CPU)


def with_new(graph, queries, relations=tuple(RELATIONS)):
    return attach(graph, queries, relations)


@pytest.fixture
def data():
    """Five queries and three LLMs; cells and tasks are missing, and the last two queries have one wording."""
    return data_of(
        [[1, 0, NAN], [NAN, NAN, 0.5], [0, 1, 1], [1, NAN, 0], [NAN, 1, NAN]],
        vectors=[[3, 0], [4, 1], [0, 2], [1, 1], [1, 1]],
        tasks=["biology", None, "art", "never seen", "biology"],
        groups=[10, 11, 12, 13, 13],
    )


@pytest.fixture(scope="module")
def parts():
    return make_parts(make_log())


def attached(parts, neighbours, queries=None):
    graph = graph_of(parts.train, ["algebra", "history"], [], neighbours)
    return with_new(graph, parts.test.queries if queries is None else queries)


class TestBuild:
    def test_it_has_the_relations_that_are_asked_for(self, data):
        graph = graph_of(data)
        assert graph.validate()
        assert set(graph.node_types) == {"query", "llm", "task"}
        assert set(graph.edge_types) == {relation for relation in RELATIONS if NEW not in relation}
        assert (graph["query"].num_nodes, graph["llm"].num_nodes, graph["task"].num_nodes) == (5, 3, 2)
        assert (graph[BELONGS_TO].num_edges, graph[AMONG].num_edges) == (3, 15)
        assert graph_of(data, relations=[]).edge_types == []
        for relation in graph.edge_types:
            only = graph_of(data, relations=[relation])
            assert only.edge_types == [relation]
            assert torch.equal(only[relation].edge_index, graph[relation].edge_index)
            assert graph[relation].get("edge_attr", torch.empty(0, 0)).shape[1] == RELATIONS[relation].width

    def test_nodes_carry_vectors_and_groups(self, data):
        graph = graph_of(data)
        np.testing.assert_array_equal(graph["query"].x, data.queries.vectors)
        np.testing.assert_array_equal(graph["llm"].x, data.llms.vectors)
        np.testing.assert_array_equal(graph["query"].group, [10, 11, 12, 13, 13])
        torch.testing.assert_close(graph["query"].unit.norm(dim=1), torch.ones(5))
        torch.testing.assert_close(graph["query"].unit[0], torch.tensor([1.0, 0.0]))

    def test_a_task_that_is_unknown_or_none_has_no_edge(self, data):
        graph = graph_of(data)
        assert graph[BELONGS_TO].edge_index.T.tolist() == [[0, 1], [2, 0], [4, 1]]
        assert graph["query"].task.tolist() == [1, 2, 0, 2, 1]

    def test_a_log_without_tasks_has_no_task_nodes(self, data):
        graph = graph_of(data, tasks=[])
        assert graph["task"].num_nodes == graph[BELONGS_TO].num_edges == 0
        assert graph["query"].task.tolist() == [0] * 5

    def test_positions_of_tasks(self):
        positions = task_positions(np.array(["b", None, "a", "c"], dtype=object), ["a", "b"])
        assert positions.dtype == np.int64
        assert positions.tolist() == [1, 2, 0, 2]


class TestAttach:
    def test_tensors_are_shared_and_the_graph_is_left_as_it_was(self, data):
        graph = graph_of(data)
        after = with_new(graph, data.queries)
        assert after.validate()
        for kind in ("query", "llm"):
            assert after[kind].x.data_ptr() == graph[kind].x.data_ptr()
        for relation in graph.edge_types:
            assert after[relation].edge_index.data_ptr() == graph[relation].edge_index.data_ptr()
        assert set(graph.node_types) == {"query", "llm", "task"}
        assert SIMILAR_TO not in graph.edge_types

    def test_a_new_query_has_no_outcomes(self, data):
        after = with_new(graph_of(data), data.queries)
        touching = {relation for relation in after.edge_types if NEW in relation}
        assert touching == {SIMILAR_TO}
        assert all(target == NEW for _, _, target in touching), "messages flow to the new query, never from it"
        assert set(after[NEW].keys()) == {"x", "task", "group"}

    def test_tasks_of_new_queries(self, data):
        after = with_new(graph_of(data), data.queries)
        assert after[NEW].task.tolist() == [1, 2, 0, 2, 1]

    @pytest.mark.parametrize("neighbours", [1, 7, 10_000])
    @pytest.mark.parametrize("part", ["train", "test"])
    def test_neighbours_are_the_nearest_of_another_wording(self, parts, part, neighbours):
        queries, train = getattr(parts, part).queries, parts.train.queries
        edges = attached(parts, neighbours, queries)[SIMILAR_TO]
        cosines = queries.vectors @ train.vectors.T  # all have length 1
        other = queries.groups[:, None] != train.groups
        assert (part == "test") == other.all(), "the test must see both cases"
        for query in range(len(queries)):
            here = edges.edge_index[1] == query
            source, cosine = edges.edge_index[0][here].numpy(), edges.edge_attr[here, 0].numpy()
            assert other[query, source].all()
            nearest = np.sort(cosines[query][other[query]])[::-1][:neighbours]
            np.testing.assert_allclose(cosine, nearest, atol=1e-6)
            np.testing.assert_allclose(cosine, cosines[query, source], atol=1e-6)
            assert len(set(source.tolist())) == len(source)

    def test_edges_are_sorted_by_target_and_nearest_first(self, parts):
        edges = attached(parts, 5)[SIMILAR_TO]
        target, cosine = edges.edge_index[1], edges.edge_attr[:, 0]
        assert (target.diff() >= 0).all()
        assert target.unique().tolist() == list(range(len(parts.test.queries)))
        assert (cosine.diff()[target.diff() == 0] <= 0).all()

    def test_cosines_do_not_depend_on_the_length_of_vectors(self, data):
        edges = with_new(graph_of(data, neighbours=1), data.queries)[SIMILAR_TO]
        first = dict(zip(edges.edge_index[1].tolist(), edges.edge_attr[:, 0].tolist(), strict=True))[0]
        assert first == pytest.approx(4 / math.sqrt(17))

    def test_the_size_of_chunks_does_not_matter(self, parts, monkeypatch):
        whole = attached(parts, 9, parts.train.queries)[SIMILAR_TO]
        monkeypatch.setattr(graph_module, "BLOCK", 4)
        chunked = attached(parts, 9, parts.train.queries)[SIMILAR_TO]
        assert torch.equal(chunked.edge_index, whole.edge_index)
        torch.testing.assert_close(chunked.edge_attr, whole.edge_attr)

    def test_a_zero_vector_is_like_no_query(self, data):
        blank = data_of([[1, 0, 1]], vectors=[[0, 0]], tasks=["art"], groups=[99])
        edges = with_new(graph_of(data, neighbours=4), blank.queries)[SIMILAR_TO]
        assert edges.edge_attr[:, 0].tolist() == [0.0] * 4
