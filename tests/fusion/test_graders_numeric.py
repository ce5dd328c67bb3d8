"""The number that is graded, on answers marked by hand."""

import pytest

from fusion.tasks.base import Example
from fusion.tasks.graders.numeric import numeric

MARKED = [
    # ground truth, response, right
    ("18", "18", 1),
    ("18", "18.", 1),
    ("18", "18.00", 1),
    ("18", "$18", 1),
    ("18", "She makes 9 * 2 = 18 dollars.\n#### 18", 1),
    ("18", "#### 18\nNote that this is for 7 days.", 1),
    ("18", "The answer is **$18** per day for 7 days.", 1),
    ("18", "**Answer:** 18 eggs\n\nI hope this helps, ask me up to 3 times!", 1),
    ("18", "So we get \\boxed{18} in 2 steps.", 1),
    ("18", "The final answer is \\(18\\).", 1),
    ("18", "The answer is 9 * 2 = 18.", 1),
    ("18", "Step 1: 16 - 3 = 13. Step 2: 13 - 4 = 9. Step 3: 9 * 2 = 18", 1),
    ("18", "The answer is 17. Wait, no. The answer is 18.", 1),
    ("18", "Answer:\n18", 1),
    ("18", "It takes 18%", 1),
    ("1234", "1,234", 1),
    ("1234567", "The total is 1,234,567 people", 1),
    ("1234", "\\boxed{1{,}234}", 1),
    ("1,234", "1234", 1),
    ("-5", "The answer is -5", 1),
    ("-5", "The answer is -$5", 1),
    ("-5", "$-5$", 1),
    ("-5", "The answer is \u22125.", 1),
    ("2", "7-5 = 2", 1),
    ("0.5", "The answer is 1/2", 1),
    ("0.5", "\\boxed{\\frac{1}{2}}", 1),
    ("2.5", "Answer: 2 1/2", 1),
    ("0.75", ".75", 1),
    ("3000000", "3e6", 1),
    ("18", "19", 0),
    ("18", "18.5", 0),
    ("18", "1.8", 0),
    ("18", "-18", 0),
    ("18", "180", 0),
    ("1234", "1,23", 0),
    ("18", "eighteen", 0),
    ("18", "", 0),
    ("18", "I had 18 at first, then it became 20", 0),
    ("18", "#### 20\nI first thought of 18", 0),
    ("5", "8-5 = 3", 0),
    ("18", "1/0", 0),
    ("18", "I cannot answer this question.", 0),
]


@pytest.mark.parametrize(("gold", "response", "right"), MARKED)
def test_agrees_with_hand_marked_answers(gold, response, right):
    assert numeric(response, Example("1", "?", gold)).performance == right


def test_tells_the_number_that_it_read():
    assert numeric("#### 1,234.50 dollars", Example("1", "?", "1")).prediction == "1234.5"
    assert numeric("no idea", Example("1", "?", "1")).prediction is None


def test_any_of_several_gold_numbers_is_right():
    assert numeric("2", Example("1", "?", '["1", "2"]')).performance == 1
