"""Logging of a run to Weights & Biases: online, or offline in a folder that ``wandb sync`` uploads later.

Config (flat), curves of the losses, tables of validation and test, the cost-quality figure, the fitted router as an
artifact, and every metric under the name that it has in ``run.json``, which is also what a sweep file calls it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphrouter.errors import UserError, first_line
from graphrouter.typing import Record

if TYPE_CHECKING:
    from graphrouter.pipeline import RoutingPipeline


NLL_LOSSES = ("gnn",)
"""Routers whose validation loss is the metric ``validation/nll``, which then has a curve over the steps too."""


@dataclass(frozen=True)
class Logging:
    """Where runs are logged to.

    Attributes:
        mode: ``off``, ``offline`` or ``online``.
        folder: Gets a folder ``wandb``, which ``wandb sync`` takes.
        project: On W&B; None for that of a surrounding ``wandb agent``, or ``graphrouter``.
        group: Runs that belong together, such as a sweep.
    """

    mode: str = "off"
    folder: Path = Path()
    project: str | None = None
    group: str | None = None


class RunLog:
    """One W&B run, which may hold a configuration's runs on several seeds; does nothing where logging is off.

    Args:
        run: From ``wandb.init``, or None.
    """

    def __init__(self, run: Any) -> None:
        self.run = run
        self.seeds = 0
        self.label: str | None = None
        self.nll = False

    def on_evaluation(self, label: str, metrics: dict[str, float]) -> None:
        """Log an evaluation; the first seed's first network has plain names, others have theirs in front."""
        if self.run is None:
            return
        self.label = self.label or label
        names = ([f"seed{self.seeds}"] if self.seeds else []) + ([label] if label != self.label else [])
        row = {"/".join([*names, key]): value for key, value in metrics.items() if key != "step"}
        if self.nll and not names:
            row["validation/nll"] = metrics["validation_loss"]
        self.run.log({"step": metrics["step"], **row})

    def on_result(self, pipeline: RoutingPipeline, record: Record, model: Path) -> None:
        """Log what a finished run came to.

        Args:
            pipeline: Fitted.
            record: See `experiments.runs.execute`.
            model: Folder that the pipeline is saved in; ``wandb sync`` uploads it from there.
        """
        if self.run is None:
            return
        import wandb

        prefix = f"seed{self.seeds}/" if self.seeds else ""
        logged: dict[str, Any] = {
            f"{prefix}tables/{name}": wandb.Table(columns=list[Any](columns), data=rows)
            for name, (columns, rows) in tables(record).items()
        }
        if (figure := cost_figure(record)) is not None:
            logged[f"{prefix}figures/cost_quality"] = wandb.Html(figure, inject=False)
        self.run.log(logged)
        pipeline.save(model)
        about = {"router": record["config"]["router"], "seed": record["config"]["seed"]}
        artifact = wandb.Artifact(f"router-{record['id']}", type="model", metadata=about)
        for file in sorted(model.iterdir()):
            artifact.add_file(str(file), policy="immutable")  # uploaded from where it is, not copied
        self.run.log_artifact(artifact)

    def next_seed(self) -> None:
        """Say that what comes is of the configuration's next seed."""
        self.seeds += 1

    def end(self, records: Sequence[Record]) -> None:
        """Log the metrics, averaged over the seeds, and how it ended."""
        if self.run is None:
            return
        finished = [record for record in records if record["status"] == "finished"]
        if finished:
            self.run.log(mean_metrics(finished))
        self.run.summary["status"] = "finished" if len(finished) == len(records) else records[-1]["status"]
        if (error := next((record["error"] for record in records if record["error"]), None)) is not None:
            self.run.summary["error"] = error


@contextmanager
def logged(options: Logging, settings: dict[str, Any], about: Record) -> Iterator[RunLog]:
    """Log what runs inside as one W&B run.

    Args:
        options: Where to.
        settings: Settings of the run, flat, from `experiments.runs.config.settings`.
        about: ``id``, ``kind``, ``name`` and ``base`` of the run.

    Raises:
        UserError: If W&B cannot be reached, or wants a login.
    """
    if options.mode == "off":
        yield RunLog(None)
        return
    with _staged_in(options.folder.absolute() / "wandb"):
        run = _begin(options, settings, about)
        made = RunLog(run)
        made.nll = settings.get("router") in NLL_LOSSES
        try:
            yield made
        except BaseException:
            run.finish(exit_code=1)
            raise
        run.finish(exit_code=1 if run.summary.get("status") == "failed" else 0)


