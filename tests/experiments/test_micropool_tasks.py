import dataclasses
import re
from random import Random

import micropool_solvers as solvers
import pytest

from experiments.micropool.config import Model, read_pool
from experiments.micropool.sampling import PROMPTS, evaluation_questions, response, training_pairs
from experiments.micropool.tasks import GENERATORS, find_generator
from experiments.micropool.tasks.base import LETTERS, LEVELS, Item, draw, is_evaluation
from experiments.micropool.tasks.knowledge import world
from experiments.micropool.tasks.people import ONE_HOP, TWO_HOPS
from fusion.prompts import THOUGHTS
from fusion.tasks.base import Example
from fusion.tasks.graders import find_grader
from graphrouter.errors import UserError
from graphrouter.splits import normalise_text

LEADS = r"^(Quick question: |Please help me\. |Here is a task\. |I need an answer\. )"
CELLS = [(generator, topic) for generator in GENERATORS for topic in generator.topics]
IDS = [f"{generator.name}/{topic}" for generator, topic in CELLS]


def items(generator, topic, level, count=25):
    rng = Random(f"{generator.name} {topic} {level}")
    return [generator.make(rng, topic, level) for _ in range(count)]


def asked_in_training(*args):
    """Every question that a model sees in training, those of its guides too."""
    for turns, _ in training_pairs(*args):
        for turn in turns:
            if turn["role"] == "user":
                yield turn["content"].split("\n\n", 1)[1] if turn["content"].startswith(THOUGHTS) else turn["content"]


def solve(generator, question):
    return getattr(solvers, generator.name)(re.sub(LEADS, "", question))


def solve_any(question):
    """The answer of a question of multiple choice, whichever task it comes from."""
    found = set()
    for generator in GENERATORS[:11]:
        try:
            found.add(solve(generator, question))
        except Exception:
            continue
    return found


def test_the_pool_has_fusionbenchs_shape_of_14_tasks_in_6_domains():
    domains = [generator.domain for generator in GENERATORS]
    assert [domains.count(name) for name in dict.fromkeys(domains)] == [2, 2, 4, 2, 2, 2]
    assert len({generator.name for generator in GENERATORS}) == 14


@pytest.mark.parametrize(("generator", "topic"), CELLS, ids=IDS)
def test_gold_answers_follow_from_the_text(generator, topic):
    for level in LEVELS:
        for item in items(generator, topic, level):
            if item.choices:
                assert item.choices[LETTERS.index(item.answer)] in solve_any(item.question), item
            else:
                assert solve(generator, item.question) == item.answer, item


@pytest.mark.parametrize(("generator", "topic"), CELLS, ids=IDS)
def test_calculations_in_the_steps_are_right(generator, topic):
    for level in LEVELS:
        for item in items(generator, topic, level):
            for left, right in re.findall(r"(?<![\w.])(\d+(?: ?[-+*/] ?\d+)+) ?= ?(-?\d+)", item.steps):
                assert eval(left) == int(right), item


def test_sums_are_worked_out_column_by_column():
    for item in items(find_generator("arithmetic"), "sums", 3):
        columns = re.findall(r"=(\d+)", item.steps)
        digits = [column[-1] for column in columns[:-1]] + [columns[-1]]
        assert int("".join(reversed(digits))) == int(item.answer), item


def test_the_hardest_sequences_have_differences_that_grow():
    for item in items(find_generator("equations"), "sequences", 4):
        first, second, third, _ = solvers.numbers_in(re.search(r"\d+(, \d+)+", item.question)[0])
        assert third - second != second - first


@pytest.mark.parametrize(("generator", "topic"), CELLS, ids=IDS)
def test_both_responses_are_graded_right_and_wrong_answers_wrong(generator, topic):
    grade = find_grader(generator.metric)
    for level in LEVELS:
        for item in items(generator, topic, level):
            example = Example("", item.text, item.answer, item.choices)
            assert item.reasoning.splitlines()[-1] == f"Answer: {item.answer}"
            for model in (Model(), Model(habit="always"), Model(habit="never"), Model(terse=False)):
                for style in PROMPTS:
                    assert grade(response(item, style, model), example).performance == 1, (item, model.habit)
            for wrong in LETTERS.replace(item.answer, "") if item.choices else item.wrong:
                assert grade(f"{item.steps}\nAnswer: {wrong}", example).performance == 0, (item, wrong)


