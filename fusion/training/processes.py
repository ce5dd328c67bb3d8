"""Which of the processes of a training this one is, by what accelerate and torchrun tell each."""

from __future__ import annotations

import os


def processes() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def started_together() -> bool:
    """Return whether a launcher started this process, even if it is the only one."""
    return "WORLD_SIZE" in os.environ


def is_first() -> bool:
    """Return whether this process is the one that writes."""
    return os.environ.get("RANK", "0") == "0"
