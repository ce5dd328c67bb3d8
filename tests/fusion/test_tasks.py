"""Every task on a small local data set in the hub's form: what is asked, what is gold, and that prompt and grader agree."""

import json
import re

import polars as pl
import pytest
from hub_rows import GOLD, PROMPT_HOLDS_ANSWER, ROWS, SHUFFLED, SOLUTIONS

from fusion.tasks import find_task, load_examples, task_names
from fusion.tasks.base import STYLES
from fusion.tasks.graders import GRADERS, gold_answers
from fusion.tasks.graders.choice import LETTERS

DOMAINS = {
    "math": {"gsm8k", "math"},
    "code": {"mbpp", "human_eval"},
    "commonsense": {"commonsense_qa", "openbook_qa", "arc_challenge", "hellaswag"},
    "world_knowledge": {"natural_qa", "trivia_qa"},
    "reading": {"squad", "boolq"},
    "popular": {"mmlu", "gpqa"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with every task's data set, as Parquet files named as on the hub."""
    folder = tmp_path_factory.mktemp("data")
    for name, rows in ROWS.items():
        (folder / name).mkdir()
        pl.DataFrame(rows).write_parquet(folder / name / f"{find_task(name).hub.split}-00000-of-00001.parquet")
    return folder


def read(name, data):
    """The examples of a task, in the order of its rows."""
    examples = load_examples(find_task(name), data=data)
    task = find_task(name)
    order = [task.read(row).question for row in ROWS[name]]
    return sorted(examples, key=lambda example: order.index(example.question))


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_tasks_of_fusionbench_have_its_domains(domain):
    assert DOMAINS[domain] <= set(task_names())
    assert {find_task(name).domain for name in DOMAINS[domain]} == {domain}


def test_every_task_has_rows_and_what_is_right_for_them():
    assert set(ROWS) == set(task_names())
    assert set(GOLD) | set(SOLUTIONS) | SHUFFLED == set(task_names())


@pytest.mark.parametrize("name", task_names())
def test_a_task_is_whole(name):
    task = find_task(name)
    assert task.name == name
    assert task.grade is GRADERS[task.metric]
    assert set(task.prompts) == set(task.max_tokens) == set(STYLES)
    assert all("{question}" in prompt for prompt in task.prompts.values())
    assert "step by step" in task.prompts["reasoning"]
    assert "step" not in task.prompts["direct"]
    assert task.max_tokens["direct"] < task.max_tokens["reasoning"]
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", task.hub.path)


@pytest.mark.parametrize("name", GOLD)
def test_gold_answers_are_read(name, data):
    assert [example.ground_truth for example in read(name, data)] == GOLD[name]


@pytest.mark.parametrize("name", task_names())
def test_every_column_that_is_read_is_on_the_hub_and_needed(name, data):
    examples = read(name, data)
    assert len(examples) == len(ROWS[name])
    assert all(example.source_split == find_task(name).hub.split for example in examples)
    assert len({example.id for example in examples}) == len(examples)


def follow(task, style, answer):
    """A response that does what the prompt of the task asks for, and has this answer."""
    thought = "" if style == "direct" else "Let me see: there are two ways, 3 and 4, and a third.\n\n"
    if task.grade.gold == "code":
        return f"{thought}```python\n{answer}\n```"
    if task.grade.response != "{}":
        return f"{thought}${'' if style == 'direct' else 'x = '}{task.grade.response.format(answer)}$"
    if style == "direct":
        return answer
    mark = re.search(r"'(Answer: |#### )", task.prompts["reasoning"])
    assert mark, "the reasoning prompt must say how the last line begins, with 'Answer: or '####"
    return f"{thought}{mark[1]}{answer}"


def answers(task, example, number):
    """A right and a wrong answer to an example."""
    if task.grade.gold == "code":
        return SOLUTIONS[task.name][number], re.sub(r"return \w", "return -1 or 9", SOLUTIONS[task.name][number])
    gold = gold_answers(task.metric, example.ground_truth)[-1]
    if task.grade.gold == "letter":
        return gold, next(letter for letter in LETTERS if letter != gold)
    return gold, {"yes": "no", "no": "yes"}.get(gold, "17")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", task_names())
def test_prompt_and_grader_agree(name, style, data):
    task = find_task(name)
    for number, example in enumerate(read(name, data)[:3]):
        right, wrong = answers(task, example, number)
        assert task.grade(follow(task, style, right), example).performance == 1
        assert task.grade(follow(task, style, wrong), example).performance == 0
        assert task.grade("", example).performance == 0


@pytest.mark.parametrize("name", sorted(set(task_names()) - PROMPT_HOLDS_ANSWER))
def test_the_prompt_itself_is_no_right_answer(name, data):
    task = find_task(name)
    for example in read(name, data):
        for style in STYLES:
            prompt = task.prompt(example, style)
            assert task.grade(prompt.replace(example.question, ""), example).performance == 0
            if task.grade.gold != "letter":  # a question shows its options with their letters
                assert task.grade(example.question, example).performance == 0


def test_options_stand_below_the_question_with_letters(data):
    question = read("arc_challenge", data)[0].question
    assert question == "Which one is a gas?\n\nA. iron\nB. ice\nC. air\nD. wood"
    assert read("mmlu", data)[0].subtask == "elementary_mathematics"


def test_options_of_gpqa_are_shuffled_and_the_letter_follows(data):
    """The published generators place option ``mapping.index(i)`` at i, and call ``mapping.index(0)`` the right letter.

    These differ wherever a permutation is not its own inverse, so that about half of their letters are wrong.
    """
    examples = read("gpqa", data)
    for example in examples:
        assert example.choices[LETTERS.index(example.ground_truth)].startswith("right")
        assert len(set(example.choices)) == 4
    assert {example.ground_truth for example in examples} == set("ABCD")
    places = [[f"{'abc'.find(option[-1])}" for option in example.choices] for example in examples]
    assert len({tuple(place) for place in places}) > 12
    assert [example.choices for example in examples] == [example.choices for example in read("gpqa", data)]


def test_the_inverse_permutation_would_be_wrong_for_some_of_these_rows(data):
    """So the test above can fail: with the bug, the same orders give other letters."""
    wrong = 0
    for example in read("gpqa", data):
        source = [f"right {example.id[3:]}", *(f"wrong {example.id[3:]} {letter}" for letter in "abc")]
        order = [source.index(option) for option in example.choices]
        wrong += order[0] != order.index(0)
    assert wrong > 10


def test_mbpp_shows_its_tests_and_hides_its_solution(data):
    task, example = find_task("mbpp"), read("mbpp", data)[0]
    gold = json.loads(example.ground_truth)
    assert "assert sum(12) == 3" in task.prompt(example)
    assert "helper" not in task.prompt(example)
    assert "helper" not in example.ground_truth
    assert gold["names"] == ["sum"]
    assert gold["setup"] == "import math"


def test_human_eval_hides_tests_and_solution(data):
    task, example = find_task("human_eval"), read("human_eval", data)[0]
    assert "check" not in task.prompt(example)
    assert "map(" not in task.prompt(example)
    completion = "    return sum(map(double, xs))\n"
    assert task.grade(completion, example).performance == 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("gsm8k", {"answer": "4"}),
        ("math", {"solution": "It is 4."}),
        ("commonsense_qa", {"answerKey": ""}),
        ("arc_challenge", {"answerKey": "F"}),
        ("hellaswag", {"label": ""}),
        ("mmlu", {"answer": 4}),
        ("natural_qa", {"answer": []}),
        ("squad", {"answers": {"text": [], "answer_start": []}}),
        ("mbpp", {"test_list": ["assert other() == 1"]}),
    ],
)
def test_a_row_without_a_gold_answer_is_an_error(name, change):
    with pytest.raises(ValueError, match="must"):
        find_task(name).read({**ROWS[name][0], **change})
