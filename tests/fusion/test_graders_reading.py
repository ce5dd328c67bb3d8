"""What of a response is read, on responses cut by hand."""

import time

import pytest

from fusion.tasks import find_task, task_names
from fusion.tasks.base import Example
from fusion.tasks.graders import GRADERS
from fusion.tasks.graders.reading import STOP_SEQUENCES, answer_part, code_part, without_thinking

THINKING = [
    ("<think>Could the answer be: Lyon</think>\nParis", "Paris"),
    ("It may be A.\n</think>\n\nB", "B"),
    ("A?\n</think>\n\nNo.\n</think>\n\nB", "B"),
    ("<think>so it is B", ""),
    ("<think>\nso it is B\n\nAnswer: B", ""),
    ("Well. <think>so it is B", "Well."),
    ("Answer: B\n<think>check A</think>", "Answer: B"),
    ("First <think>A?</think>Answer: <think>B?</think>C", "First Answer: C"),
    ("<think>A <think>B</think> C</think>D", "D"),
    ("<Thinking effort='low'>A</Thinking>B", "B"),
    ("<thinking>A <reflection>no</reflection> B</thinking>\n<output>C</output>", "<output>C</output>"),
    ("<reasoning>\nA\n</reasoning>\n<answer>\nB\n</answer>", "<answer>\nB\n</answer>"),
    ("<THOUGHT>A</THOUGHT>B", "B"),
    ("<seed:think>A</seed:think>B", "B"),
    ("\u25c1think\u25b7A\u25c1/think\u25b7B", "B"),
    ("[THINK]A[/THINK]B", "B"),
    ("<|START_THINKING|>A<|END_THINKING|><|START_RESPONSE|>B<|END_RESPONSE|>", "B"),
    ("<|begin_of_thought|>A<|end_of_thought|>\n<|begin_of_solution|>B<|end_of_solution|>", "B"),
    ("<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>", "B"),
    ("<|channel|>analysis<|message|>A?", ""),
    ("analysisIt may be A.assistantfinalB", "B"),
    ("analysisIt may be A", ""),
    ("analysis of the data gives B", None),
    ("<think>A</think><|begin_of_box|>B<|end_of_box|>", "\\boxed{B}"),
    ('it is "B"</think>B', "B"),
    ("The tag <think> opens thoughts. Answer: B", None),
    ("Use `<think>` and `</think>`. Answer: B", None),
    ("```\n<think>\n```\nAnswer: B", None),
    ('text.split("</think>")[-1]', None),
    ("if 3 <thinking and x> 5", None),
]
CONTINUED = [
    ("Answer: B\n\nQuestion: Which is even?\nA. 3\nAnswer: C", "Answer: B"),
    ("9 * 2 = 18 dollars.\n#### 18\n\nQuestion: A train?\nAnswer: 100\n#### 100", "9 * 2 = 18 dollars.\n#### 18"),
    ("9 * 2 = 18 dollars.\n\nQuestion: A train has 5 cars. How many?\nIt has 5.", "9 * 2 = 18 dollars."),
    ("B\n\nQuestion 2: Which?", "B"),
    ("Paris\n\nQ: What is next?\nA: Rome", "Paris"),
    ("Paris\n\nQ: What is the cap", "Paris"),
    ("The answer is 5.\n\nProblem: Find x.\nSolution: 3", "The answer is 5."),
    ("18\nHuman: And now?\nAssistant: 5", "18"),
    ("18\n\nUser: thanks", "18"),
    ("Therefore, the sum is 16.\nUser", "Therefore, the sum is 16."),
    ("18\n\nExercise 3. Find x.", "18"),
    ("B\n\n### Question:\nWhich?\n### Answer: C", "B"),
    ("B\n\n### Instruction:\nName it.\n### Response: C", "B"),
    ("4\n\nInput: 5\nOutput: 6", "4"),
    ("B<|im_end|>\n<|im_start|>user\nWhich?", "B"),
    ("<|im_start|>assistant\nB<|im_end|>", "B"),
    ("B</s>[INST] Which? [/INST] C", "B"),
    ("B<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhich?", "B"),
    ("The answer is B.\n\nNext question: Which?\nThe answer is C.", "The answer is B."),
    ("\u7b54\u6848\u662fB\n\n\u95ee\u9898\uff1a\u54ea\u4e2a\uff1f\n\u7b54\u6848\u662fC", "\u7b54\u6848\u662fB"),
    # the question repeated, a preface, a formula, an explanation: nothing is cut
    ("Question: Which? Answer: B", None),
    ("Question: Which?\nA. 3\nB. 4\n\nAnswer: B", None),
    ("Problem: A train.\n\nQuestion: How far?\n\nSolution: 5\nAnswer: 18", None),
    ("Sure!\n\n**Question:** Which?\n\n**Answer:** B", None),
    ("Let me restate the problem.\n\nProblem: A train?\n\nSolution: 5\nAnswer: 18", None),
    ("The heat is Q = mc.\nQ: heat\nm: mass\n\nSo it is 5", None),
    ("We trace the loop, one step after the other.\nWe begin.\nInput: [1]\nOutput: [2]\nAnswer: 3", None),
    ("The question: is it B? Yes.\nAnswer: B", None),
    ("Questions like this one need care.\nAnswer: B", None),
    ("User input is read.\nAnswer: B", None),
    ("The adjectives are:\n* silly\n* exercise\n* user\n\nAnswer: B", None),
]
WIDTH = [
    ("\uff22", "B"),
    ("\u7b54\u6848\uff1a\uff22", "\u7b54\u6848:B"),
    ("\uff11\uff18\u3000\uff04", "18 $"),
    ("\U0001d401", "B"),
    ("x\u00b2 = 3\u00bd", None),
]


