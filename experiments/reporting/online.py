"""Runs of a project on W&B's server. Needs an account."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from experiments.reporting.records import Run
from experiments.reporting.wandb_runs import Logged, runs_of
from graphrouter.errors import UserError, first_line
from graphrouter.typing import Record

PREFIX = "wandb:"


def read_online(project: str, api: Any = None) -> list[Run]:
    """Read every run of a project.

    Args:
        project: ``ENTITY/PROJECT``.
        api: As `wandb.Api`; None for that of the account which is logged in.

    Raises:
        UserError: If there is no account, no network, or no such project.
    """
    import wandb

    if project.count("/") != 1:
        raise UserError(f"a W&B project must be named {PREFIX}ENTITY/PROJECT, but is {project!r}")
    try:
        api = api or wandb.Api()
        return [run for found in api.runs(project) for run in runs_of(_logged(found, project))]
    except (wandb.Error, ValueError, OSError) as error:
        raise UserError(
            f"W&B must be reachable and logged in to read {project}, but: {first_line(error)}; run `wandb login`, or give "
            "the offline folders"
        ) from None


def _logged(run: Any, project: str) -> Logged:
    ended = {"finished": 0, "failed": 1, "crashed": 1, "killed": 1}
    return Logged(
        id=run.id,
        source=f"{PREFIX}{project}",
        name=run.name,
        group=run.group,
        kind=run.job_type or "wandb",
        started=str(run.created_at),
        seconds=dict(run.summary).get("_runtime"),
        exit=ended.get(run.state),
        config=dict(run.config),
        summary=dict(run.summary),
        history=list(run.scan_history()),
        table=lambda path: _table(run, path),
    )


def _table(run: Any, path: str) -> Record | None:
    with tempfile.TemporaryDirectory() as folder:
        run.file(path).download(root=folder)
        content: Record = json.loads((Path(folder) / path).read_text(encoding="utf-8"))
    return content
