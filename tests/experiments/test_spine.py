from pathlib import Path

import polars as pl
import pytest

from experiments.spine import main

COLUMNS = (
    "log",
    "router",
    "scenario",
    "metric",
    "mean",
    "best_baseline",
    "difference",
    "difference_low",
    "difference_high",
)
ROWS = [
    ("toy", "gnn", None, "nll", 0.4, "knn", -0.1, -0.2, -0.05),
    ("toy", "knn", None, "nll", 0.5, "knn", 0.0, 0.0, 0.0),
    ("toy", "graphrouter", None, "nll", 0.7, "knn", 0.2, 0.1, 0.3),
]


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    pl.DataFrame(ROWS, schema=COLUMNS, orient="row").write_csv(tmp_path / "summary.csv")
    return tmp_path


def test_the_tables_hold_the_paired_difference_and_rank_the_routers(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(finished)]) == 0
    out = capsys.readouterr().out
    assert "| toy | nll | 0.4000 | knn 0.5000 | -0.1000 [-0.2000, -0.0500] |" in out
    assert (
        out.index("| gnn | 0.4000 | 0.4000 |") < out.index("| knn | 0.5000 |") < out.index("| graphrouter | 0.7000 |")
    )


@pytest.mark.parametrize("rows", [None, ROWS[1:]])
def test_a_folder_without_a_whole_comparison_is_refused(
    rows: list[tuple[object, ...]] | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if rows:
        pl.DataFrame(rows, schema=COLUMNS, orient="row").write_csv(tmp_path / "summary.csv")
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
