"""Results folders for tests of the report: a real run, and many made from its record."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from experiments.runs.config import read_run
from experiments.runs.execute import execute
from graphrouter.log import load_log


def small_log(folder: Path, name: str = "small") -> str:
    """Save 420 queries and five LLMs of the packaged log."""
    log = load_log("micropool")
    rows = np.arange(0, log.queries.height, 10)
    return str(log.take_llms(list(log.llm_names[:5])).take(rows).save(folder / name))


def real_run(folder: Path, log: str, **values) -> dict:
    """Run one router, and return its record."""
    values = {"log": log, "router": "linear", "encoder": "tfidf:16", **values}
    return execute(
        read_run(values), folder, about={"id": folder.name, "kind": "ablation", "name": "base", "base": True}
    )


def many_runs(out: Path, kept: Path, configurations: int, seeds: int, epochs: int = 40) -> None:
    """Write runs made from a real one: settings that vary, of which two matter, and noise.

    ``alpha`` lowers the loss, ``relations`` without ``similar_to`` raise it; ``width`` does nothing for it.
    """
    record = json.loads((kept / "run.json").read_text())
    queries = pl.read_parquet(kept / "queries.parquet")
    queries = queries.with_columns(cells=pl.int_range(pl.len()) % 5 + 1)  # as in a log with missing cells
    random = np.random.default_rng(0)
    for number in range(configurations):
        alpha, width, lacking = (
            random.uniform(),
            int(2 ** random.integers(4, 9)),
            bool(random.integers(2)) and number > 0,
        )
        relations = ["belongs_to", "answered_by"] + ([] if lacking else ["similar_to"])
        for seed in range(seeds):
            made = json.loads(json.dumps(record))
            shift = -0.1 * alpha + 0.05 * lacking + 0.004 * random.standard_normal()
            made |= {
                "id": f"c{number:03}-s{seed}",
                "base": number == 0,
                "name": "base" if number == 0 else f"c{number:03}",
            }
            made["group"] = None if number == 0 else "relations" if lacking else "alpha"
            made["settings"] |= {"gnn.alpha": alpha, "gnn.width": width, "gnn.relations": relations, "seed": seed}
            made["config"]["seed"] = seed
            for key in ("validation/nll", "test/nll"):
                made["metrics"][key] += shift
            made["history"] = [
                {"label": "gnn", "epoch": epoch, "train_loss": 0.6 + 0.1 / (1 + epoch),
                 "validation_loss": 0.6 + shift + 0.2 / (1 + epoch)}
                for epoch in range(epochs)
            ]  # fmt: skip
            made["metrics"]["validation/auroc"] = 0.6 + 0.001 * width / 512 + 0.01 * (number == 17)
            noise = random.normal(shift, 0.05, queries.height)
            folder = out / "runs" / made["id"]
            folder.mkdir(parents=True)
            queries.with_columns(pl.col("nll") + pl.Series(noise)).write_parquet(folder / "queries.parquet")
            (folder / "run.json").write_text(json.dumps(made, indent=1))
