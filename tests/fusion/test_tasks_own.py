"""Tasks of the user's own: a YAML beside a JSONL, or a Python file."""

import json
from dataclasses import replace

import pytest
from hub_rows import ROWS as ROWS_OF_TASKS

from fusion.tasks import find_task, load_examples
from fusion.tasks.gold import gold_check
from graphrouter.errors import UserError

ROWS = [
    {"id": "one", "question": "1 + 1", "ground_truth": "2", "subtask": "easy", "source_split": "dev"},
    {"question": "2 + 3", "ground_truth": ["5", "five"]},
    {"question": "3 + 4", "ground_truth": 7},
]


def write(folder, yaml="metric: exact_match\n", rows=ROWS, name="addition"):
    (folder / f"{name}.yaml").write_text(yaml)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / f"{name}.yaml")


def by_question(spec):
    return {example.question: example for example in load_examples(find_task(spec))}


def test_a_metric_is_enough(tmp_path):
    task = find_task(write(tmp_path))
    assert (task.name, task.domain, task.metric) == ("addition", "addition", "exact_match")
    examples = by_question(write(tmp_path))
    assert (examples["1 + 1"].id, examples["1 + 1"].subtask, examples["1 + 1"].source_split) == ("one", "easy", "dev")
    assert [task.grade(response, examples["2 + 3"]).performance for response in ("5", "Five.", "6")] == [1, 1, 0]
    assert task.grade("Answer: 7", examples["3 + 4"]).performance == 1


@pytest.mark.parametrize("style", ["direct", "reasoning"])
def test_default_prompts_and_grader_agree(style, tmp_path):
    task, examples = find_task(write(tmp_path)), by_question(write(tmp_path))
    prompt = task.prompt(examples["1 + 1"], style)
    assert prompt.startswith("1 + 1\n")
    assert ("'Answer: ...'" in prompt) == (style == "reasoning")


def test_everything_can_be_given(tmp_path):
    yaml = (
        "name: sums\ndomain: arithmetic\nmetric: numeric\ndescription: Sums.\nexamples: addition.jsonl\n"
        'prompts: {direct: "Add {question}."}\nmax_tokens: {reasoning: 96}\n'
    )
    task = find_task(write(tmp_path, yaml))
    assert (task.name, task.domain, task.description) == ("sums", "arithmetic", "Sums.")
    assert task.prompt(load_examples(task, limit=1)[0]).startswith("Add ")
    assert (task.max_tokens["direct"], task.max_tokens["reasoning"]) == (128, 96)
    assert task.examples == tmp_path / "addition.jsonl"


def test_choices_are_shown_and_graded_by_letter(tmp_path):
    rows = [
        {"question": "Which is hot?", "choices": ["ice", "fire"], "ground_truth": "fire"},
        {"question": "Which is cold?", "choices": ["ice", "fire"], "ground_truth": "A"},
    ]
    examples = by_question(write(tmp_path, "metric: em_mc", rows))
    hot = examples["Which is hot?\n\nA. ice\nB. fire"]
    assert (hot.ground_truth, hot.choices) == ("B", ("ice", "fire"))
    assert examples["Which is cold?\n\nA. ice\nB. fire"].ground_truth == "A"


def test_choices_with_another_metric_keep_their_ground_truth(tmp_path):
    rows = [{"question": "Which?", "choices": ["ice", "fire"], "ground_truth": "fire"}]
    (example,) = by_question(write(tmp_path, rows=rows)).values()
    assert (example.ground_truth, example.question) == ("fire", "Which?\n\nA. ice\nB. fire")


def test_code_is_graded_by_tests(tmp_path):
    rows = [{"question": "Write inc.", "ground_truth": {"tests": ["assert inc(1) == 2"], "names": "inc"}}]
    task = find_task(write(tmp_path, "metric: pass@1", rows))
    (example,) = load_examples(task)
    assert task.grade("def inc(x):\n    return x + 1", example).performance == 1
    assert task.grade("def inc(x):\n    return x", example).performance == 0


def test_truths_of_json_are_yes_and_no(tmp_path):
    task = find_task(write(tmp_path, "metric: yes_no", [{"question": "Is it?", "ground_truth": False}]))
    assert task.grade("No.", load_examples(task)[0]).performance == 1


