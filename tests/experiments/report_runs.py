"""Results folders for tests of the report: a real run, and many made from its record."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.runs.config import read_run
from experiments.runs.execute import execute
from graphrouter.evaluation.finished import FinishedRun
from graphrouter.evaluation.store import share_outcomes, write_predictions, write_record
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


def many_runs(out: Path, kept: Path, configurations: int, seeds: int, evaluations: int = 40) -> None:
    """Write runs made from a real one: settings that vary, of which two matter, and noise.

    ``alpha`` lowers the loss, ``relations`` without ``similar_to`` raise it; ``width`` does nothing for it.
    """
    record = json.loads((kept / "run.json").read_text())
    run = FinishedRun(kept, record)
    done, outcomes = run.predictions, run.outcomes
    cells = np.arange(len(outcomes.groups)) % 5 + 1  # as in a log with missing cells
    performance = np.where(np.arange(5) < cells[:, None], outcomes.performance, np.nan)
    outcomes = replace(outcomes, performance=performance)
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
                {"label": "gnn", "step": 20 * (1 + place), "train_loss": 0.6 + 0.1 / (1 + place),
                 "validation_loss": 0.6 + shift + 0.2 / (1 + place)}
                for place in range(evaluations)
            ]  # fmt: skip
            made["metrics"]["validation/auroc"] = 0.6 + 0.001 * width / 512 + 0.01 * (number == 17)
            noise = random.normal(shift, 0.05, len(cells))[:, None]
            solved = np.exp(-noise) * done.quality, 1 - np.exp(-noise) * (1 - done.quality)
            quality = np.where(performance > 0.5, *solved).clip(
                0.01, 0.99
            )  # the NLL moves by the noise, no choice does
            folder = out / "runs" / made["id"]
            made["outcomes"] = share_outcomes(folder, outcomes)
            write_predictions(folder, replace(done, quality=quality), run.scenarios, outcomes.cost_scale)
            write_record(folder, made)
