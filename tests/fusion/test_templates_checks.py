import pytest

from fusion.templates.checks import MOST_SENTENCES, MOST_WORDS, NO_ANSWER, Draft, DraftTally, screen, tidy
from fusion.templates.truths import Truth

RULE = "Take the larger number away from the sum."
QUERY = "Which is it?\nA. the red house\nB. the blue boat\nC. 42"


def draft(text, query="q1", problem=None, task="t"):
    return Draft(query, task, None, ("a",), 1.0, text, problem)


def outcome(one, gold="B"):
    tally = DraftTally()
    passed = screen([one], {"q1": Truth.of(QUERY, gold)}, {"q1"}, tally)
    assert sum(tally.kept.values()) + sum(tally.dropped.values()) == 1
    return passed[0][1] if passed else next(iter(tally.reasons()))


@pytest.mark.parametrize(
    ("one", "gold", "comes"),
    [
        (draft(RULE), "B", RULE),
        (draft(RULE, query="test-1"), "B", "not a training query"),
        (draft(None, problem=NO_ANSWER), "B", NO_ANSWER),
        (draft(None), "B", "empty"),
        (draft(" \n ``` ```"), "B", "empty"),
        (draft("As an AI, I have no opinion on houses."), "B", "refused"),
        (draft("42"), "B", "says too little"),
        (draft("It is."), "B", "says too little"),
        (draft(f"{RULE} So the answer is (B)."), "B", "gives the answer away: letter"),
        (draft(f"{RULE} That is the blue boat."), "B", "gives the answer away: answer"),
        (draft(f"{RULE} A boat which is blue."), "B", "gives the answer away: retold"),
        (draft(f"{RULE} That is the blue boat."), "A", f"{RULE}\nThat is the blue boat."),
        (draft(f"{RULE} It gives 42 in the end."), "C", "gives the answer away: answer"),
        (draft(f'"Thought template: {RULE}"'), "B", RULE),
    ],
)
def test_each_check(one, gold, comes):
    assert outcome(one, gold) == comes


def test_ten_thousand_words_are_cut_and_counted():
    tally = DraftTally()
    long = "Every step of this long story matters much. " * 1250
    ((_, text),) = screen([draft(long)], {"q1": Truth()}, {"q1"}, tally)
    assert text.count("Every step") == MOST_SENTENCES
    assert tally.shortened["t"] == 1
    ((_, text),) = screen([draft("story " * 10_000)], {"q1": Truth()}, {"q1"}, tally)
    assert len(text.split()) == MOST_WORDS
    assert tally.shortened["t"] == 2
    screen([draft(RULE)], {"q1": Truth()}, {"q1"}, tally)
    assert tally.shortened["t"] == 2
    assert tally.kept["t"] == 3


@pytest.mark.parametrize("text", ["", "\n", '""', "```"])
def test_nothing_stays_nothing(text):
    assert tidy(text) == ("", False)


def test_the_counts_are_there_by_task_too():
    tally = DraftTally()
    drafts = [draft(RULE), draft("", task="u"), draft("", task="u"), draft(None, problem=NO_ANSWER)]
    screen(drafts, {"q1": Truth()}, {"q1"}, tally)
    assert tally.reasons() == {"empty": 2, NO_ANSWER: 1}
    assert tally.by_task() == {
        "t": {"kept": 1, "shortened": 0, "dropped": {NO_ANSWER: 1}},
        "u": {"kept": 0, "shortened": 0, "dropped": {"empty": 2}},
    }
