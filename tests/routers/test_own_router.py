"""Routers from outside the package: the manual's example keeps the contract, and the command line takes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from graphrouter.cli import main
from graphrouter.config import make_router, read_comparison, read_router
from graphrouter.errors import UserError
from graphrouter.log import load_log
from graphrouter.pipeline import RoutingPipeline, train
from graphrouter.routers import find_router, outside
from graphrouter.routers.base import Router
from graphrouter.testing import RouterContract

EXAMPLE = f"{Path(__file__).parents[2] / 'docs' / 'examples' / 'my_router.py'}:Kernel"

BODY = """
from dataclasses import dataclass
from graphrouter.routers.best_single import BestSingle

@dataclass(eq=False)
class {name}(BestSingle):
    k: int = 1
"""


class TestKernel(RouterContract):
    router = make_router(EXAMPLE)
    share_best = 0.9


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    """Leave no router, module or folder behind."""
    monkeypatch.setattr(outside, "_loaded", dict(outside._loaded))
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if name.startswith("own_"):
            del sys.modules[name]


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / f"{name}.py"
    file.write_text(text)
    return file


def test_train_and_route_with_a_router_from_a_file(tmp_path, capsys):
    assert main(["train", "micropool", "--router", EXAMPLE, "Kernel.sharpness=9", "--out", f"{tmp_path}/r"]) == 0
    assert f"--code {EXAMPLE}" in capsys.readouterr().err
    assert main(["route", f"{tmp_path}/r", "What is 2 + 2?"]) == 2
    error = capsys.readouterr().err
    assert "whose code is not run unasked" in error
    assert EXAMPLE in error
    assert error.count("\n") == 1
    assert main(["route", f"{tmp_path}/r", "--code", EXAMPLE, "What is 2 + 2?"]) == 0
    quality = json.loads(capsys.readouterr().out)["quality"]
    pipeline = train(load_log("micropool"), make_router(EXAMPLE, {"sharpness": 9.0}))
    assert pipeline.route(["What is 2 + 2?"])[0].quality == quality
    again = ["train", "micropool", "--config", f"{tmp_path}/r/config.yaml", "--out", f"{tmp_path}/again"]
    assert main([*again, "--quiet"]) == 0
    assert main(["route", f"{tmp_path}/again", "--code", EXAMPLE, "What is 2 + 2?"]) == 0
    assert json.loads(capsys.readouterr().out)["quality"] == quality


def test_a_class_given_in_python_is_loaded_and_another_is_not(tmp_path):
    kind = find_router(EXAMPLE)
    train(load_log("micropool"), kind()).save(tmp_path / "r")
    assert isinstance(RoutingPipeline.load(tmp_path / "r", router=kind).router, kind)
    with pytest.raises(UserError, match="holds the router 'kernel', but 'knn' was given"):
        RoutingPipeline.load(tmp_path / "r", router="knn")


def test_code_that_has_changed_since_is_told(tmp_path):
    file = write(tmp_path, "own_changing", BODY.format(name="Changing"))
    train(load_log("micropool"), make_router(f"{file}:Changing")).save(tmp_path / "r")
    file.write_text(file.read_text() + "\n# another version\n")
    with pytest.warns(UserWarning, match=r"own_changing\.py:Changing has changed"):
        RoutingPipeline.load(tmp_path / "r", router="changing")


def test_a_comparison_takes_it_by_file_and_then_by_name_or_class():
    typed = ["Kernel.sharpness=3", "kernel.strength=2"]
    config = read_comparison(None, typed, routers=["knn", EXAMPLE], ours=["Kernel"])
    assert config.routers == ["knn", "kernel"]
    assert config.ours == ["kernel"]
    assert config.hyperparameters == {"kernel": {"sharpness": 3, "strength": 2}}
    with pytest.raises(UserError, match="the command line, router kernel: unknown key 'sharpnes'"):
        read_comparison(None, ["kernel.sharpnes=3"], routers=[EXAMPLE])


def test_compare_runs_it_beside_the_others(tmp_path):
    options = ["--seeds", "1", "--quiet", "--encoder", "tfidf:8", "--out", str(tmp_path / "out")]
    assert main(["compare", "micropool", "--routers", f"best_single,{EXAMPLE}", *options]) == 0
    assert "kernel" in (tmp_path / "out" / "results.csv").read_text()


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (None, "Mine", "there is no"),
        (BODY.format(name="Mine"), "Min", "has no class 'Min'; did you mean 'Mine'"),
        ("Mine = 3\n", "Mine", "must be a class derived from graphrouter.Router"),
        ("import torch\nMine = unknown\n", "Mine", r"own_bad\.py, line 2: NameError: name 'unknown' is not defined"),
        ("class Mine(:\n", "Mine", r"own_bad\.py, line 1: SyntaxError"),
        ("import not_there_at_all\n", "Mine", "line 1: ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("from graphrouter import Router\nclass Mine(Router): pass\n", "Mine", "must define fit and predict"),
        (BODY.format(name="Mine").replace("@dataclass(eq=False)", ""), "Mine", r"'k' is no setting; put @dataclass"),
        (BODY.format(name="KNN"), "KNN", "is named 'knn', as another router is"),
    ],
)
def test_what_is_no_router_is_told_in_one_line(tmp_path, capsys, text, name, message):
    file = tmp_path / "own_bad.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=message):
        find_router(f"{file}:{name}")
    assert main(["train", "micropool", "--router", f"{file}:{name}", "--out", f"{tmp_path}/r"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_is_named_as_a_module_is_refused(tmp_path):
    with pytest.raises(UserError, match="must not be called as another module is, but 'json' is one"):
        find_router(f"{write(tmp_path, 'json', BODY.format(name='Mine'))}:Mine")


def test_a_class_is_found_in_a_module_that_can_be_imported(tmp_path, monkeypatch):
    (tmp_path / "own_package").mkdir()
    write(tmp_path / "own_package", "routers", BODY.format(name="Packed"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert read_router(name="own_package.routers:Packed", overrides=["Packed.k=3"]).k == 3
    with pytest.raises(UserError, match="there is no module 'own_package.missing'"):
        find_router("own_package.missing:Packed")


def test_an_installed_package_brings_routers_by_name(tmp_path, monkeypatch, capsys):
    write(tmp_path, "own_installed", BODY.format(name="Installed"))
    monkeypatch.syspath_prepend(str(tmp_path))
    about = tmp_path / "own_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: own-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[graphrouter.routers]\ninstalled = own_installed:Installed\n")
    outside.installed_routers.cache_clear()
    try:
        assert isinstance(read_router(name="installed", overrides=["installed.k=3"]), Router)
        train(load_log("micropool"), "installed").save(tmp_path / "r")
        assert RoutingPipeline.load(tmp_path / "r").router.name == "installed"
        assert main(["routers"]) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("installed ")
    finally:
        monkeypatch.undo()
        outside.installed_routers.cache_clear()


def test_a_comparison_does_not_mix_two_versions_of_a_file(tmp_path, capsys):
    file = write(tmp_path, "own_edited", BODY.format(name="Edited"))
    words = ["compare", "micropool", "--routers", f"{file}:Edited", "--seeds", "1", "--quiet", "--encoder", "tfidf:8"]
    assert main([*words, "--out", f"{tmp_path}/out"]) == 0
    file.write_text(file.read_text() + "\n# another version\n")
    assert main([*words, "--out", f"{tmp_path}/out"]) == 2
    assert "holds results with another edited.code" in capsys.readouterr().err