WRONG_YAML = {
    "unknown key": ("metric: f1\nmax_token: {direct: 1}", "no key 'max_token'; did you mean 'max_tokens'"),
    "unknown metric": ("metric: exact", "'exact' has none"),
    "no metric": ("name: x", "must have a metric"),
    "no mapping": ("- 1", "must be a YAML mapping of keys to values, but is a list"),
    "no yaml": ("metric: [", "must be a YAML mapping, but cannot be read"),
    "a number for a name": ("metric: f1\nname: 3", "name must be text"),
    "a name that leads out": ("metric: f1\nname: ../../x", "name must be a file's name, .* but is '../../x'"),
    "a hidden name": ("metric: f1\nname: .x", "name must be a file's name"),
    "unknown style": ("metric: f1\nprompts: {reasonin: '{question}'}", "did you mean 'reasoning'"),
    "a prompt without the question": ("metric: f1\nprompts: {direct: Say it}", "text that holds {question}"),
    "prompts as text": ("metric: f1\nprompts: '{question}'", "must have direct and reasoning"),
    "no tokens": ("metric: f1\nmax_tokens: {direct: 0}", "above 0"),
    "true tokens": ("metric: f1\nmax_tokens: {direct: true}", "above 0"),
}


@pytest.mark.parametrize("case", WRONG_YAML)
def test_a_wrong_yaml_is_explained(case, tmp_path):
    yaml, message = WRONG_YAML[case]
    with pytest.raises(UserError, match=message):
        find_task(write(tmp_path, yaml))


WRONG_ROWS = {
    "no ground truth": ("f1", {"question": "a"}, "must have the column 'ground_truth'"),
    "null": ("f1", {"question": "a", "ground_truth": None}, "row 0: ground_truth must be text"),
    "empty": ("f1", {"question": "a", "ground_truth": " "}, "ground_truth must be text"),
    "list of numbers": ("f1", {"question": "a", "ground_truth": [1]}, "ground_truth must be text"),
    "no question": ("f1", {"question": "", "ground_truth": "x"}, "question must be text"),
    "no choices": ("em_mc", {"question": "a", "ground_truth": "A"}, "must be the letter or the text"),
    "one choice": ("em_mc", {"question": "a", "ground_truth": "A", "choices": ["x"]}, "2 to 10 options"),
    "a letter too far": ("em_mc", {"question": "a", "ground_truth": "C", "choices": ["x", "y"]}, "must be the letter"),
    "choices as text": ("em_mc", {"question": "a", "ground_truth": "A", "choices": "xy"}, "choices must be a list"),
    "code without tests": ("pass@1", {"question": "a", "ground_truth": "x"}, "object with tests and names"),
    "code without names": ("pass@1", {"question": "a", "ground_truth": {"tests": "x", "names": []}}, "tests must be"),
    "tests that do not compile": (
        "pass@1",
        {"question": "a", "ground_truth": {"tests": "assert (", "names": "f"}},
        "Python code",
    ),
    "no tests": ("pass@1", {"question": "a", "ground_truth": {"tests": "# none", "names": "f"}}, "must test something"),
    "names of no code": (
        "pass@1",
        {"question": "a", "ground_truth": {"tests": "assert f()", "names": "f()"}},
        "must be names",
    ),
    "an option's place": ("em_mc", {"question": "a", "ground_truth": 1, "choices": ["x", "y"]}, "must be the letter"),
}

UNREACHABLE = [
    ("numeric", float("nan")),
    ("numeric", float("inf")),
    ("numeric", "n/a"),
    ("numeric", True),
    ("numeric", "between 5 and 10"),
    ("numeric", "3 apples and 7 pears"),
    ("numeric", ["42", "unknown"]),
    ("yes_no", "maybe"),
    ("yes_no", "yes and no"),
    ("math_equal", "\\frac{1"),
    ("GSM8K", "NaN"),
]
REACHABLE = [
    ("numeric", "forty-two", "42"),
    ("numeric", 18, "It is 18."),
    ("numeric", "50%", "50"),
    ("numeric", "#### 1,234", "1234"),
    ("exact_match", "...", "..."),
    ("exact_match", "Hepatitis A", "hepatitis A"),
    ("exact_match", "The answer is 42", "The answer is 42."),
    ("cem", ["C++", "A"], "C++"),
    ("f1", "?", "?"),
    ("yes_no", "TRUE.", "yes"),
    ("math_equal", "\\frac{1}{2}", "\\boxed{1/2}"),
]


