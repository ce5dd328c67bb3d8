"""The section on what ran: counts, commits, versions, settings, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments.reporting.figure import names, say
from experiments.reporting.panels import NOT_VARIED, Panel, show, tails
from experiments.reporting.records import FAILED, STOPPED, UNFINISHED, UNREADABLE, Run
from graphrouter.evaluation.report.numbers import count


def facts(runs: Sequence[Run], panels: Sequence[Panel]) -> list[tuple[str, str]]:
    """Return a summary of all runs together: terms and texts."""
    started = sorted(run.started for run in runs if run.started)
    hours = sum(run.seconds or 0 for run in runs) / 3600
    short = tails({run.source for run in runs})  # a page is shared: it names no path of a machine
    folders = Counter(short[run.source] for run in runs).items()
    commits = _commits(runs).items()
    return [
        ("Runs", f"{len(runs):,}: {_counts(run.status for run in runs)}"),
        ("Kinds", _counts(run.kind for run in runs)),
        ("Folders", "; ".join(f"{source} ({number:,})" for source, number in folders)),
        ("Logs", "; ".join(f"{panel.title} ({count(len(panel.runs), 'run')})" for panel in panels) or "not known"),
        ("Started", " to ".join(dict.fromkeys((started[0][:16], started[-1][:16]))) if started else "not recorded"),
        ("Run time", f"{hours:,.2f} hours, summed over runs"),
        ("Commits", "; ".join(f"{commit} ({count(number, 'run')})" for commit, number in commits) or "not recorded"),
        ("Versions", _versions(runs)),
    ]


def shared_settings(panel: Panel) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return terms and texts on the runs of a panel, and the settings that all of them share."""
    fixed: dict[str, str] = {}
    for run in panel.finished:
        for key, value in run.settings.items():
            if key not in panel.varying and key not in NOT_VARIED:
                fixed[key] = show(value)
    seeds = sorted({run.seed for run in panel.finished})
    held_out = sorted({str(run.settings["held_out"]) for run in panel.finished if run.settings.get("held_out")})
    stopped = sum(run.status == STOPPED for run in panel.runs)
    pairs = [
        (
            "Stopped early",
            f"{count(stopped, 'run')}, in no figure: what was reached by then is no result" if stopped else "",
        ),
        ("Configurations", f"{len(panel.configurations):,} of {count(len(panel.finished), 'finished run')}"),
        ("Seeds", ", ".join(map(str, seeds))),
        ("Held out", ", ".join(held_out)),
        ("Varying settings", ", ".join(panel.varying) or "none"),
    ]
    return pairs, list(fixed.items())


def _counts(values: Iterable[str]) -> str:
    return ", ".join(f"{number:,} {value}" for value, number in Counter(values).most_common())


def _commits(runs: Sequence[Run]) -> Counter[str]:
    return Counter(str(run.provenance["commit"])[:12] + _dirty(run) for run in runs if run.provenance.get("commit"))


def _dirty(run: Run) -> str:
    return "-dirty" if str(run.provenance["commit"]).endswith("-dirty") else ""


def _packages(runs: Sequence[Run]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        packages = {"Python": run.provenance.get("python"), **(run.provenance.get("packages") or {})}
        for name, version in packages.items():
            if version:
                found.setdefault(name, {})[str(version)] = None
    return {name: list(versions) for name, versions in found.items()}


def _versions(runs: Sequence[Run]) -> str:
    return ", ".join(f"{name} {' and '.join(versions)}" for name, versions in _packages(runs).items()) or "not recorded"


def warnings(runs: Sequence[Run], panels: Sequence[Panel]) -> list[str]:
    """Return reasons why the runs are not quite comparable; text that is no markup is escaped."""
    notes = []
    commits = _commits(runs)
    if len(commits) > 1:
        notes.append(f"Runs of {len(commits)} commits are mixed: a difference may come from the code.")
    if dirty := sum(count for commit, count in commits.items() if commit.endswith("-dirty")):
        notes.append(f"Made with uncommitted changes: {count(dirty, 'run')}. Their commit does not say which code ran.")
    if mixed := [name for name, versions in _packages(runs).items() if len(versions) > 1]:
        notes.append(f"Versions are mixed: {', '.join(mixed)}. A difference may come from them.")
    if any(run.estimated for run in runs):
        notes.append("Cost is estimated, from lengths and assumed prices: the log does not record it.")
    counts = Counter(run.status for run in runs)
    for status, what in ((UNREADABLE, "Without a record that can be read"), (UNFINISHED, "Not ended")):
        if counts[status]:
            notes.append(f"{what}, and left out below: {count(counts[status], 'run')}.")
    notes += [note for panel in panels for note in _uneven(panel)]
    return notes


def _uneven(panel: Panel) -> list[str]:
    """Say which configurations lack seeds that others have: their means are not over the same splits."""
    full = {unit for one in panel.configurations for unit in one.units}
    lacking = [one.label for one in panel.configurations if set(one.units) != full]
    if not lacking or len(full) == 1:
        return []
    return [
        say(
            "On {}, {:,} of {:,} configurations lack some of the {} seeds or held-out parts ({}): their means are not over the "
            "same splits.", panel.title, len(lacking), len(panel.configurations), len(full), names(lacking, 3),
        )
    ]  # fmt: skip


def wrong_runs(runs: Sequence[Run]) -> list[tuple[str, list[Any]]]:
    """Return rows of the runs without a result."""
    wrong = [run for run in runs if run.status in (FAILED, UNREADABLE, UNFINISHED)]
    return [("", [run.id, run.status, (run.error or "no error was recorded", "left")]) for run in wrong]


def all_runs(runs: Sequence[Run]) -> tuple[list[str], list[list[Any]]]:
    """Return column titles and a row for each run."""

    def row(run: Run) -> list[Any]:
        commit = str(run.provenance.get("commit") or "")
        folder = Path(run.source).name
        return [run.id, folder, run.status, run.kind, run.group, run.name, run.seed, run.started, run.seconds, commit]

    head = ["run", "folder", "status", "kind", "group", "name", "seed", "started", "seconds", "commit"]
    return head, [row(run) for run in runs]
