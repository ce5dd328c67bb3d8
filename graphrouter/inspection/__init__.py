"""Figures and warnings about a log, to read before training on it."""

from graphrouter.inspection.figures import Inspection, inspect_log

__all__ = ["Inspection", "inspect_log"]