@pytest.mark.parametrize(("metric", "gold"), UNREACHABLE)
def test_a_gold_answer_that_its_grader_does_not_find_is_refused_with_its_row(metric, gold, tmp_path):
    rows = [
        {"question": "1 + 1", "ground_truth": True if metric == "yes_no" else "2"},
        {"question": "x", "ground_truth": gold},
    ]
    task = find_task(write(tmp_path, f"metric: {metric}", rows))
    with pytest.raises(
        UserError, match=r"addition\.jsonl, row 1: the gold answer must be one that \w+ finds in itself"
    ) as error:
        load_examples(task)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("metric", "gold", "response"), REACHABLE)
def test_a_gold_answer_that_its_grader_finds_is_taken(metric, gold, response, tmp_path):
    task = find_task(write(tmp_path, f"metric: {metric}", [{"question": "x", "ground_truth": gold}]))
    (example,) = load_examples(task)
    assert task.grade(response, example).performance == 1


@pytest.mark.parametrize("gold", ["B", "b", "(B)", "b)", "B.", "fire"])
def test_an_option_is_named_by_letter_or_text(gold, tmp_path):
    rows = [{"question": "Which?", "choices": ["ice", "fire"], "ground_truth": gold}]
    (example,) = by_question(write(tmp_path, "metric: em_mc", rows)).values()
    assert example.ground_truth == "B"


def test_gold_answers_of_a_python_task_are_checked_too_but_not_those_of_its_own_grader(tmp_path):
    (tmp_path / "mine.csv").write_text("q,a\nWho?,Ada\n")
    (tmp_path / "mine.py").write_text(PYTHON.replace('"cem"', '"numeric"'))
    with pytest.raises(
        UserError, match="mine.csv, row 0: the gold answer must be one that numeric finds in itself, but 'Ada'"
    ):
        load_examples(find_task(str(tmp_path / "mine.py")))
    (tmp_path / "mine.py").write_text(
        PYTHON.replace('grade=find_grader("cem")', "grade=lambda response, example: None")
    )
    assert len(load_examples(find_task(str(tmp_path / "mine.py")))) == 1


@pytest.mark.parametrize("name", ROWS_OF_TASKS)
def test_the_gold_answers_of_the_tasks_that_come_along_pass_the_check(name):
    task = find_task(name)
    check = gold_check(replace(task, domain="mine"))
    for row in ROWS_OF_TASKS[name]:
        check(task.read(row))


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_a_wrong_row_is_explained(case, tmp_path):
    metric, row, message = WRONG_ROWS[case]
    with pytest.raises(UserError, match=message):
        load_examples(find_task(write(tmp_path, f"metric: {metric}", [row])))


PYTHON = """
from pathlib import Path
from fusion.tasks.base import Example, Task
from fusion.tasks.graders import find_grader

def read(row):
    return Example("", row["q"], row["a"])

TASK = Task(
    name="mine", domain="mine", metric="cem", description="Mine.", read=read, grade=find_grader("cem"),
    prompts={"direct": "{question}", "reasoning": "{question} Think."}, examples=Path(__file__).with_suffix(".csv"),
)
"""


def test_a_python_file_defines_a_task(tmp_path):
    (tmp_path / "mine.py").write_text(PYTHON)
    (tmp_path / "mine.csv").write_text("q,a\nWho?,Ada\n")
    task = find_task(str(tmp_path / "mine.py"))
    (example,) = load_examples(task)
    assert task.grade("It was Ada.", example).performance == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("X = 1", "must define TASK"),
        ("TASK = 1", "but has int"),
        ("1 / 0", "must import without error, but ZeroDivisionError"),
        ("def f(:", "must import without error, but SyntaxError"),
        (PYTHON.replace('examples=Path(__file__).with_suffix(".csv"),', ""), "either hub or examples, but has neither"),
    ],
)
def test_a_wrong_python_file_is_explained(code, message, tmp_path):
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(UserError, match=message):
        find_task(str(tmp_path / "mine.py"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gsm9k", "did you mean 'gsm8k'"),
        ("nowhere.yaml", "must exist"),
        ("nowhere.py", "must exist"),
        ("x.txt", "known:"),
    ],
)
def test_an_unknown_task_is_explained(spec, message):
    with pytest.raises(UserError, match=message):
        find_task(spec)


def test_examples_that_are_not_there_are_an_error(tmp_path):
    spec = write(tmp_path)
    (tmp_path / "addition.jsonl").unlink()
    with pytest.raises(UserError, match="addition.jsonl must be a file that can be read"):
        load_examples(find_task(spec))
