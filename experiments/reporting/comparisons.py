"""The folder of a ``graphrouter compare`` -> the same records as those of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.reporting.records import FINISHED, Run, Values
from graphrouter import metrics
from graphrouter.errors import UserError
from graphrouter.evaluation.rows import curve_rows, query_table, scores_of, shares_of, task_rows
from graphrouter.evaluation.store import Config, Outcomes, Predictions, Store
from graphrouter.scenario import Scenario

Array = np.ndarray


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
    scores = scores_of("test", outcomes, [given, *references.values()], scenarios)
    if "validation" in given.about:
        scores[0][f"validation/{config['tune_by']}"] = float(given.about["validation"])
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
        metrics=scores[0],
        references=dict(zip(references, scores[1:], strict=True)),
        tasks=task_rows(outcomes, given, references, scenarios[0]),
        shares=shares_of(outcomes, given, llms),
        curve=curve_rows(outcomes, given, scenarios),
        llms=_llms(outcomes, llms),
        queries=query_table(outcomes, given, scenarios, llms) if given.quality is not None else None,
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


def _llms(outcomes: Outcomes, llms: list[str]) -> list[Values]:
    cost, performance = metrics.single_points(outcomes.performance.astype(np.float64), outcomes.cost)
    return [
        {"llm": llm, "cost": float(x) if np.isfinite(x) else None, "performance": float(y)}
        for llm, x, y in zip(llms, cost, performance, strict=True)
    ]
