"""How long the published GraphRouter takes to its own best validation reward, and the GNN router to the same reward.

Both are trained in one process, one after the other, on the same split with the same threads. The published router
is trained with its published settings, and with those that reached its best reward soonest in trials.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from common import describe, limit_threads, load_average, machine, parser, run, table, write_json

from graphrouter.cli.options import names, open_log
from graphrouter.errors import UserError
from graphrouter.scenario import Scenario, find_scenario

if TYPE_CHECKING:
    from learning_curves import Curve

    from graphrouter.log import LLMLog

SETTINGS: dict[str, dict[str, Any]] = {"published": {}, "tuned": {"hidden": 32, "learning_rate": 1e-2}}
TARGET = 20.0
MARGINS = (0.0, 0.005, 0.01)
"""Below the published router's best reward: a maximum over hundreds of noisy steps may come late by luck."""
MARKS = (1, 3, 10, 30, 100, 300, 1000)
"""Steps of the published router that are printed."""
GNN_MARKS = (0, 20, 40, 60, 100, 200, 400, 800, 1200, 2000)


def options() -> argparse.Namespace:
    """Parse the command line."""
    made = parser(__doc__.splitlines()[0])
    made.add_argument("--scenarios", default="performance_first", help="names with commas (default: %(default)s)")
    made.add_argument("--settings", default=",".join(SETTINGS), help="of the published router (default: %(default)s)")
    made.add_argument("--steps", type=int, help="of the published router, for a quick run (default: its 1,000)")
    made.add_argument("--patience", type=int, help="stop the published router after so many steps without a gain")
    made.add_argument("--repeats", type=int, default=3, help="trainings of the GNN router (default: 3)")
    made.add_argument("--estimate-cost", action="store_true", help="estimate costs that the log lacks")
    return made.parse_args()


