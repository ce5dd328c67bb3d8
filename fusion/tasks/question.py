"""A question as it stands in a log."""

from __future__ import annotations

from dataclasses import dataclass

from fusion.tasks.base import Example, Task


@dataclass(frozen=True)
class Question:
    """An example of a task, with its id in the log.

    Attributes:
        task: The task.
        example: The example.
        part: Part of the split of the log that guides come from: ``train``, ``validation`` or ``test``; None where there is no
            such log, or the question is not in it.
    """

    task: Task
    example: Example
    part: str | None = None

    @property
    def query_id(self) -> str:
        """Id in the log."""
        return f"{self.task.name}-{self.example.id}"

    @property
    def query(self) -> str:
        """The query as it stands in a log: the direct prompt."""
        return self.task.prompt(self.example)
