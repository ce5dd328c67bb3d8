from pathlib import Path

import numpy as np
import polars as pl
import pytest

from experiments.over_logs import MEAN, differences_over_logs
from experiments.spine import main
from graphrouter.config import make_router
from graphrouter.errors import UserError
from graphrouter.evaluation import compare
from graphrouter.simulate import simulate


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = []
    for seed in (1, 2):
        made.append(tmp_path_factory.mktemp("comparison"))
        routers = {name: make_router(name) for name in ("best_single", "knn")}
        compare(simulate(120, 3, 4, seed=seed), "tfidf", routers, seeds=range(2), out=made[-1], interval="methods")
    return made


@pytest.mark.parametrize(("scenario", "metric"), [("", "nll"), ("performance_first", "reward")])
def test_rows_are_those_of_the_summaries_and_their_mean(folders: list[Path], scenario: str, metric: str) -> None:
    rows = [row for _, row in differences_over_logs(folders, "knn", "best_single", scenario, metric)]
    wanted = []
    for folder in folders:
        summary = pl.read_csv(folder / "summary.csv").with_columns(pl.col("scenario").fill_null(""))
        part = summary.filter((pl.col("scenario") == scenario) & (pl.col("metric") == metric))
        mean = dict(part.select("router", "mean").iter_rows())
        wanted.append(mean["knn"] - mean["best_single"])
    values = [row.value for row in rows]
    np.testing.assert_allclose(values, [*wanted, np.mean(wanted)], atol=1e-6)
    # The logs are independent, so the mean of two is known about 1 / sqrt(2) as well as one of them.
    alone = np.sqrt(np.mean([row.error**2 for row in rows[:-1]]) / 2)
    assert rows[-1].error == pytest.approx(alone, rel=0.15)


def test_the_command_prints_them(folders: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folders[0]), "--against", "knn"]) == 2
    assert "must have the router gnn" in capsys.readouterr().err


def test_an_unknown_router_is_refused(folders: list[Path]) -> None:
    with pytest.raises(UserError, match="must compare mlp, but has best_single, knn"):
        differences_over_logs(folders, "knn", "mlp", "", "nll")


def test_one_log_has_no_mean(folders: list[Path]) -> None:
    assert MEAN not in dict(differences_over_logs(folders[:1], "knn", "best_single", "", "nll"))
