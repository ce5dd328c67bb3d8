"""The option that is graded, on answers marked by hand."""

import pytest

from fusion.tasks.base import Example
from fusion.tasks.graders.choice import gold_letter, option_letter

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


COLOURS = ("red", "green", "blue", "dark blue", "grey", "black", "white", "pink")
WRITTEN = [
    # gold, response, performance
    ("B", "The correct answer is Option B. Option A is incorrect because 4 is even.", 1),
    ("B", "The answer is OPTION B, as A and C are even.", 1),
    ("B", "Answer: B\n\nQuestion: Which is even?\nA. 3\nB. 5\nC. 6\nD. 9\nAnswer: C", 1),
    ("B", "答案是B", 1),
    ("B", "答案：B", 1),
    ("B", "答えはB", 1),
    ("B", "答えはBです。", 1),
    ("B", "Ｂ", 1),
    ("B", "正解は（B）です", 1),
    ("B", "답은 (B) 입니다", 1),
    ("B", "故选B。", 1),
    ("B", "因此，选B", 1),
    ("B", "选项B正确", 1),
    ("B", "B是正确的", 1),
    ("B", "只有选项B是对的", 1),
    ("C", "Die richtige Antwort ist C, nicht A.", 1),
    ("B", "La respuesta correcta es B", 1),
    ("B", "La bonne réponse est la B.", 1),
    ("C", "Antwort:\n\nAntwort: C", 1),
    ("B", "La respuesta correcta es la opción B.", 1),
    ("B", "Between A and B, I choose B.", 1),
    ("B", "I'd go with (b), given that (a) and (c) are even.", 1),
    (
        "A",
        "One option is missing, so the right one must have been option A. We cannot tell.\n\n\\boxed{Cannot be determined}",
        0,
    ),
    ("A", "Option A may be it.\nAnswer: None of these.", 0),
    ("C", "(A) red: not the sky.\n(B) green: not the sky.\n(C) blue: yes.\n\nThus (C).", 1),
    ("C", "(A) red: not the sky.\n(B) green: not the sky.\n(C) blue: yes.", 1),
    ("C", "A) is wrong. B) is wrong.\nC) is correct.", 1),
    ("C", "A. This is incorrect.\nB. This is incorrect.\nC. This is correct.\nD. Not so.", 1),
    ("B", "The most humorous edit is:\n\n(B) thunder toad", 1),
    ("(B)", "The answer is (B).", 1),
    ("B.", "B", 1),
    ("(b)", "B", 1),
    ("(B)", "(B)", 1),
    ("B.", "B.", 1),
    ("B", "choice b", 1),
    ("B", "Option b.", 1),
    ("B", "letter B", 1),
    ("B", "I pick choice b because it is odd.", 1),
    ("B", "Not A, but B", 1),
    ("B", "It isn't A. It's B.", 1),
    ("A", "The answer is not A.", 0),
    ("A", "The answer cannot be A.", 0),
    ("B", "The answer is B. Note that A is a common distractor.", 1),
    ("D", "ANSWER IS D. A is incorrect.", 1),
    ("C", "The answer is C because I computed the integral.", 1),
    ("A", "The calculated answer is 11.\n\nAnswer seems to be A.\n\nAnswer: A", 1),
    ("A", "Answer seems to be A.", 1),
    ("A", "ANSWER: **A**", 1),
    ("A", "ANSWER: $A$", 1),
    ("D", "Answer: **D**", 1),
    ("D", "I considered (A), but it is incorrect. Final answer: D.", 1),
    ("D", "The correct answer is d.", 1),
    ("B", "Answer: Let's think step by step. It is warm. The answer is (B).", 1),
    ("B", "Answer: Let's think step by step. It is warm, so (B).", 1),
    ("A", "The answer is both A and B", 0),
    ("A", "The answer is (A) and (B)", 0),
    ("A", "Answer: A, B", 0),
    ("A", "A and B", 0),
    ("A", "Answer: A/B", 0),
    ("B", "The answer is B, I think.", 1),
    ("B", "I think the answer is B.", 1),
    ("B", "I think it's B", 1),
    ("B", '{"reasoning": "A is small", "answer": "B"}', 1),
    ("B", '```json\n{\n "answer": "B. a big dog"\n}\n```', 1),
    ("B", "### Answer\nB", 1),
    ("B", "**Final Answer**\n\n(B)", 1),
    ("B", "\\boxed{(b)}", 1),
    ("B", "\\boxed{\\textbf{B) a big dog}}", 1),
    ("B", "\\(\\boxed{\\text{Option B}}\\)", 1),
    ("B", "A: too small.\nB: fits.\nTherefore, option B is the correct answer.", 1),
    ("A", "The answer is A big thing", 0),
    ("B", "The answer could be A, but it is B.", 1),
    ("B", "Of the four, B is the best choice; A is close.", 1),
    ("B", "While A is tempting, the statement in B is right.", 1),
    ("B", "It's a tough one. B it is.", 1),
    ("B", "<think>A? The answer is A.</think>B", 1),
    ("A", "<think>The answer is A.", 0),
    ("B", "The best option here would be B", 1),
    (
        "B",
        "Let me go through them.\nA. a dog - small.\nB. a big dog - fits.\nC. ice cream - cold.\nD. Paris - city.\n\nSo the best choice is B.",
        1,
    ),
    ("B", "B\n\nA is small, C is cold.", 1),
    ("B", "𝐁", 1),
    ("B", "Ⓑ", 1),
    ("B", "⒝", 1),
    ("B", "My final choice: B", 1),
    ("B", "I would not choose A. I would choose B.", 1),
    ("B", "Correct option: B", 1),
    ("B", "Select option (B).", 1),
    ("B", "Option B", 1),
    ("B", "The correct one is (B)", 1),
    ("B", "Answer B", 1),
    ("B", "ANSWER (B)", 1),
    ("B", "Answer is B", 1),
    ("B", "The answer's B", 1),
    ("B", "the correct statement is B", 1),
    ("B", "A, C and D are wrong. B.", 1),
    ("B", "A and C can be eliminated. D is wrong too.", 0),
    ("B", "We eliminate A, C and D.", 0),
    ("B", "Neither A nor C; D is wrong, hence B.", 1),
    ("B", "[B]", 1),
    ("B", "B - a big dog", 1),
    ("B", ">> B", 1),
    ("B", "> B", 1),
    ("B", "- B", 1),
    ("B", "1. B", 1),
    ("A", "I would say that A friend of mine knows.", 0),
    ("B", "H2(g) and O2(g) react. So the letter is B.", 1),
    ("A", "(a) The field is E = kq. (b) The potential is V", 0),
    ("E", "The energy is $E = h\\nu$, where $E$ is in joules, and so on", 0),
    ("H", "The entropy $H(X)$ is given", 0),
    ("C", "The closest option is (C) 2430.", 1),
    ("B", "The answer is (B). However, other methods help. Therefore, option C is also correct.", 1),
    ("D", "The answer is (D).\n\nNow, combining all the answers, we have:\nThe answer is F.", 1),
    ("D", "The answer is (D).\n\nNow, let's 总结以上答案：\n\nThe answer is (H).", 1),
    ("D", "The answer is (D) and (B).", 0),
    ("D", "The answer is (D) or (B), depending on the rules.", 0),
    ("D", "The answer is (D), (A), and (B).", 0),
    ("D", "The correct answer is:\n\nD. The gene pool", 1),
    ("D", "Therefore, the final answer is:\n\n(D)", 1),
    (
        "C",
        "So we cannot conclude that option (B) is correct.\n(C) It fits. Therefore, option (C) is a possible answer.\n\n(C)",
        1,
    ),
    ("B", "(A) red - too bright.\n(B) green - fits.\n\nOutput: (B)", 1),
    ("D", "Therefore, the movie that is most similar to them is (D) Star Wars Episode IV - A New Hope.", 1),
    (
        "B",
        "Before we dive into the answer, let's break it down:\n(A) red is bright.\nIn conclusion, the best outcome is option (B).",
        1,
    ),
]