def check(args: argparse.Namespace, log: LLMLog) -> tuple[list[Scenario], list[str]]:
    """Return the scenarios and the settings that are asked for.

    Raises:
        UserError: If one is not known, or the log has no cost for a scenario, or a number is not positive.
    """
    scenarios, settings = [find_scenario(name) for name in names(args.scenarios)], names(args.settings)
    for scenario in scenarios:
        if scenario.target != "performance":
            raise UserError(f"--scenarios must be those of performance, but {scenario.name} is not")
        if scenario.beta and (np.isnan(log.cells("cost")) & (log.cells("draws") > 0)).any():
            raise UserError(f"{log.name} must have costs for {scenario.name}, but has not; add --estimate-cost")
    if not scenarios or not settings:
        raise UserError("--scenarios and --settings must name one or more, but one of them names none")
    if unknown := set(settings) - set(SETTINGS):
        raise UserError(f"--settings must be among {', '.join(SETTINGS)}, but one is {min(unknown)!r}")
    for name in ("repeats", "steps", "patience"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise UserError(f"--{name} must be 1 or more, but is {value}")
    return scenarios, settings


def race(args: argparse.Namespace, log: LLMLog, scenarios: list[Scenario], settings: list[str]) -> dict[str, Any]:
    """Train both routers; return what is to be printed and kept."""
    # torch reads the number of threads when it is imported.
    from data import about, load_parts, make_encoder
    from learning_curves import gnn_curves, published_curves

    from graphrouter.splits import by_query

    encoder = make_encoder(log, args.encoder)
    parts = load_parts(log, encoder, args.seed)
    cuts = {key: value for key in ("steps", "patience") if (value := getattr(args, key))}
    ours = gnn_curves(parts, scenarios, args.seed, args.repeats)
    entries = []
    for setting in settings:
        theirs = published_curves(parts, scenarios, args.seed, {**SETTINGS[setting], **cuts})
        entries += [entry(setting, *one) for one in zip(scenarios, theirs, ours, strict=True)]
    return {"data": about(log, by_query(log, args.seed), encoder, args.seed), "cuts": cuts, "entries": entries}


def entry(setting: str, scenario: Scenario, published: Curve, gnn: Curve) -> dict[str, Any]:
    """Return the times of both routers to the published one's best reward and to a little less, and both curves."""
    reached = [compare(published, gnn, margin) for margin in MARGINS]
    curves = {"published": asdict(published), "gnn": asdict(gnn)}
    return {"setting": setting, "scenario": scenario.name, "target_ratio": TARGET, "reached": reached, **curves}


def compare(published: Curve, gnn: Curve, margin: float) -> dict[str, Any]:
    """Return the times to the published router's best reward less a margin; None where the GNN router never gets there."""
    reward = published.best.reward - margin
    theirs, ours = published.reach(reward), gnn.reach(reward)
    assert theirs is not None  # its best point is one of its points
    ratio = theirs.seconds / ours.seconds if ours else None
    times = {"published": asdict(theirs), "gnn": asdict(ours) if ours else None}
    return {"margin": margin, "reward": reward, "ratio": ratio, **times}


def print_entry(one: dict[str, Any]) -> None:
    """Print the key points of both curves, and the times to the same reward."""
    print(f"\n{one['scenario']}, published GraphRouter with {one['setting']} settings {SETTINGS[one['setting']] or ''}")
    rows = key_rows("published GraphRouter", one["published"], MARKS) + key_rows("gnn", one["gnn"], GNN_MARKS)
    print(table(["", "steps", "seconds", "validation reward"], rows))
    busy = f"{one['published']['busy']:.2f} and {one['gnn']['busy']:.2f}"
    print(f"CPU seconds per wall second, published and gnn: {busy}\n")
    head = ["validation reward", "published, s", "gnn, s", "times less", "target", "met"]
    print(table(head, [reached_cells(reached) for reached in one["reached"]]))


def key_rows(name: str, curve: dict[str, Any], marks: tuple[int, ...]) -> list[list[str]]:
    """Return the rows of a curve: at the marks, at its best, at its end, and what was kept."""
    points = curve["points"]
    best = max(points, key=lambda point: point["reward"])
    rows = []
    for point in points:
        if point["steps"] in marks or point is best or point is points[-1]:
            label = f"{name}, its best" if point is best else name
            rows.append([label, str(point["steps"]), f"{point['seconds']:.2f}", f"{point['reward']:.4f}"])
    return [*rows, [f"{name}, kept", "", f"{curve['total_seconds']:.2f}", f"{curve['kept_reward']:.4f}"]]


def reached_cells(reached: dict[str, Any]) -> list[str]:
    """Return a row as text; only the best reward itself has a target."""
    margin, gnn, ratio = reached["margin"], reached["gnn"], reached["ratio"]
    name = f"{reached['reward']:.4f}, " + (f"its best less {margin:g}" if margin else "its best")
    ours = [f"{gnn['seconds']:.2f}", f"{ratio:.1f}"] if gnn else ["not reached", "-"]
    goal = ["", ""] if margin else [f">= {TARGET:g}", "yes" if ratio and ratio >= TARGET else "no"]
    return [name, f"{reached['published']['seconds']:.2f}", *ours, *goal]


def print_sums(entries: list[dict[str, Any]]) -> None:
    """Print, for each setting, the times to the best reward in every scenario: the GNN router's one training has all."""
    rows = []
    for setting in dict.fromkeys(one["setting"] for one in entries):
        firsts = [one["reached"][0] for one in entries if one["setting"] == setting]
        theirs = sum(first["published"]["seconds"] for first in firsts)
        if all(first["gnn"] for first in firsts):
            ours = max(first["gnn"]["seconds"] for first in firsts)
            cells = [f"{ours:.2f}", f"{theirs / ours:.1f}"]
        else:
            cells = ["not reached", "-"]
        rows.append([f"{setting} settings", f"{theirs:.2f}", *cells])
    print("\nAll scenarios: the published router trains a network for each, the GNN router one for all")
    print(table(["to its best reward in each", "published, s", "gnn, s", "times less"], rows))


def main() -> None:
    """Measure and print."""
    args = options()
    limit_threads(args.threads)
    log = open_log(args.log, args.estimate_cost, None)
    scenarios, settings = check(args, log)
    result = machine(args.threads)
    result |= race(args, log, scenarios, settings)
    result["load_average_after"] = load_average()
    print(describe(result))
    if result["cuts"]:
        print(f"the published router was cut short: {result['cuts']}")
    for one in result["entries"]:
        print_entry(one)
    if len(scenarios) > 1:
        print_sums(result["entries"])
    write_json(args.out, result)


if __name__ == "__main__":
    run(main)
