"""The table of an evaluation, for a terminal."""

from __future__ import annotations

from graphrouter.errors import printable
from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.report.numbers import NOTHING, with_interval
from graphrouter.evaluation.report.sections.about import noise
from graphrouter.evaluation.report.view import View
from graphrouter.markdown import as_text


def format_table(evaluation: Evaluation) -> str:
    """Return the routers, the best first, as lines of plain text.

    The columns are the performance in the first scenario, the reward in each further scenario, the negative
    log-likelihood and AUROC of the predicted quality, and the paired difference of the first scenario's reward to the
    best baseline with its 95% interval. Where the log's outcomes cannot score choices, the columns of choices hold dashes
    and the difference is of the likelihood. Lines below say what the signs mean and what the interval holds fixed.
    """
    view = View(evaluation)
    first, leading = view.scenarios[0], view.leading(view.scenarios[0])
    columns = [("performance", first, "performance"), *((name, name, "reward") for name in view.scenarios[1:])]
    columns += [("logged", first, "logged_choice")] if view.restricted(first) else []
    columns += [("nll", "", "nll"), ("auroc", "", "auroc")]
    columns = [column for column in columns if view.has(*column[1:]) or column[1] in view.scenarios]
    order = view.ranked(*leading)
    order += [name for name in view.names if name not in order]
    rows = [["router", *(title for title, _, _ in columns), _difference_title(view, leading)]]
    for router in order:
        cells = [_value(view, router, scenario, metric) for _, scenario, metric in columns]
        rows.append([router, *cells, _difference(view, router, leading)])
    table = as_text(rows, 1)
    text = [_title(evaluation), "", *table.splitlines(), "", *_notes(view, table)]
    return "\n".join(map(printable, text))


def _notes(view: View, table: str) -> list[str]:
    """Legend of the table."""
    notes = [f"[low, high]: {view.interval}."] if "[" in table else []
    if " *" in table:
        oracles = f", {' and '.join(view.oracles)} left out" if view.oracles else ""
        notes.insert(0, f"*: the best value of its column{oracles}; none where all are equal.")
    return [*notes, *noise(view), *([view.support.sentence] if view.support.sentence else [])]


def _title(evaluation: Evaluation) -> str:
    config = evaluation.config
    queries = [parts[config["split"]] for parts in evaluation.sizes.values()]
    scored = f"{min(queries):,}" if min(queries) == max(queries) else f"{min(queries):,} to {max(queries):,}"
    seeds = f"{len(queries)} seed{'s' if len(queries) > 1 else ''} of " if config["kind"] == "compare" else ""
    names = ", ".join(scenario["name"] for scenario in config["scenarios"])
    return f"{config['log']['label']}: {seeds}{scored} scored queries; {names}"


def _value(view: View, router: str, scenario: str, metric: str) -> str:
    row = view.row(router, scenario, metric)
    if row is None:
        return f"{NOTHING}  "
    return f"{row['mean']:.4f}" + (" *" if view.is_best(router, scenario, metric) else "  ")


def _difference_title(view: View, leading: tuple[str, str]) -> str:
    names = {row["best_baseline"] for router in view.names if (row := view.row(router, *leading))}
    return f"{leading[1]} against {names.pop()}" if names and None not in names else "difference"


def _difference(view: View, router: str, leading: tuple[str, str]) -> str:
    row = view.row(router, *leading)
    return (with_interval(row, "difference") if row else "") or NOTHING
