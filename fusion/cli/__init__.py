"""The command ``fusion``. Heavy packages are imported inside the command that needs them."""

from __future__ import annotations

from collections.abc import Sequence

from fusion.cli import collect, evaluate, judge, prompt, rank, select, templates, train
from graphrouter.cli.program import Program

PROGRAM = Program(
    name="fusion",
    description="Make a multi-LLM log, have it judged, and make better answers of it.",
    epilog="LOG is a folder with queries, llms and records as Parquet.",
    groups=(collect, judge, rank, templates, prompt, evaluate, select, train),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command of ``fusion`` and return its exit status."""
    return PROGRAM.main(argv)
