"""A comparison, a training and an evaluation go on where the last digits of what is computed have changed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from fakes import Last, Means

import graphrouter as gr
from graphrouter.encoders import GivenVectors, LogVectors, TfidfEncoder
from graphrouter.errors import UserError
from graphrouter.evaluation import compare
from graphrouter.log import LLMLog
from graphrouter.testing.logs import make_log

REPO = Path(__file__).parents[2]


class Elsewhere(TfidfEncoder):
    """Learns what TF-IDF learns on another processor each time: the same but for the last digits."""

    fits = 0

    def fit(self, texts: Sequence[str]) -> Self:
        super().fit(texts)
        Elsewhere.fits += 1
        state = self.get_state()
        return self.set_state(state | {"axes": state["axes"] * np.float32(1 + 1e-6 * Elsewhere.fits)})


@pytest.fixture
def log() -> LLMLog:
    return make_log(150)


def scale_of(folder: Path) -> float:
    with np.load(folder / "outcomes" / "seed0.npz") as kept:
        return float(json.loads(str(kept["about"]))["cost_scale"])


def test_what_an_encoder_learns_does_not_identify_a_comparison(log: LLMLog, tmp_path: Path) -> None:
    compare(log, Elsewhere(16), [Means()], seeds=[0], out=tmp_path, tune=False)
    scale, before = scale_of(tmp_path), Elsewhere.fits
    done = compare(log, Elsewhere(16), [Means(), Last()], seeds=[0, 1], out=tmp_path, tune=False)
    assert Elsewhere.fits > before
    assert len(done.results["router"].unique()) == 2
    assert scale_of(tmp_path) == scale
    with pytest.raises(UserError, match=r'another encoder \("tfidf:16", not "tfidf:8"\)'):
        compare(log, Elsewhere(8), [Means(), Last()], seeds=[0, 1], out=tmp_path, tune=False)


def test_vectors_that_are_given_identify_it_by_their_numbers(log: LLMLog, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(log.queries.height, 4))
    compare(log, vectors, ["best_single"], seeds=[0], out=tmp_path)
    compare(log, GivenVectors(vectors.copy()), ["best_single", "knn"], seeds=[0], out=tmp_path)
    with pytest.raises(UserError, match="another encoder"):
        compare(log, vectors + 0.1, ["best_single", "knn"], seeds=[0], out=tmp_path)


def test_the_identity_of_each_encoder(log: LLMLog) -> None:
    import polars as pl

    assert TfidfEncoder(8).fit(["a b c", "b c d"]).given(log) == "tfidf:8"
    vectors = np.arange(2.0 * log.queries.height).reshape(-1, 2) + 1

    def with_vectors(values: np.ndarray) -> LLMLog:
        queries = log.queries.with_columns(vector=pl.Series(values.tolist(), dtype=pl.List(pl.Float64)))
        return LLMLog("v", queries, log.llms, log.records)

    ids = [LogVectors().given(with_vectors(values)) for values in (vectors, vectors.copy(), vectors * 2)]
    assert ids[0] == ids[1] != ids[2]
    with pytest.raises(UserError, match="column 'vector'"):
        LogVectors().given(log)


def test_a_folder_of_an_earlier_version_is_refused(log: LLMLog, tmp_path: Path) -> None:
    (tmp_path / "predictions").mkdir()
    with pytest.raises(UserError, match="earlier version.*name another folder, and run again"):
        compare(log, "tfidf:16", [Means()], seeds=[0], out=tmp_path, tune=False)


def start(threads: int, *words: str) -> "subprocess.Popen[str]":
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-m", "graphrouter", *words, "--device", "cpu", "--quiet"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_at(process: "subprocess.Popen[str]", file: Path) -> None:
    until = time.monotonic() + 120
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    log = gr.load_log("micropool")
    return str(log.take(np.arange(0, log.queries.height, 12)).save(tmp_path_factory.mktemp("logs") / "few"))


def test_a_killed_comparison_goes_on_with_other_threads(folder: str, tmp_path: Path) -> None:
    words = ["compare", folder, "--routers", "knn,mlp", "--seeds", "1", "--encoder", "tfidf:64", "mlp.steps=1200"]
    words += ["mlp.patience=1200", "--tune-by", "none", "--out", str(tmp_path)]
    kill_at(start(1, *words), tmp_path / "runs" / "knn-seed0" / "run.json")
    stamp = (tmp_path / "runs" / "knn-seed0" / "run.json").stat().st_mtime_ns
    process = start(2, *words)
    said = process.communicate()
    assert process.returncode == 0, said
    assert (tmp_path / "runs" / "knn-seed0" / "run.json").stat().st_mtime_ns == stamp
    assert (tmp_path / "runs" / "mlp-seed0" / "run.json").exists()


def test_a_killed_training_goes_on_with_other_threads(folder: str, tmp_path: Path) -> None:
    words = ["train", folder, "--router", "mlp", "--encoder", "tfidf:64", "mlp.steps=800", "mlp.patience=800"]
    out = tmp_path / "router"
    kill_at(start(1, *words, "--out", str(out)), out / "checkpoint.pt")
    process = start(2, *words, "--out", str(out))
    said = process.communicate()
    assert process.returncode == 0, said
    assert (out / "router.json").exists()
    assert not list(out.glob("checkpoint*"))


class TestNames:
    def test_names_do_as_objects_do(self, log: LLMLog, tmp_path: Path) -> None:
        named = gr.compare(log, "tfidf:8", ["knn"], seeds=range(1), out=tmp_path / "a", scenarios=["balance"])
        made = [gr.find_router("knn")()]
        scenario = [gr.find_scenario("balance")]
        as_objects = gr.compare(log, TfidfEncoder(8), made, seeds=range(1), out=tmp_path / "b", scenarios=scenario)
        assert named.results.equals(as_objects.results)

    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"encoder": "nonsense"}, "an encoder must be"),
            ({"encoder": 3}, "an encoder must be a name, an Encoder or an array"),
            ({"encoder": TfidfEncoder}, "an encoder must be a name, an Encoder or an array"),
            ({"encoder": np.ones((3, 2))}, "must hold a row of numbers for each of the 150 queries"),
            ({"routers": ["kn"]}, "unknown router 'kn'"),
            ({"routers": "knn"}, "routers must be a list of names or routers, but is a str"),
            ({"routers": [Means]}, "a router must be a name or a Router, but is the class Means"),
            ({"routers": {"a": 3}}, "a router must be a name or a Router, but is a int"),
            ({"seeds": 3}, "seeds must be one or more different numbers, as range"),
            ({"scenarios": ["balanced"]}, "balance"),
            ({"log": 3}, "a log must be a name, a folder, a DataFrame or an LLMLog, but is a int"),
        ],
    )
    def test_other_things_are_refused(self, log: LLMLog, tmp_path: Path, changed: dict, says: str) -> None:
        asked = {"log": log, "encoder": "tfidf:8", "routers": ["best_single"], "seeds": [0], "out": tmp_path / "out"}
        with pytest.raises(UserError, match=says):
            gr.compare(**{**asked, **changed})
        assert not (tmp_path / "out" / "runs").exists()

    def test_train_says_the_same(self, log: LLMLog) -> None:
        with pytest.raises(UserError, match="a log must be a name, a folder, a DataFrame or an LLMLog"):
            gr.train(3, "knn")
        with pytest.raises(UserError, match="a router must be a name or a Router"):
            gr.train(log, Means)
