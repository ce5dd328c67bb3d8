"""Graders: a response and an example to a `Grade`. They do not raise, whatever the response is."""

from __future__ import annotations

from fusion.tasks.base import Example, MetricGrader
from fusion.tasks.graders.answers import aliases
from fusion.tasks.graders.choice import option_letter
from fusion.tasks.graders.code import pass_at_1
from fusion.tasks.graders.numeric import numeric
from fusion.tasks.graders.symbolic import math_equal
from fusion.tasks.graders.text import contains_match, exact_match, f1, yes_no
from graphrouter.errors import UserError, suggest

GRADERS: dict[str, MetricGrader] = {
    known.metric: known
    for known in (exact_match, contains_match, f1, yes_no, option_letter, numeric, math_equal, pass_at_1)
}
"""Graders by the name of their metric, as it stands in a log. To add one, name it here."""

FUSIONBENCH = {
    "em": "exact_match",
    "f1_score": "f1",
    "GSM8K": "numeric",
    "MATH": "math_equal",
    "code_eval": "pass@1",
}
"""Names that FusionBench has for the same metrics."""


def gold_answers(metric: str | None, ground_truth: str | None) -> list[str]:
    """Return the accepted answers that a ground truth of a log holds, none where it is no answer, such as unit tests.

    Args:
        metric: Metric of the task, by our name or FusionBench's; of another one the ground truth is taken as it stands.
        ground_truth: Text, or the JSON of a list of accepted texts.
    """
    known = GRADERS.get(FUSIONBENCH.get(metric or "", metric or ""))
    if ground_truth is None or (known and known.gold == "code"):
        return []
    return aliases(Example("", "", ground_truth)) if known else [ground_truth]


def find_grader(metric: str) -> MetricGrader:
    """Return the grader of a metric, by our name or FusionBench's.

    Raises:
        UserError: If there is none.
    """
    grader = GRADERS.get(FUSIONBENCH.get(metric, metric))
    if grader is None:
        raise UserError(f"a metric must have a grader, but {metric!r} has none{suggest(metric, list(GRADERS))}")
    return grader