@pytest.mark.parametrize(("gold", "response", "performance"), WRITTEN)
def test_an_option_is_read_however_it_is_written(gold, response, performance):
    assert option_letter(response, Example("1", "?", gold, COLOURS)).performance == performance


@pytest.mark.parametrize("gold", ["B", "(B)", "B.", "b", "[B]", "**B**", "Option B", "green", " B "])
def test_a_gold_answer_finds_itself(gold):
    assert option_letter(gold, Example("1", "?", gold, COLOURS)).performance == 1
    assert option_letter("The answer is (B).", Example("1", "?", gold, COLOURS)).performance == 1


@pytest.mark.parametrize("gold", ["Z", "42", "B and C", "None", "", "purple"])
def test_a_gold_answer_that_is_no_option_is_found_in_nothing(gold):
    example = Example("1", "?", gold, COLOURS)
    assert gold_letter(example) is None
    assert option_letter(gold, example).performance == 0
    assert option_letter("The answer is (B).", example).performance == 0


def test_a_letter_names_its_option_where_another_option_has_that_text():
    example = Example("1", "?", "C", ("ab", "b", "d", "c"))
    assert option_letter("The answer is (C).", example).performance == 1
    assert option_letter("C", example).performance == 1


def test_letters_go_as_far_as_there_are_options():
    five = Example("1", "?", "E", ("v", "w", "x", "y", "z"))
    assert option_letter("The answer is E", five).performance == 1
    assert option_letter("The answer is F", five).prediction is None


def test_the_article_a_names_no_option():
    example = Example("1", "?", "A", ("x", "y"))
    assert option_letter("The thing is, a friend of mine has a cat", example).prediction is None
    assert option_letter("The answer is a difficult matter", example).prediction is None
    assert option_letter("A", example).performance == 1
