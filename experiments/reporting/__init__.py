"""Results of runs -> one page that says what to read from them."""

from experiments.reporting.document import render
from experiments.reporting.records import Run
from experiments.reporting.sources import read_runs

__all__ = ["Run", "read_runs", "render"]
