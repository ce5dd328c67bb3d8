"""Graders: a response and an example to a `Grade`. They do not raise, whatever the response is."""

from __future__ import annotations

from fusion.tasks.base import Grader
from fusion.tasks.graders.choice import option_letter
from fusion.tasks.graders.code import pass_at_1
from fusion.tasks.graders.numeric import numeric
from fusion.tasks.graders.symbolic import math_equal
from fusion.tasks.graders.text import contains_match, exact_match, f1, yes_no
from graphrouter.errors import UserError, suggest

GRADERS: dict[str, Grader] = {
    "exact_match": exact_match,
    "cem": contains_match,
    "f1": f1,
    "yes_no": yes_no,
    "em_mc": option_letter,
    "numeric": numeric,
    "math_equal": math_equal,
    "pass@1": pass_at_1,
}
"""By the name of the metric, as it stands in a log."""

FUSIONBENCH = {
    "em": "exact_match",
    "f1_score": "f1",
    "GSM8K": "numeric",
    "MATH": "math_equal",
    "code_eval": "pass@1",
}
"""Names that FusionBench has for the same metrics."""


def find_grader(metric: str) -> Grader:
    """Return the grader of a metric, by our name or FusionBench's.

    Raises:
        UserError: If there is none.
    """
    grader = GRADERS.get(FUSIONBENCH.get(metric, metric))
    if grader is None:
        raise UserError(f"a metric must have a grader, but {metric!r} has none{suggest(metric, list(GRADERS))}")
    return grader
