"""No grader raises or stalls, whatever the response is; and graders are found by name."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders import FUSIONBENCH, GRADERS, find_grader
from graphrouter.errors import UserError

LONG = 100_000  # work that grows with the square of this would take minutes
ODD = {
    "empty": "",
    "space": " \n\t ",
    "binary": bytes(range(256)).decode("latin-1") * 100,
    "null bytes": "\0" * 1000,
    "lone surrogate": "\ud800 Answer: \udfff",
    "a long word": "a" * LONG,
    "long digits": "9" * LONG,
    "digits and commas": "1," * (LONG // 2),
    "many answers": "answer is " * (LONG // 10),
    "an answer that never comes": "answer " * (LONG // 7),
    "open boxes": "\\boxed{" * (LONG // 7),
    "closed braces": "}" * LONG,
    "fractions": "\\frac{" * (LONG // 6),
    "open fences": "```\n" * (LONG // 4),
    "tags": "[BEGIN]" * (LONG // 7),
    "letters": "A B C D " * (LONG // 8),
    "brackets": "((((" * (LONG // 4),
    "dashes": "-" * LONG,
    "newlines": "\n" * LONG,
    "spaces": "x" + " " * LONG + "y",
    "yes": "yes and " * (LONG // 8),
    "not": "not " * (LONG // 4),
    "stars": "*" * LONG,
    "exponent": "1e999999999 #### 1e999999999",
    "rtl": "\u202e\u05d0\u05d1" * 1000,
}
GOLD = {"pass@1": '{"tests": "assert f() == 1", "names": ["f"]}', "em_mc": "A"}
EXAMPLES = {
    metric: Example("1", "?", GOLD.get(metric, "5"), ("one", "two") if metric == "em_mc" else ()) for metric in GRADERS
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("metric", [metric for metric in GRADERS if metric != "pass@1"])
def test_odd_responses_score_zero_in_time(metric, odd):
    begin = time.process_time()
    grade = GRADERS[metric](ODD[odd], EXAMPLES[metric])
    assert isinstance(grade, Grade)
    if not (metric == "em_mc" and odd == "letters"):
        assert grade.performance == 0
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    "odd", [odd for odd in ODD if odd not in ("binary", "letters", "stars", "rtl", "spaces", "dashes")]
)
def test_odd_code_scores_zero_in_time(odd):
    begin = time.process_time()
    assert GRADERS["pass@1"](ODD[odd], EXAMPLES["pass@1"]).performance == 0
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("metric", [metric for metric in GRADERS if metric not in ("pass@1", "math_equal")])
@settings(max_examples=100)
@given(response=st.text(alphabet=st.sampled_from("AaBb15.,-/$%(){}\\[]:=# *\n\"'answerisboxedyesnofrac"), max_size=60))
def test_scores_are_within_bounds(metric, response):
    assert 0 <= GRADERS[metric](response, EXAMPLES[metric]).performance <= 1


@pytest.mark.parametrize("metric", GRADERS)
def test_a_response_of_a_megabyte_is_graded(metric):
    assert GRADERS[metric]("The answer is not known. " * 40_000, EXAMPLES[metric]).performance == 0


def test_names_of_fusionbench_are_known():
    for theirs, ours in FUSIONBENCH.items():
        assert find_grader(theirs) is GRADERS[ours]


def test_an_unknown_metric_gets_a_suggestion():
    with pytest.raises(UserError, match="did you mean 'exact_match'"):
        find_grader("exact_mach")
