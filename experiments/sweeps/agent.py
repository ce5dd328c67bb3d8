"""A sweep on W&B's servers: register the file, and run what they ask for. This needs an account.

W&B's agent starts the file's ``command``, so the runs are those of `experiments.run`, and log themselves.
"""

from __future__ import annotations

from experiments.sweeps.file import Sweep
from experiments.sweeps.metric import check_metric
from graphrouter.errors import UserError, first_line


def run_agent(sweep: Sweep, project: str | None, runs: int | None) -> str:
    """Register a sweep with W&B, and work for it until it ends.

    Args:
        sweep: As read from a file, with a ``command`` or a ``program``.
        project: On W&B; None for that of the file, or ``graphrouter``.
        runs: Stop after so many; None for as many as W&B asks for.

    Returns:
        The sweep's ID; ``wandb agent PROJECT/ID`` on other machines works for the same sweep.

    Raises:
        UserError: If the file has neither a command nor a program, no run can have its metric, or W&B cannot be reached
            or wants a login.
    """
    if "command" not in sweep.source and "program" not in sweep.source:
        raise UserError(
            "a sweep on W&B must say how a run starts, but the file has no command; see configs/sweep/gnn.yaml"
        )
    check_metric(sweep, None)
    import wandb

    project = project or sweep.project or "graphrouter"
    try:
        identity = wandb.sweep(dict(sweep.source), project=project)
        wandb.agent(identity, project=project, count=runs)
    except (wandb.Error, OSError, ValueError) as error:
        raise UserError(
            f"W&B must be reachable with a login for --agent, but: {first_line(error)}; run wandb login, or leave out "
            "--agent to sweep here"
        ) from None
    return identity
