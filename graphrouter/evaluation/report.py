"""report.html: what was measured, in one page that needs nothing else."""

from __future__ import annotations

from html import escape

from graphrouter.evaluation.bootstrap import FEW, RESAMPLES
from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.curves import curve_section
from graphrouter.evaluation.figures import edge_section, share_section
from graphrouter.evaluation.page import definitions, number, page
from graphrouter.evaluation.store import Config
from graphrouter.evaluation.tables import difference, scenario_section, task_section, time_section
from graphrouter.evaluation.view import View

INTERVAL_NOTES = {
    "fitted": "So an interval is about these fitted routers. It says nothing of other splits or random starts, and over fresh "
    "logs it can hold the true difference of two methods in less than 95% of cases; an interval for methods is wider.",
    "methods": "So an interval is about the methods. Deviations of seeds are enlarged by what they miss of the variance over fresh "
    "logs, because seeds share queries (Nadeau and Bengio, 2003). With few seeds it is rough.",
}


def render_report(evaluation: Evaluation) -> str:
    """Return the page."""
    view = View(evaluation)
    config = evaluation.config
    title = f"{'Routers compared' if config['kind'] == 'compare' else 'Router evaluated'} on {config['log']['label']}"
    sections = [
        f"<h1>{escape(title)}</h1>",
        _banners(config["log"], view),
        _findings(view),
        _what_ran(evaluation),
        *(scenario_section(view, scenario) for scenario in view.scenarios),
        edge_section(view),
        curve_section(view),
        task_section(view),
        share_section(view),
        time_section(view),
        _notes(config, view),
    ]
    return page(title, "\n".join(section for section in sections if section))


def _banners(log: Config, view: View) -> str:
    notes = [] if view.support.routable else [escape(view.support.sentence)]
    if log["simulated"]:
        notes.append("Simulated log: no LLM was asked. Nothing here says how good a real LLM or router is.")
    if log["cost_estimated"]:
        notes.append("Cost is estimated, from lengths and assumed prices: the log does not record it.")
    return "".join(f'<div class="banner">{note}</div>' for note in notes)


def _findings(view: View) -> str:
    """Say in each scenario how ours, or else the best router, stands against the best baseline."""
    items = []
    for scenario in view.scenarios if view.support.routable else [""]:
        key = view.leading(scenario)
        fair = [name for name in view.ranked(*key) if name not in view.oracles]
        what, where = ("reward", scenario) if scenario else ("negative log-likelihood", "predicted quality")
        for router in view.ours or fair[:1]:
            row = view.row(router, *key)
            if row is None:
                continue
            sentence = f"<b>{escape(where)}</b>: {escape(router)} reaches a mean {what} of {number(row['mean'])}"
            if row["difference"] is not None:
                sentence += f"; against {escape(row['best_baseline'])}, {view.rival}: {difference(row, key[1])}"
            items.append(f"<li>{sentence}</li>")
    return f'<ul class="finding">{"".join(items)}</ul>'


def _what_ran(evaluation: Evaluation) -> str:
    config = evaluation.config
    log, code = config["log"], config["provenance"]
    commits = {
        str(entry["commit"]) for entries in evaluation.about.values() for entry in entries if entry.get("commit")
    }
    tuning = "none: hyperparameters as given"
    if config.get("tune"):
        tuning = f"up to {config['settings']} settings of each router, chosen on validation by {config['tune_by']}"
    versions = ", ".join(f"{name} {version}" for name, version in code["packages"].items())
    size = f"{log['queries']:,} queries, {len(log['llms'])} LLMs, {log['tasks']} tasks"
    pairs = [
        ("Log", f"{log['label']}: {size}"),
        ("Queries", _sizes(evaluation)),
        ("Routers", ", ".join(config["routers"])),
        ("Tuning", tuning if config["kind"] == "compare" else ""),
        ("Trained on", config.get("trained_on", "")),
        ("Encoder", config["encoder"]),
        ("Commit", ", ".join(sorted(commits)) or code["commit"] or "not from a git checkout"),
        ("Versions", f"Python {code['python']}, {versions}"),
    ]
    return "<h2>What ran</h2>" + definitions([(term, value) for term, value in pairs if value])


def _sizes(evaluation: Evaluation) -> str:
    """Sizes of the splits, seeds of equal sizes together."""
    alike: dict[str, list[str]] = {}
    for seed, parts in evaluation.sizes.items():
        sizes = ", ".join(f"{count:,} {'scored' if part == 'all' else part}" for part, count in parts.items())
        alike.setdefault(sizes, []).append(str(seed))
    return "; ".join(f"{sizes} (seed {', '.join(seeds)})" for sizes, seeds in alike.items())


def _notes(config: Config, view: View) -> str:
    notes = [
        "A router's choice is its LLM of the highest utility among those that the log has an outcome for; so is the oracle's.",
        *([view.support.sentence] if view.support.sentence else []),
        f"Intervals: {view.interval}. They are percentile intervals of a bootstrap with {RESAMPLES:,} resamples ({FEW} for "
        "AUROC and for the metrics of the curves). Queries of equal text are drawn together, in all seeds, and all routers "
        "are scored on the same draws, so that differences are paired.",
        INTERVAL_NOTES[config.get("interval", "fitted")],
        "The best baseline is the one of the best mean on these same queries, which favours the baselines.",
        "The best single LLM and the mixture of LLMs are the best in hindsight, on the evaluated queries.",
        "Cost scale: the mean cost of the costliest LLM on the training queries of each seed.",
    ]
    if config["kind"] == "evaluate":
        notes[-3:] = [
            "The LLMs in the tables are references: each is asked for every query (where the log has no outcome of it, the "
            "next best). The best of them is known in hindsight only, from the evaluated outcomes.",
            "Cost scale: the mean cost of the costliest LLM on the training queries of the router.",
        ]
    return "<h2>How it was measured</h2><ul>" + "".join(f"<li><p>{escape(note)}</p></li>" for note in notes) + "</ul>"
