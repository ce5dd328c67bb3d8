"""The worker process of `fusion.tasks.graders.symbolic`: a line with pairs of expressions in, ``1`` or ``0`` out.

It runs as a script with nothing else of this project, and ends when its input does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import resource
import sys
from typing import Any

MEMORY = 2 << 30


def main() -> None:
    """Answer until there is no further line."""
    with contextlib.suppress(ValueError, OSError):  # macOS; there the time limit of the process that asks is left
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import math_verify

    logging.disable(logging.CRITICAL)
    print("ready", flush=True)
    for line in sys.stdin:
        print(int(any(equal(math_verify, gold, answer) for gold, answer in json.loads(line))), flush=True)


def equal(library: Any, gold: str, answer: str) -> bool:
    """Compare two expressions; what cannot be read is unequal."""
    try:
        sides = [library.parse(f"\\boxed{{{side}}}", parsing_timeout=None) for side in (gold, answer)]
        return bool(all(sides) and library.verify(*sides, timeout_seconds=None))
    except Exception:  # the library and SymPy raise all kinds for odd input
        return False


if __name__ == "__main__":
    main()