def _begin(options: Logging, settings: dict[str, Any], about: Record) -> Any:
    import wandb

    try:
        run: Any = wandb.init(
            project=options.project or os.environ.get("WANDB_PROJECT") or "graphrouter",
            mode="offline" if options.mode == "offline" else "online",
            dir=options.folder,
            name=about["id"],
            group=options.group,
            job_type=about["kind"],
            config=settings | {"name": about["name"], "base": about["base"]},
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )
    except (wandb.Error, OSError) as error:
        raise UserError(
            f"W&B must be reachable for --wandb {options.mode}, but: {first_line(error)}; use offline"
        ) from None
    run.define_metric("step", hidden=True)
    for name in ("train_loss", "validation_loss"):
        run.define_metric(name, step_metric="step")
    return run


@contextmanager
def _staged_in(folder: Path) -> Iterator[None]:
    """Have W&B keep what artifacts hold in a folder, until it is synced; it looks for that in the environment alone."""
    name = "WANDB_DATA_DIR"
    known = os.environ.get(name)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault(name, str(folder))
    try:
        yield
    finally:
        if known is None:
            del os.environ[name]


def mean_metrics(records: Sequence[Record]) -> dict[str, float]:
    """Return the mean over records of every metric that all of them have."""
    names = [name for name in records[0]["metrics"] if all(name in record["metrics"] for record in records)]
    return {name: float(np.mean([record["metrics"][name] for record in records])) for name in names}


def tables(record: Record) -> dict[str, tuple[list[str], list[list[Any]]]]:
    """Return the tables of a run by name: columns and rows."""
    references = record["references"]
    parts: dict[str, dict[str, float]] = {"validation": {}, "test": {}}
    for name, value in record["metrics"].items():
        part, _, metric = name.partition("/")
        parts[part][metric] = value
    compared = [
        [metric, value, *(given.get(f"test/{metric}") for given in references.values())]
        for metric, value in parts["test"].items()
    ]
    tasks, llms = record["tasks"], record["llms"]
    shares = [[scenario, llm, share] for scenario, given in record["shares"].items() for llm, share in given.items()]
    return {
        "validation": (["metric", "value"], [[metric, value] for metric, value in parts["validation"].items()]),
        "test": (["metric", record["config"]["router"], *references], compared),
        "test_tasks": _from_dicts(tasks, "task"),
        "test_llms": _from_dicts(llms, "llm"),
        "routing_shares": (["scenario", "llm", "share"], shares),
        "cost_quality": _from_dicts(record["curve"], "alpha"),
    }


def _from_dicts(rows: Sequence[Record], first: str) -> tuple[list[str], list[list[Any]]]:
    columns = list(rows[0]) if rows else [first]
    return columns, [[row[column] for column in columns] for row in rows]


def cost_figure(record: Record) -> str | None:
    """Return the cost-quality figure as a page that needs nothing from elsewhere; None where a log has no cost."""
    from graphrouter.evaluation.report import drawing, line_charts
    from graphrouter.evaluation.report.page import render
    from graphrouter.metrics import upper_hull

    points = [one for one in record["llms"] if one["cost"] is not None]
    if not record["curve"] or not any(one["cost"] > 0 for one in points):
        return None
    curve, llms = _columns(record["curve"]), _columns(points)
    hull, kept = upper_hull(*llms), upper_hull(*curve)
    series = [
        line_charts.Series("hull of the LLMs", llms[0][hull], llms[1][hull], "dim", "dash"),
        line_charts.Series("an LLM alone", *llms, "dim", "dot", labels=[one["llm"] for one in points]),
        line_charts.Series(record["config"]["router"], curve[0][kept], curve[1][kept], "mark"),
    ]
    title = f"Cost and performance of {record['id']} on test queries"
    drawn = drawing.wide_and_narrow(line_charts.plane(series, "performance"), title, (700, 380))
    return render("figure.html.j2", title=title, figure=drawn, legend=line_charts.keys(series))


def _columns(rows: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    """Return dollars per 1,000 queries and performance of rows."""
    return (
        np.array([row["cost"] for row in rows], dtype=float) * 1000,
        np.array([row["performance"] for row in rows], dtype=float),
    )
