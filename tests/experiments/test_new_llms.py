import json

import numpy as np
import polars as pl
import pytest
import yaml

from experiments.ablate import main
from graphrouter.log import load_log

SHOTS = [0, 20]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A grid that leaves two LLMs out, one after the other."""
    folder = tmp_path_factory.mktemp("new")
    log = load_log("micropool")
    rows = np.arange(0, log.queries.height, log.queries.height // 300)
    best = np.argsort(np.nanmean(log.cells("performance"), axis=0))[-4:]
    names = [log.llm_names[column] for column in best]
    log.take_llms(names).take(rows).save(folder / "log")
    routers = ["knn", "best_single"]
    grid = {
        "base": {"log": str(folder / "log"), "router": "knn", "encoder": "tfidf:16", "protocol": "leave_llm_out"},
        "seeds": 2,
        "over": {"held_out": names[:2]},
        "factors": {
            "shots": {"product": {"router": routers, "shots": SHOTS}, "against": "router"},
            "fitted anew": {
                "base": {"protocol": "by_query", "held_out": None},
                "over": {},
                "product": {"router": routers},
            },
        },
    }
    (folder / "g.yaml").write_text(yaml.safe_dump(grid, sort_keys=False))
    assert main(["--config", str(folder / "g.yaml"), "--out", str(folder / "out"), "--jobs", "1", "--quiet"]) == 0
    return folder / "out"


def records(out, **wanted):
    found = [json.loads(file.read_text()) for file in (out / "runs").glob("*/run.json")]
    return [one for one in found if all(one["config"][key] == value for key, value in wanted.items())]


def mean(found, name):
    return pytest.approx(np.mean([record["metrics"][name] for record in found]), rel=1e-6)


@pytest.mark.parametrize("router", ["knn", "best_single"])
def test_a_new_llm_is_compared_with_leaving_it_out_and_with_fitting_anew(finished, router):
    table = pl.read_csv(finished / "new_llms.csv").filter(pl.col("router") == router)
    assert len(table) == len(SHOTS) * 3
    anew = records(finished, router=router, protocol="by_query")
    assert len(anew) == 2
    for shots in SHOTS:
        row = table.filter((pl.col("shots") == shots) & (pl.col("scenario") == "performance_first")).row(0, named=True)
        runs = records(finished, router=router, protocol="leave_llm_out", shots=shots)
        assert len(runs) == row["units"] == 4
        rewards = np.array([run["metrics"]["test/performance_first/reward"] for run in runs])
        without = np.array([run["metrics"]["test/performance_first/without/reward"] for run in runs])
        ceiling = {run["config"]["seed"]: run["metrics"]["test/performance_first/reward"] for run in anew}
        assert row["reward"] == pytest.approx(rewards.mean())
        assert row["picked"] == mean(runs, "test/performance_first/new/picked")
        assert row["best"] == mean(runs, "test/performance_first/new/best")
        assert row["nll"] == mean(runs, "test/new/nll")
        assert row["gain"] == pytest.approx((rewards - without).mean())
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
        losses = [ceiling[run["config"]["seed"]] - reward for run, reward in zip(runs, rewards, strict=True)]
        assert row["loss"] == pytest.approx(np.mean(losses))
        held_out = {run["config"]["held_out"] for run in runs}
        edges = [one["nll"] for run in anew for one in run["llms"] if one["llm"] in held_out]
        assert row["anew_nll"] == pytest.approx(np.mean(edges))


def test_routers_are_compared_at_the_same_number_of_logged_queries(finished):
    table = pl.read_csv(finished / "table.csv").filter((pl.col("metric") == "nll") & (pl.col("name") != "base"))
    rows = {row["name"]: (row["against"], row["units"]) for row in table.iter_rows(named=True)}
    assert rows["best_single, shots=20"] == ("knn, shots=20", 4)
    assert rows["best_single"] == ("base", 2 + 2)
    lines = (finished / "new_llms.md").read_text().splitlines()
    assert sum(line.startswith("| knn |") for line in lines) == len(SHOTS) * 3
    assert (finished / "figures" / "shots-nll.svg").exists()