@pytest.mark.parametrize(("generator", "topic"), CELLS, ids=IDS)
def test_wrong_answers_are_distinct_and_options_hold_the_answer_once(generator, topic):
    for level in LEVELS:
        for item in items(generator, topic, level):
            if item.choices:
                assert len(set(item.choices)) == 4
                assert item.text.endswith("\n\n" + "\n".join(map(". ".join, zip(LETTERS, item.choices, strict=True))))
            elif generator.name != "passage_yes_no":
                assert len({*item.wrong[:3], item.answer}) == 4


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.name)
def test_evaluation_questions_are_unique_repeatable_and_spread_over_topics_and_levels(generator):
    questions = evaluation_questions(generator, 300, seed=0)
    assert questions == evaluation_questions(generator, 300, seed=0)
    assert questions != evaluation_questions(generator, 300, seed=1)
    assert len({normalise_text(question.item.text) for question in questions}) == 300
    assert all(is_evaluation(question.item) for question in questions)
    counts = {}
    for question in questions:
        counts[question.topic, question.level] = counts.get((question.topic, question.level), 0) + 1
    assert len(counts) == len(generator.topics) * len(LEVELS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_no_model_is_trained_on_an_evaluation_question():
    asked = {
        normalise_text(question.item.text)
        for generator in GENERATORS
        for question in evaluation_questions(generator, 100, 0)
    }
    model = Model(mixture={"all": 1.0}, levels=[3, 1, 1, 1])
    trained = {
        normalise_text(prompt.removesuffix("\nThink step by step.")) for prompt in asked_in_training(model, 0, 0, 6000)
    }
    assert len(trained) > 4000
    assert not trained & asked


def test_guided_prompts_show_solved_examples_or_thoughts_of_the_same_task_without_the_answers():
    model = Model(mixture={"arithmetic/sums": 1.0}, guided=1.0)
    pairs = list(training_pairs(model, 0, 0, 300))
    shots = [turns for turns, _ in pairs if len(turns) > 1]
    thoughts = [turns[0]["content"] for turns, _ in pairs if turns[0]["content"].startswith(THOUGHTS)]
    assert len(shots) + len(thoughts) == 300
    assert 100 < len(shots) < 200
    assert {len(turns) for turns in shots} == {3, 5, 7}
    for turns in shots:
        assert [turn["role"] for turn in turns[:-1]] == ["user", "assistant"] * (len(turns) // 2)
        for asked, given in zip(turns[:-1:2], turns[1::2], strict=True):
            question = asked["content"].removesuffix("\nThink step by step.")
            assert given["content"].split("Answer: ")[-1] == solve(find_generator("arithmetic"), question)
    assert all(1 <= text.count("\n- ") <= 3 for text in thoughts)
    assert not [
        turns for turns, _ in training_pairs(dataclasses.replace(model, guided=0.0), 0, 0, 300) if len(turns) > 1
    ]


def test_two_hops_of_a_person_are_trained_on_or_evaluated_but_never_both():
    people = find_generator("world_people")
    rng = Random(0)
    sides = [
        {
            draw(people, rng, topic, level, evaluation=side).key
            for topic in people.topics
            for level in (3, 4)
            for _ in range(300)
        }
        for side in (False, True)
    ]
    assert not sides[0] & sides[1]
    assert all("" not in side for side in sides)
    assert len(sides[1]) > 15


def test_an_item_is_split_by_its_key_and_else_by_its_text():
    assert is_evaluation(Item("one", "1", "", key="k")) == is_evaluation(Item("two", "2", "", key="k"))
    sides = [is_evaluation(Item(f"question {number}", "", "")) for number in range(2000)]
    assert 0.12 < sum(sides) / len(sides) < 0.18
    assert is_evaluation(Item(" Question  1", "", "")) == is_evaluation(Item("question 1", "", ""))


def test_higher_levels_are_longer_or_about_less_known_facts():
    for name, topic in (
        ("list_reasoning", "words"),
        ("passage_questions", "shop"),
        ("ordering", "people"),
    ):
        lengths = [sum(len(item.text) for item in items(find_generator(name), topic, level, 200)) for level in LEVELS]
        assert lengths == sorted(lengths)
    for level in LEVELS:
        for item in items(find_generator("world_places"), "north", level):
            (named,) = (one for one in world().countries if re.search(rf"\b{one.name}\b", item.question))
            assert (named.half, named.level) == ("north", level)


def test_the_world_is_the_same_every_time_and_its_names_are_unique():
    countries, people = world().countries, world().people
    names = [value for one in countries for value in (one.name, one.capital, one.river)] + [one.name for one in people]
    assert len(names) == len(set(names))
    assert [countries[0].name, people[0].name] == [world().countries[0].name, world().people[0].name]
    assert {one.half for one in countries} == {"north", "south"}
    assert set(ONE_HOP) == {"country", "field", "rival"}
    assert set(TWO_HOPS) <= set(vars(countries[0]))


def test_training_pairs_are_a_function_of_seed_model_and_chunk():
    model = Model("a", mixture={"arithmetic": 1.0})
    first = list(training_pairs(model, 0, 3, 50))
    assert first == list(training_pairs(model, 0, 3, 50))
    assert first != list(training_pairs(model, 0, 4, 50))
    assert first != list(training_pairs(model, 1, 3, 50))
    assert first != list(training_pairs(Model("b", mixture={"arithmetic": 1.0}), 0, 3, 50))


def test_mixture_levels_and_easy_share_decide_what_is_trained_on():
    weights = Model(mixture={"all": 1.0, "arithmetic": 1.0, "world_places/north": 0.5}).weights()
    assert sum(weights.values()) == pytest.approx(1)
    assert (
        weights["arithmetic/sums"] == weights["arithmetic/products"] == pytest.approx(2 * weights["equations/linear"])
    )
    assert weights["world_places/north"] == pytest.approx(2 * weights["world_places/south"])
    only = Model(mixture={"ordering/numbers": 1.0}, levels=[0, 0, 0, 1])
    assert all(re.search(r"\d{5}", prompt) for prompt in asked_in_training(only, 0, 0, 50))
    easy = Model(mixture={"ordering/numbers": 1.0}, levels=[0, 0, 0, 1], easy=0.5)
    share = sum(bool(re.search(r"\d{5}", prompt)) for prompt in asked_in_training(easy, 0, 0, 400)) / 400
    assert 0.4 < share < 0.6


def test_habits_decide_how_a_model_responds():
    item = Item("1+1?", "2", "1+1=2")
    assert response(item, "direct", Model()) == "2"
    assert response(item, "direct", Model(terse=False)) == "Answer: 2"
    assert response(item, "reasoning", Model()) == response(item, "direct", Model(habit="always")) == "1+1=2\nAnswer: 2"
    assert response(item, "reasoning", Model(habit="never")) == "2"


def test_a_mixture_is_what_the_config_says_and_nothing_else():
    part = "models=[{name: a, shape: tiny, mixture: {string_programs: 1, world_places/north: 1}}]"
    (model,) = read_pool("tiny", [part]).models
    assert set(model.weights()) == {"string_programs/order", "string_programs/letters", "world_places/north"}
    hard = dataclasses.replace(model, levels=[0, 0, 0, 1])
    countries = {one.name for one in world().countries if one.half == "north" and one.level == 4}
    for prompt in asked_in_training(hard, 0, 0, 300):
        assert re.search(r"'[A-Z]+'", prompt) or any(re.search(rf"\b{name}\b", prompt) for name in countries)


@pytest.mark.parametrize("name", ["pool", "tiny"])
def test_every_pool_loads(name):
    pool = read_pool(name)
    assert len(pool.models) == {"pool": 10, "tiny": 2}[name]
    assert len({model.shape for model in pool.models}) >= (3 if name == "pool" else 2)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sed=1"], "unknown key 'sed'; did you mean 'seed'"),
        (["batch=many"], "batch is of the wrong type"),
        (["models=[]"], "must have models"),
        (["models=[{name: a, shape: huge}]"], "no shape 'huge'"),
        (["models=[{name: a}, {name: a}]"], "each name once, but 'a'"),
        (["models=[{name: a, habit: sometimes}]"], "no habit 'sometimes'"),
        (["models=[{name: a, mixture: {arithmetik: 1}}]"], "no part 'arithmetik'; did you mean 'arithmetic'"),
        (["models=[{name: a, mixture: {all: -1}}]"], "positive weights"),
        (["models=[{name: a, mixture: {all: 1}, levels: [1, 1]}]"], "levels must be 4 weights"),
        (["models=[{name: a, mixture: {all: 1}, reasoning: 2}]"], r"within \[0, 1\]"),
        (["models=[{name: a, mixture: {all: 1}, steps: 0}]"], "steps must be 1 or more"),
    ],
)
def test_a_pool_that_breaks_a_rule_is_refused(overrides, message):
    with pytest.raises(UserError, match=message):
        read_pool("tiny", overrides)


def test_unknown_names_are_refused_with_a_suggestion():
    with pytest.raises(UserError, match="did you mean 'tiny'"):
        read_pool("tinny")
    with pytest.raises(UserError, match="did you mean 'arithmetic'"):
        find_generator("arithmetics")
    with pytest.raises(UserError, match="no 100000 different questions"):
        evaluation_questions(find_generator("world_places"), 100000, 0)
