"""The command ``graphrouter``. Heavy packages are imported inside the command that needs them."""

from __future__ import annotations

from collections.abc import Sequence

from graphrouter.cli import compare, encoders, evaluate, logs, report, route, routers, train, transfer
from graphrouter.cli.program import Program

PROGRAM = Program(
    name="graphrouter",
    description="Turn a multi-LLM log into a router, and compare routers honestly.",
    epilog=(
        "LOG is a folder with queries, llms and records as Parquet, or 'micropool' for the log that comes with the package."
    ),
    groups=(logs, transfer, routers, encoders, compare, train, evaluate, report, route),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command of ``graphrouter`` and return its exit status."""
    return PROGRAM.main(argv)
