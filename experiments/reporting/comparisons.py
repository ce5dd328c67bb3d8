"""The folder of a ``graphrouter compare`` -> the same records as those of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.reporting.records import FINISHED, Run, Values
from graphrouter import metrics
from graphrouter.errors import UserError
from graphrouter.evaluation.rows import query_table, record_of
from graphrouter.evaluation.store import Config, Outcomes, Predictions, Store
from graphrouter.scenario import Scenario


def read_comparison(folder: Path) -> list[Run]:
    """Read a comparison: one run per router and seed. The first of its own routers is the base.

    Raises:
        UserError: If the folder holds another thing than a comparison, or one that has not ended.
    """
    store = Store(folder)
    config = store.config()
    if not isinstance(config, dict) or config.get("kind") != "compare":
        raise UserError(f"{folder} must hold a comparison, but its config.json is of another kind; name another folder")
    scenarios = [Scenario(**scenario) for scenario in config["scenarios"]]
    base = next((name for name in config["ours"] if name in config["routers"]), None)
    return [
        _run(config, outcomes, given, references, scenarios, (str(folder), label, seed, label == base))
        for seed in config["seeds"]
        for outcomes in [store.outcomes(seed)]
        for references in [_references(outcomes, scenarios)]
        for label in config["routers"]
        for given in [store.predictions(label, seed)]
    ]


def _run(
    config: Config,
    outcomes: Outcomes,
    given: Predictions,
    references: dict[str, Predictions],
    scenarios: list[Scenario],
    about: tuple[str, str, int, bool],
) -> Run:
    source, label, seed, base = about
    llms = config["log"]["llms"]
    record = record_of(outcomes, given, references, scenarios, llms)
    if "validation" in given.about:
        record["metrics"][f"validation/{config['tune_by']}"] = float(given.about["validation"])
    commit = given.about.get("commit") or config["provenance"]["commit"]
    return Run(
        id=f"{label}-s{seed}",
        source=source,
        status=FINISHED,
        kind="compare",
        group="oracle" if config["routers"][label]["oracle"] else None,
        name=label,
        base=base,
        settings=_settings(config, given, label, seed),
        provenance={**config["provenance"], "commit": commit},
        seconds=given.about.get("tune_seconds"),
        queries=query_table(outcomes, given, scenarios, llms),
        **record,
    )


def _settings(config: Config, given: Predictions, label: str, seed: int) -> Values:
    hyperparameters = given.about.get("hyperparameters", config["routers"][label]["hyperparameters"])
    return {
        "log": config["log"]["name"],
        "estimate_cost": config["log"]["cost_estimated"],
        "router": label,
        "encoder": config["encoder"],
        "seed": seed,
        "protocol": "by_query",
        **{f"{label}.{key}": value for key, value in hyperparameters.items()},
    }


def _references(outcomes: Outcomes, scenarios: list[Scenario]) -> dict[str, Predictions]:
    """The LLM that is best in each scenario in hindsight, asked for every query, and the oracle."""
    rewards = {scenario.name: outcomes.rewards(scenario) for scenario in scenarios}
    single = {name: np.zeros(values.shape) for name, values in rewards.items()}
    for name, values in rewards.items():
        single[name][:, metrics.best_single(values)] = 1.0
    return {
        name: Predictions(None, outcomes.cost, utility, {})
        for name, utility in (("best_single", single), ("oracle", rewards))
    }
