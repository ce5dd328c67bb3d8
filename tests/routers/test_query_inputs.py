"""What a router may read of a query, it reads where it is asked to, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from graphrouter.errors import UserError
from graphrouter.metrics import nll
from graphrouter.routers import find_router
from graphrouter.routers.parts.query_inputs import INPUTS, QueryInputs
from graphrouter.run import RunOptions
from graphrouter.testing.checks import through_files, with_tasks
from graphrouter.testing.logs import make_log, make_parts

VECTOR_ROUTERS = ("knn", "kmeans", "linear", "svm", "mlp", "matrix_factorisation", "irt", "routerdc")
QUICK = {
    "knn": {"k": 20},
    "kmeans": {"clusters": 6, "nearest": 1},
    "linear": {"penalty": 1.0},
    "svm": {"components": 64},
    "mlp": {"hidden": 16, "learning_rate": 1e-2, "steps": 400, "members": 2},
    "matrix_factorisation": {"dimensions": 8, "learning_rate": 1e-2, "steps": 400},
    "irt": {"dimensions": 4, "learning_rate": 3e-2, "steps": 400},
    "routerdc": {"width": 16, "clusters": 3, "learning_rate": 1e-2, "steps": 400, "temperature": 0.3},
}


def fitted(name, parts, **settings):
    router = find_router(name)(**{**QUICK[name], **settings})
    router.run = RunOptions(device="cpu")
    return router.fit(parts.train, parts.validation)


def blind(parts):
    """The same parts with vectors that tell nothing."""
    return parts._replace(
        **{
            name: replace(part, queries=replace(part.queries, vectors=np.ones_like(part.queries.vectors)))
            for name, part in parts._asdict().items()
            if name != "test"
        },
        test=replace(parts.test, queries=replace(parts.test.queries, vectors=np.ones_like(parts.test.queries.vectors))),
    )


@pytest.fixture(scope="module")
def parts():
    return blind(make_parts(make_log()))


@pytest.mark.parametrize("name", VECTOR_ROUTERS)
def test_the_task_helps_where_the_vectors_are_blind_and_only_if_it_is_read(parts, name):
    surprise = {}
    for inputs in (["vector"], ["vector", "task"]):
        weight = {"task_weight": 1.0} if name in ("knn", "kmeans") else {}
        router = fitted(name, parts, inputs=inputs, **weight)
        quality = router.predict(parts.test.queries).quality
        surprise[len(inputs)] = float(nll(quality, parts.test.performance))
        elsewhere = router.predict(with_tasks(parts.test.queries, None)).quality
        assert np.array_equal(quality, elsewhere) == (inputs == ["vector"])
    assert surprise[2] < surprise[1] - 0.05


@pytest.mark.parametrize("name", VECTOR_ROUTERS)
def test_the_length_is_read_only_where_it_is_asked_for(parts, name):
    longer = replace(parts.test.queries, chars=3 * parts.test.queries.chars)
    for inputs in (["vector", "task"], ["vector", "task", "length"]):
        router = fitted(name, parts, inputs=inputs)
        same = np.array_equal(router.predict(longer).quality, router.predict(parts.test.queries).quality)
        assert same == ("length" not in inputs), inputs


@pytest.mark.parametrize("name", VECTOR_ROUTERS)
def test_all_inputs_are_saved_with_the_router(parts, name, tmp_path):
    router = fitted(name, parts, inputs=list(INPUTS))
    loaded = find_router(name)(**{**QUICK[name], "inputs": list(INPUTS)})
    loaded.set_state(through_files(router.get_state(), tmp_path))
    before, after = (one.predict(parts.test.queries).quality for one in (router, loaded))
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", VECTOR_ROUTERS)
def test_validation_may_choose_to_read_the_task_or_not(name):
    kind = find_router(name)
    read = ["task" in setting.get("inputs", kind().inputs) for setting in kind.search_space]
    assert {True, False} == set(read)


def test_no_inputs_are_refused():
    with pytest.raises(UserError, match=r"knn\.inputs must name what is read of a query, but is empty"):
        find_router("knn")(inputs=[])
    with pytest.raises(UserError, match=r"knn\.inputs must be among vector, task, length, but has 'tasks'"):
        find_router("knn")(inputs=["tasks"])


class TestRows:
    @pytest.fixture(scope="class")
    def queries(self):
        return make_parts(make_log(without_task=0.2)).train.queries

    def test_columns_are_vector_task_and_length(self, queries):
        made = QueryInputs(["length", "task", "vector"], task_weight=0.5).fit(queries)
        rows, width = made.rows(queries), queries.vectors.shape[1]
        np.testing.assert_array_equal(rows[:, :width], queries.vectors)
        known = np.array([task is not None for task in queries.tasks])
        np.testing.assert_array_equal(rows[:, width:-1].sum(axis=1), 0.5 * known)
        assert abs(rows[:, -1].mean()) < 1e-5
        assert rows[:, -1].std() == pytest.approx(1, abs=1e-5)
        assert rows.dtype == np.float32

    def test_vectors_of_other_lengths_are_the_same_where_unit_rows_are_asked_for(self, queries):
        made = QueryInputs(["vector", "task"], unit=True).fit(queries)
        twice = replace(queries, vectors=2 * queries.vectors)
        np.testing.assert_allclose(made.rows(twice), made.rows(queries), rtol=1e-6)

    def test_an_unknown_task_and_none_are_zeros(self, queries):
        made = QueryInputs(["task"]).fit(queries)
        for task in (None, "never seen"):
            assert not made.rows(with_tasks(queries, task)).any()

    def test_equal_lengths_are_zeros(self, queries):
        same = replace(queries, chars=np.full_like(queries.chars, 40))
        assert np.abs(QueryInputs(["length"]).fit(same).rows(same)).max() < 1e-9
