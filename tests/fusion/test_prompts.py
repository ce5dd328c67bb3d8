import pytest

from fusion.prompts import HIDDEN, THOUGHTS, few_shot, hide_answer, with_thoughts


def test_few_shot_examples_are_earlier_turns():
    turns = few_shot([("2+2?", "4"), ("3+3?", "6")])
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2
    assert [turn["content"] for turn in turns] == ["2+2?", "4", "3+3?", "6"]


def test_thoughts_stand_above_the_question_one_a_line():
    assert with_thoughts("Why?", ["look\n twice", "then ask"]) == f"{THOUGHTS}\n- look twice\n- then ask\n\nWhy?"
    assert with_thoughts("Why?", []) == "Why?"


@pytest.mark.parametrize(
    ("text", "answer", "hidden"),
    [
        ("8*6=48", "48", f"8*6={HIDDEN}"),
        ("The 48 of 148 and 480", "48", f"The {HIDDEN} of 148 and 480"),
        ("It is Paris. paris!", "Paris", f"It is {HIDDEN}. {HIDDEN}!"),
        ("costs $5 (or 5)", "(or 5)", f"costs $5 {HIDDEN}"),
        ("nothing", "  ", "nothing"),
    ],
)
def test_an_answer_is_hidden_where_it_stands_as_words_of_its_own(text, answer, hidden):
    assert hide_answer(text, answer) == hidden