@pytest.mark.parametrize(("response", "part"), [*THINKING, *CONTINUED, *WIDTH])
def test_the_answer_is_what_was_marked_by_hand(response, part):
    assert answer_part(response) == (response if part is None else part)
    assert answer_part(answer_part(response)) == answer_part(response)


def test_the_own_question_repeated_is_no_further_question():
    question = "A train has 5 cars with 20 seats each. How many seats?"
    response = f"I will solve this carefully and slowly.\nIt needs care.\n\nQuestion: {question}\n\nAnswer: 100"
    assert answer_part(response, question) == response
    again = f"The answer is 100.\n\nQuestion: {question}\nThe answer is 50."
    assert answer_part(again, question) == "The answer is 100."


def test_code_keeps_its_signs_and_the_space_before_it():
    assert code_part("    return '\uff22'\n") == "    return '\uff22'\n"
    assert code_part("<think>def f(): 1</think>\ndef f():\n    return 2") == "\ndef f():\n    return 2"
    assert code_part("<think>def f(): 1") == ""
    assert code_part("def f():\n    return 2\n\nQuestion: write g.") == "def f():\n    return 2\n\n"


GRADED = [
    ("exact_match", "Paris", "<think>Could the answer be: Lyon</think>\nParis", 1),
    ("cem", '["Lyon"]', "<think>It might be Lyon, but no.</think>Paris", 0),
    ("f1", "Paris", "<think>Lyon</think>Paris", 1),
    ("yes_no", "yes", "No?</think>Yes", 1),
    ("em_mc", "B", "<think>The answer is A.</think>The answer is B.", 1),
    ("em_mc", "A", "<think>The answer is A.", 0),
    ("numeric", "18", "<think>It is 5</think>18", 1),
    ("numeric", "18", "9 * 2 = 18 dollars.\n#### 18\n\nQuestion: A train?\nAnswer: 100\n#### 100", 1),
    ("math_equal", "5", "<think>\\boxed{4}</think>\\boxed{5}", 1),
    ("math_equal", "5", "<think>\\boxed{5}", 0),
    (
        "pass@1",
        '{"tests": "assert f() == 1", "names": ["f"]}',
        "<think>def f():\n    return 2</think>\ndef f():\n    return 1",
        1,
    ),
]


@pytest.mark.parametrize(("metric", "gold", "response", "performance"), GRADED)
def test_every_grader_reads_the_answer_alone(metric, gold, response, performance):
    assert GRADERS[metric](response, Example("1", "?", gold)).performance == performance


@pytest.mark.parametrize("name", task_names())
def test_every_task_reads_nothing_from_thinking_that_was_cut_off(name):
    task = find_task(name)
    gold = '{"tests": "assert f() == 1", "names": ["f"]}' if task.metric == "pass@1" else "A"
    said = "```python\ndef f():\n    return 1\n```" if task.metric == "pass@1" else "A"
    assert task.grade(f"<think>{said}", Example("1", "?", gold)).performance == 0


def test_a_place_to_stop_is_where_reading_ends():
    for stop in STOP_SEQUENCES:
        assert answer_part(f"The answer is 5.{stop}\nWhich?\nAnswer: 6") == "The answer is 5."


@pytest.mark.parametrize(
    "piece",
    [
        "<think>",
        "</think>",
        "\n<think>\n```\n",
        "\nQuestion:",
        "\nQ: a",
        "B\nQ. ",
        "<|im_end|>",
        "`<think>",
        "\n> ",
        "\nThe following are ",
    ],
)
def test_reading_takes_time_in_proportion(piece):
    begin = time.process_time()
    answer_part(piece * (200_000 // len(piece)), "a" * 1000)
    assert time.process_time() - begin < 2


def test_text_without_marks_is_untouched():
    text = "Dogs bark.\n\nCats purr, and 3 < 5 > 2.\n"
    assert without_thinking(text) == text
