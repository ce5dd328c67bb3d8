"""What a researcher needs to know of a log before training on it."""

from graphrouter.inspection.figures import Inspection, inspect_log

__all__ = ["Inspection", "inspect_log"]
