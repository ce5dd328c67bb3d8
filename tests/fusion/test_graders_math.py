"""Mathematical expressions, on answers marked by hand; and that grading them works in threads and ends in time."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fusion.tasks.base import Example
from fusion.tasks.graders import symbolic
from fusion.tasks.graders.answers import boxed
from fusion.tasks.graders.symbolic import math_equal
from graphrouter.errors import UserError

MARKED = [
    (r"\frac{1}{2}", r"So \boxed{\frac{1}{2}}.", 1),
    (r"\frac{1}{2}", r"\boxed{0.5}", 1),
    (r"\frac{1}{2}", r"\boxed{1/2}", 1),
    (r"\frac12", r"$\boxed{\dfrac{1}{2}}$", 1),
    (r"3\sqrt{2}", r"\boxed{\sqrt{18}}", 1),
    (r"x^2+1", r"\boxed{1 + x^2}", 1),
    (r"(x+1)^2", r"\boxed{x^2+2x+1}", 1),
    (r"(1,2)", r"\boxed{\left( 1, 2 \right)}", 1),
    (r"[0,1)", r"\boxed{[0, 1)}", 1),
    (r"(-\infty,2)\cup(3,\infty)", r"\boxed{(-\infty, 2) \cup (3, \infty)}", 1),
    (r"\{1,2\}", r"\boxed{\{2, 1\}}", 1),
    (r"1,2", r"\boxed{1} and \boxed{2}", 1),
    (r"5", r"\boxed{x = 5}", 1),
    (r"1000", r"\boxed{1,000}", 1),
    (r"90^\circ", r"\boxed{90}", 1),
    (r"10\%", r"\boxed{10}", 1),
    (r"10\%", r"\boxed{10.0}", 1),
    (r"\$18.90", r"\boxed{18.9}", 1),
    (r"\text{Monday}", r"\boxed{Monday}", 1),
    (r"11\text{ cm}", r"\boxed{11}", 1),
    (r"5", r"First \boxed{4}, but that is wrong. It is \boxed{5}", 1),
    (r"\frac{a^{b}}{c}", r"\boxed{\frac{a^{b}}{c}}", 1),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\boxed{\begin{bmatrix}1\\2\end{bmatrix}}", 1),
    (r"6-5i", r"\boxed{6 - 5i}", 1),
    (r"5", r"\boxed 5", 1),
    (r"5", r"The answer is $5$.", 1),
    (r"\frac{1}{2}", r"The final answer is: \(\frac{1}{2}\). I hope it is correct.", 1),
    (r"\frac{1}{2}", r"\boxed{\frac{1}{3}}", 0),
    (r"5", r"\boxed{5} is too small, so \boxed{6}", 0),
    (r"(1,2)", r"\boxed{[1,2]}", 0),
    (r"(1,2)", r"\boxed{(2,1)}", 0),
    (r"5", r"\boxed{-5}", 0),
    (r"x^2", r"\boxed{x^3}", 0),
    (r"5", r"It must be 5", 0),
    (r"5", r"\boxed{5", 0),
    (r"5", r"\boxed{}", 0),
    (r"5", "", 0),
    (r"\text{Monday}", r"\boxed{Tuesday}", 0),
    (r"\{1,2\}", r"\boxed{\{1,2,3\}}", 0),
]


@pytest.mark.parametrize(("gold", "response", "right"), MARKED)
def test_agrees_with_hand_marked_answers(gold, response, right):
    assert math_equal(response, Example("1", "?", gold)).performance == right


FILE = Path(__file__).with_name("marked_maths.txt")
FORMS = [tuple(line.split(" || ")) for line in FILE.read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize(("gold", "answer", "right"), FORMS)
def test_answers_are_read_in_the_forms_in_which_they_are_written(gold, answer, right):
    told = any(word in answer for word in ("\\boxed", "nswer", "Therefore"))
    response = answer if told else f"\\boxed{{{answer}}}"
    assert math_equal(response, Example("1", "?", gold)).performance == float(right)


def test_a_gold_answer_may_be_a_solution_with_a_box():
    assert math_equal(r"\boxed{5}", Example("1", "?", r"We have $2x = 10$, so $x = \boxed{5}$.")).performance == 1


@pytest.mark.parametrize(
    "answer",
    [
        "a" * 1900,
        "(" * 900,
        "word " * 380,
        r"\frac{" * 300,
        "1," * 900,
        r"\text{" * 300,
        "-" * 1900,
        "2^" * 900,
        "x " * 900,
        "1:" * 900,
    ],
)
def test_odd_answers_in_a_box_are_compared_in_time(answer):
    begin = time.process_time()
    for gold in ("12", r"x \le 2"):
        assert math_equal(rf"\boxed{{{answer}}}", Example("1", "?", gold)).performance == 0
    assert time.process_time() - begin < 4


@pytest.mark.parametrize(
    ("gold", "response", "right"),
    [
        ("5", "5", 1),
        ("1/3", r"$\frac13$", 1),
        ("1/3", "0.3333333333", 1),
        ("5", "$x=5$", 1),
        ("(1,2)", "(1, 2)", 1),
        ("5", "6", 0),
        ("5", "5 of them are red", 0),
        ("5", "I have\n5", 0),
        ("5", "{5", 0),
        ("5", "", 0),
    ],
)
def test_a_response_of_mathematics_alone_is_the_answer(gold, response, right):
    assert math_equal(response, Example("1", "?", gold)).performance == right


@pytest.mark.parametrize(
    ("response", "content"),
    [
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{1} \text{ and } \boxed{2}", "1, 2"),
        (r"\boxed{1} is wrong; we get \boxed{2}", "2"),
        (r"\fbox{7}", "7"),
        (r"\boxed{ 7 }", "7"),
        (r"\boxed{7", None),
        ("none", None),
    ],
)
def test_content_of_the_last_box(response, content):
    assert boxed(response) == content


def test_grades_from_many_threads_at_once():
    pairs = [(rf"\frac{{{n}}}{{2}}", rf"\boxed{{{n / 2}}}") for n in range(1, 40, 2)]
    with ThreadPoolExecutor(8) as pool:
        grades = list(pool.map(lambda pair: math_equal(pair[1], Example("1", "?", pair[0])), pairs))
    assert [grade.performance for grade in grades] == [1.0] * len(pairs)


def test_a_comparison_without_end_is_cut_off_and_the_next_one_works(monkeypatch):
    monkeypatch.setattr(symbolic, "TIME_LIMIT_S", 0.5)
    example = Example("1", "?", r"\frac{\sqrt{2}}{2}")
    symbolic.POOL.close()
    math_equal(r"\boxed{\frac{1}{\sqrt{2}}}", example)  # starts a worker
    begin = time.perf_counter()
    assert math_equal(r"\boxed{9^{9^{9^{9}}}}", example).performance == 0
    assert time.perf_counter() - begin < 2
    assert math_equal(r"\boxed{\frac{1}{\sqrt{2}}}", example).performance == 1


def test_a_worker_that_has_died_costs_nothing():
    example = Example("1", "?", r"\frac{\sqrt{2}}{2}")
    math_equal(r"\boxed{\frac{1}{\sqrt{2}}}", example)
    worker = symbolic.POOL._idle()
    worker.process.kill()
    worker.process.wait()
    symbolic.POOL.close()
    symbolic.POOL.idle.put(worker)
    assert math_equal(r"\boxed{\frac{1}{\sqrt{2}}}", example).performance == 1


def test_a_worker_that_cannot_start_is_an_error_of_the_user(monkeypatch, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("import a_module_that_is_not_there")
    monkeypatch.setattr(symbolic, "WORKER", script)
    with pytest.raises(UserError, match="needs math-verify"):
        symbolic.Worker()
