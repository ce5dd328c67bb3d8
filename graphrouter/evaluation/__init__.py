"""Routers x splits x seeds -> tables with paired intervals, and a report."""

from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.comparison import compare
from graphrouter.evaluation.report.terminal import format_table
from graphrouter.evaluation.report.write import summarise
from graphrouter.evaluation.single import evaluate_router

__all__ = ["Evaluation", "compare", "evaluate_router", "format_table", "summarise"]
