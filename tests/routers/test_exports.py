import subprocess
import sys

import pytest

import graphrouter.routers
from graphrouter.errors import UserError
from graphrouter.routers import Router, find_router, router_names


@pytest.mark.parametrize("name", router_names())
def test_name_finds_the_class_of_that_name_which_says_its_source(name):
    found = find_router(name)
    assert issubclass(found, Router)
    assert found.name == name
    assert found.source
    assert getattr(graphrouter.routers, found.__name__) is found


@pytest.mark.parametrize(("name", "hint"), [("knm", "knn"), ("best_pertask", "best_per_task"), ("zzzzzz", "known: ")])
def test_unknown_name_is_refused_with_a_suggestion(name, hint):
    with pytest.raises(UserError, match=hint):
        find_router(name)


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="NoSuchRouter"):
        _ = graphrouter.routers.NoSuchRouter


def test_names_come_without_heavy_imports():
    code = (
        "import sys, graphrouter.routers as routers; routers.router_names(); "
        "before = {'torch', 'sklearn', 'polars', 'numpy'} & set(sys.modules); routers.find_router('kmeans'); "
        "after = {'torch', 'sklearn'} & set(sys.modules); sys.exit(f'{before} {after}' if before | after else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
