"""Text of a report: findings, what ran, and how it was measured."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from graphrouter.evaluation.bootstrap import FEW, RESAMPLES
from graphrouter.evaluation.report.numbers import number
from graphrouter.evaluation.report.sections.tables import difference
from graphrouter.evaluation.report.view import View

INTERVAL_NOTES = {
    "fitted": "So an interval is about these fitted routers. It says nothing of other splits or random starts, and over fresh "
    "logs it can hold the true difference of two methods in less than 95% of cases; an interval for methods is wider.",
    "methods": "So an interval is about the methods. Deviations of seeds are enlarged by what they miss of the variance over fresh "
    "logs, because seeds share queries (Nadeau and Bengio, 2003). With few seeds it is rough.",
}


def title(view: View) -> str:
    """Return the heading."""
    config = view.evaluation.config
    return f"{'Routers compared' if config['kind'] == 'compare' else 'Router evaluated'} on {config['log']['label']}"


def banners(view: View) -> list[str]:
    """Return the warnings that come before any number."""
    log = view.evaluation.config["log"]
    notes = [] if view.support.routable else [view.support.sentence]
    if log["simulated"]:
        notes.append("Simulated log: no LLM was asked. Nothing here says how good a real LLM or router is.")
    if log["cost_estimated"]:
        notes.append("Cost is estimated, from lengths and assumed prices: the log does not record it.")
    return notes


def findings(view: View) -> Iterator[tuple[str, Markup]]:
    """Say in each scenario how ours, or else the best router, stands against the best baseline."""
    for scenario in view.scenarios if view.support.routable else [""]:
        key = view.leading(scenario)
        fair = [name for name in view.ranked(*key) if name not in view.oracles]
        what = "reward" if scenario else "negative log-likelihood"
        for router in view.ours or fair[:1]:
            row = view.row(router, *key)
            if row is not None:
                said = Markup("{} reaches a mean {} of {}").format(router, what, number(row["mean"]))
                if row["difference"] is not None:
                    rest = (row["best_baseline"], view.comparator, difference(row, key[1]))
                    said += Markup("; against {}, {}: {}").format(*rest)
                yield scenario or "predicted quality", said


def noise(view: View) -> list[str]:
    """Say what the log lets one gain, and how much of it may be luck."""
    return list(view.noise.sentences()) if view.noise else []


def ran(view: View) -> list[tuple[str, str]]:
    """Return terms and texts on what was run."""
    evaluation, config = view.evaluation, view.evaluation.config
    log, code = config["log"], config["provenance"]
    commits = {
        str(entry["commit"]) for entries in evaluation.about.values() for entry in entries if entry.get("commit")
    }
    tuning = "none: hyperparameters as given"
    if config.get("tune"):
        tuning = f"up to {config['settings']} settings of each router, chosen on validation by {config['tune_by']}"
        other = {
            router: measure
            for router, entries in evaluation.about.items()
            for entry in entries
            if (measure := entry.get("tuned_by", config["tune_by"])) != config["tune_by"]
        }
        tuning += "".join(f"; {router} by {measure}, which suits it" for router, measure in other.items())
    versions = ", ".join(f"{name} {version}" for name, version in code["packages"].items())
    return [
        ("Log", f"{log['label']}: {log['queries']:,} queries, {len(log['llms'])} LLMs, {log['tasks']} tasks"),
        ("Queries", _sizes(view)),
        ("Routers", ", ".join(config["routers"])),
        ("Tuning", tuning if config["kind"] == "compare" else ""),
        ("Trained on", config.get("trained_on", "")),
        ("Encoder", config["encoder"]),
        ("Commit", ", ".join(sorted(commits)) or code["commit"] or "not from a git checkout"),
        ("Versions", f"Python {code['python']}, {versions}"),
    ]


def _sizes(view: View) -> str:
    """Sizes of the splits, seeds of equal sizes together."""
    alike: dict[str, list[str]] = {}
    for seed, parts in view.evaluation.sizes.items():
        sizes = ", ".join(f"{count:,} {'scored' if part == 'all' else part}" for part, count in parts.items())
        alike.setdefault(sizes, []).append(str(seed))
    return "; ".join(f"{sizes} (seed {', '.join(seeds)})" for sizes, seeds in alike.items())


def notes(view: View) -> list[str]:
    """Return how it was measured."""
    config = view.evaluation.config
    found = [
        "A router's choice is its LLM of the highest utility among those that the log has an outcome for; so is the oracle's.",
        view.support.sentence,
        f"Intervals: {view.interval}. They are percentile intervals of a bootstrap with {RESAMPLES:,} resamples ({FEW} for "
        "AUROC and for the curves and their metrics). Queries of equal text are drawn together, in all seeds, and all routers "
        "are scored on the same draws, so that differences are paired.",
        INTERVAL_NOTES[config.get("interval", "fitted")],
    ]
    if config["kind"] == "evaluate":
        return [
            *found,
            "The LLMs in the tables are references: each is asked for every query (where the log has no outcome of it, the "
            "next best). The best of them is known in hindsight only, from the evaluated outcomes.",
            "Cost scale: the mean cost of the costliest LLM on the training queries of the router.",
        ]
    return [
        *found,
        "The best baseline is the one of the best mean on these same queries, which favours the baselines.",
        "The best single LLM and the mixture of LLMs are the best in hindsight, on the evaluated queries.",
        "Cost scale: the mean cost of the costliest LLM on the training queries of each seed.",
    ]
