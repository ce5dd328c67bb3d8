"""The option that is graded, on answers marked by hand."""

import pytest

from fusion.tasks.base import Example
from fusion.tasks.graders.choice import option_letter

OPTIONS = ("a dog", "a big dog", "ice cream", "Paris, France")
MARKED = [
    # the gold letter is B; right, wrong, or None where no option can be read
    ("B", 1),
    ("B.", 1),
    ("(B)", 1),
    ("**B**", 1),
    ("b", 1),
    ("(b)", 1),
    ("b) a big dog", 1),
    ("B. a big dog", 1),
    ("Answer: B", 1),
    ("answer: b", 1),
    ("**Answer:** (B)", 1),
    ("Answer:\n\nB", 1),
    ("The answer is (B) because A is too small and C is cold.", 1),
    ("The correct option is B.", 1),
    ("The answer is option B", 1),
    ("My answer choice is **B) a big dog**.", 1),
    ("\\boxed{B}", 1),
    ("\\boxed{\\text{B}}", 1),
    ("$\\boxed{\\text{(B)}}$", 1),
    ("a big dog", 1),
    ("A big dog.", 1),
    ("The answer is a big dog.", 1),
    ("It has to be a big dog, I think.", 1),
    ("A is small. C is cold. D is a city.\nSo it must be B.", 1),
    ("A seems plausible, but B is correct.", 1),
    ("First I thought the answer is A. On reflection, the answer is B.", 1),
    ("The answer is B. Option A is wrong because a dog is small.", 1),
    ("The answer is not A but B.", 1),
    ("It can be neither A nor C, so B", 1),
    ("Eliminating (C) and (D) leaves B", 1),
    ("Answer: A big dog", 1),
    ("<answer>B</answer>", 1),
    ("A", 0),
    ("Answer: C", 0),
    ("The answer is (C) because B is too big.", 0),
    ("a dog", 0),
    ("Answer: A dog", 0),
    ("B is wrong. The correct answer is D.", 0),
    ("E", None),
    ("There is a good reason to wait", None),
    ("I cannot answer this question.", None),
    ("As an AI, I am not able to choose.", None),
    ("A, B, C and D are all possible.", None),
    ("The answer is A or B", None),
    ("Both A and B", None),
    ("A is as good as B", None),
    ("", None),
    ("Bananas are a fruit", None),
]


@pytest.mark.parametrize(("response", "right"), MARKED)
def test_agrees_with_hand_marked_answers(response, right):
    grade = option_letter(response, Example("1", "?", "B", OPTIONS))
    assert grade.performance == bool(right)
    assert (grade.prediction is None) == (right is None)


def test_letters_go_as_far_as_there_are_options():
    five = Example("1", "?", "E", ("v", "w", "x", "y", "z"))
    assert option_letter("The answer is E", five).performance == 1
    assert option_letter("The answer is F", five).prediction is None


def test_the_article_a_names_no_option():
    example = Example("1", "?", "A", ("x", "y"))
    assert option_letter("The thing is, a friend of mine has a cat", example).prediction is None
    assert option_letter("The answer is a difficult matter", example).prediction is None
    assert option_letter("A", example).performance == 1
