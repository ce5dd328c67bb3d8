"""Whether runs have the metric that a sweep is to optimise, before any of them is run."""

from __future__ import annotations

from experiments.runs.config import RunConfig
from experiments.runs.data import scored_by
from experiments.sweeps.file import Sweep
from graphrouter.errors import UserError, suggest
from graphrouter.evaluation.record import metric_names
from graphrouter.scenario import SCENARIOS

OF_DATA = ("log", "scenarios", "estimate_cost", "protocol", "held_out", "llms")
"""Fields of a run that decide which metrics it has."""


def check_metric(sweep: Sweep, config: RunConfig | None) -> None:
    """Check that a run can have the sweep's metric.

    Args:
        sweep: Search space and method.
        config: A run with the values that the sweep fixes, whose log is looked at; None where the log is elsewhere.

    Raises:
        UserError: If it can not, or the log cannot be loaded.
    """
    searched = {parameter.name for parameter in sweep.searched}
    if config is None or searched.intersection(OF_DATA):
        scenarios, with_cost = list(SCENARIOS.values()), True
    else:
        scenarios, with_cost = scored_by(config)
    names = metric_names("validation", scenarios, with_cost)
    if sweep.metric.name in names:
        return
    if sweep.metric.name in metric_names("validation", list(SCENARIOS.values()), True):
        what = "a cost for every record" if not with_cost else "its scenario"
        raise UserError(
            f"the metric {sweep.metric.name!r} must be one that runs of the sweep have, but theirs lack {what}; "
            f"known: {', '.join(sorted(names))}"
        )
    raise UserError(
        f"no run has the metric {sweep.metric.name!r} of the sweep{suggest(sweep.metric.name, sorted(names))}"
    )
