"""The tasks of FusionBench, each a small file, and tasks of the user's own."""

from fusion.tasks.find import find_task, task_names
from fusion.tasks.load import load_examples

__all__ = ["find_task", "load_examples", "task_names"]
