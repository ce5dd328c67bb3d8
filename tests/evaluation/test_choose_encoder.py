from pathlib import Path

import numpy as np
import pytest

from graphrouter.cli import main
from graphrouter.encoders import find_encoders
from graphrouter.errors import UserError
from graphrouter.evaluation.encoders import format_scores, score_encoders
from graphrouter.evaluation.run import fit_router
from graphrouter.prepared import prepare
from graphrouter.routers.linear import Linear
from graphrouter.run import RunOptions
from graphrouter.splits import by_query
from graphrouter.testing import make_log

MODEL = Path(__file__).parents[1] / "models" / "mini-0.1m"
CPU = RunOptions(device="cpu")


@pytest.fixture(autouse=True)
def _cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHROUTER_CACHE", str(tmp_path / "cache"))


def test_the_encoder_that_tells_the_topic_is_first() -> None:
    log = make_log()
    noise = np.random.default_rng(0).normal(size=(log.queries.height, 8))
    told = np.array(
        [[text.startswith(topic) for topic in ("algebra", "history")] for text in log.queries["query"]], dtype=float
    )
    good = np.hstack([told, noise / 10])
    scores = score_encoders(log, [_spec(noise, "noise"), _spec(good, "good")], ["linear", "knn"], run=CPU)
    assert [score.encoder for score in scores] == ["good", "noise"]
    assert set(scores[0].nll) == {"linear", "knn"}
    assert scores[0].mean < scores[1].mean - 0.02
    assert format_scores(scores).splitlines()[3].startswith("good")


def _spec(vectors: np.ndarray, name: str) -> object:
    from graphrouter.encoders import GivenVectors

    made = GivenVectors(vectors)
    made.spec = name
    return made


def test_a_score_is_the_validation_likelihood_of_the_best_setting_over_seeds() -> None:
    log = make_log()
    [score] = score_encoders(log, ["tfidf:8"], ["linear"], seeds=[1, 2], settings=3, run=CPU)
    wanted = [fit_router(Linear(), prepare(log, "tfidf:8", seed=seed), settings=3) for seed in (1, 2)]
    assert score.nll["linear"] == pytest.approx(np.mean([one.about["validation"] for one in wanted]), abs=1e-12)


def test_test_outcomes_change_nothing() -> None:
    log = make_log()
    hidden = np.zeros((log.queries.height, len(log.llm_names)), dtype=bool)
    hidden[by_query(log, 0).test, 0] = True
    first, second = (score_encoders(one, ["tfidf:8"], run=CPU)[0].nll for one in (log, log.hide(hidden)))
    assert first == second


def test_each_is_an_encoder_for_each_layer_and_pooling() -> None:
    specs = [encoder.spec for encoder in find_encoders(f"causal:{MODEL}:layers=each:tokens=64", "cpu")]
    assert len(specs) == len(set(specs)) == 6
    assert f"causal:{MODEL}:layers=2:pooling=last:tokens=64" in specs
    assert [encoder.spec for encoder in find_encoders("tfidf")] == ["tfidf:128"]


def test_the_command_prints_the_table_and_names_the_best(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    make_log().save(tmp_path / "log")
    encoders = f"tfidf:8,causal:{MODEL}:layers=each"
    words = ["choose-encoder", str(tmp_path / "log"), "--encoders", encoders, "--settings", "1", "--device", "cpu"]
    assert main([*words, "--routers", "linear", "--quiet"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "NLL on validation queries"
    assert len(lines) == 3 + 7
    values = [float(line.split()[-1]) for line in lines[3:]]
    assert values == sorted(values)
    assert said.err.splitlines()[-1] == f"best on validation: --encoder {lines[3].split()[0]}"


def test_nothing_to_choose_from_and_one_twice_are_refused() -> None:
    with pytest.raises(UserError, match="one encoder or more must be given"):
        score_encoders(make_log(), [])
    with pytest.raises(UserError, match="named once, but tfidf:8 was named twice"):
        score_encoders(make_log(), ["tfidf:8", "tfidf:8"], ["linear"], run=CPU)
