import pytest

from fusion.prompts import HIDDEN
from fusion.templates.extractive import MOST_SENTENCES, MOST_WORDS, best_steps, extract
from fusion.templates.truths import Truth

QUERY = "An object of weight 6 N floats in water. What share of it is above the surface?\nA. 20%\nB. 30%\nC. 70%"
PHYSICS = Truth.of(QUERY, "C")


@pytest.mark.parametrize(
    ("query", "gold", "response", "steps"),
    [
        ("What is 2 + 1?", "3", "2+1=3\nAnswer: 3", f"2+1={HIDDEN}"),
        (
            "Which coin?",
            "dorin",
            "north, Osdal pays with the dorin\nAnswer: dorin",
            f"north, Osdal pays with the {HIDDEN}",
        ),
        ("Sum?", "32", "5, 10, 17, 24, 29, 32\nAnswer: 32", f"5, 10, 17, 24, 29, {HIDDEN}"),
        (
            "Does the bell cost 14? It costs 11.",
            "no",
            "the bell costs 11, asked 14\nAnswer: no",
            "the bell costs 11, asked 14",
        ),
        ("What comes after train: train, plane.", "plane", "train then plane\nAnswer: plane", f"train then {HIDDEN}"),
        ("What is 2 + 1?", "3", "3", None),
        ("What is 2 + 1?", "3", "", None),
        ("What do both sell?", "figs", "figs yes\nAnswer: figs", None),
    ],
)
def test_steps_of_a_terse_model(query, gold, response, steps):
    found = extract(response, query, Truth.of(query, gold))
    assert (found.text if found else None) == steps


def physics(response):
    found = extract(response, QUERY, PHYSICS)
    return found.text.split("\n") if found else None


RULE = "The buoyant force equals the weight of the displaced water."


def test_the_answer_its_letter_and_what_follows_go():
    response = (
        f" We refer to Wikipedia articles on physics for help. {RULE} The answer is (C).\n\nQuestion:\nWhich cell?"
    )
    assert physics(response) == [RULE]


def test_steps_after_an_answer_that_comes_first():
    assert physics(f"The answer is (C).\n{RULE}") == [RULE]


def test_what_follows_the_answer_is_not_taken():
    more = "Now the moon orbits the large blue earth slowly."
    assert physics(f"{RULE} The answer is (C). {more}") == [RULE]
    assert physics(f"The answer is (C). {more}") == [more]


def test_nothing_is_taken_from_a_question_that_a_model_goes_on_with():
    assert physics(" The answer is (C).\n\nQuestion:\nThe moon orbits the large blue earth. The answer is (A).") is None


@pytest.mark.parametrize(
    "sentence",
    [
        "Let's think step by step.",
        "Let’s solve this problem step by step.",
        "Option A is wrong because the density differs much.",
        "The object in water is characterised by 70%.",
        "This option aligns with all that science teaches.",
        "Option C therefore reflects the measured density best.",
        "Hence (B) can never fit these measured facts.",
        "Looking closely at the options, only one seems plausible.",
        "The object of weight floats in water above the surface.",
        "The share of the object that floats in water with its weight above the surface is 70%",
        "The second long claim about density is not true.",
        "```python\nprint(compute_the_density_of_water)\n```",
    ],
)
def test_a_sentence_that_tells_nothing_to_another_query_goes(sentence):
    assert physics(f"{sentence}\n{RULE}\nThe answer is (C).") == [RULE]


def test_a_response_that_gives_up_has_no_steps():
    assert physics(f"{RULE} There is not enough information to choose. The answer is (C).") is None


def test_a_fact_with_the_hidden_answer_alone_is_no_template_but_stays_beside_a_rule():
    fact = "Swimming polar bears displace about 70% of their volume."
    assert physics(f"{fact} The answer is (C).") is None
    assert physics(f"{fact} {RULE} The answer is (C).") == [fact.replace("70%", HIDDEN), RULE]


def test_the_answer_is_hidden_in_any_form():
    assert physics(f"{RULE} So about 70% of the whole body stays dry, or 70 parts in a hundred.") == [
        RULE,
        f"So about {HIDDEN} of the whole body stays dry, or {HIDDEN} parts in a hundred.",
    ]


def test_a_formula_that_lost_its_backslash_is_mended():
    assert physics("The wanted share follows from $\frac{m}{V}$ of bodies.") == [  # the form feed is in the response
        "The wanted share follows from $\\frac{m}{V}$ of bodies."
    ]


def test_a_line_that_goes_on_in_the_next_is_one_sentence_with_it():
    assert physics("Balancing both forces on the body, we get\n$m g = f$.") == [
        "Balancing both forces on the body, we get $m g = f$."
    ]


def test_a_display_formula_stays_with_its_sentence():
    response = "The depth follows from\n\\begin{align*}\nd &= m / a \\\\\n&= 3\n\\end{align*}\nThe answer is (C)."
    assert physics(response) == ["The depth follows from \\begin{align*} d &= m / a \\\\ &= 3 \\end{align*}"]


def test_a_long_response_gives_its_most_telling_sentences_in_their_order():
    kinds = [
        "calm",
        "calm cold",
        "calm cold deep",
        "calm cold deep wide",
        "calm cold deep wide salty",
        "calm cold deep wide salty old",
    ]
    facts = [f"Heavy bodies displace {kind} water." for kind in kinds]
    numbers = "The value of the wanted share = 11 + 22 - 33 * 44 / 55 + 66 - 77 * 88 / 99 + 12 - 23 * 34 / 45 + 56."
    found = extract("\n".join([facts[5], numbers, numbers.replace("share", "part"), *facts[:5]]), QUERY, PHYSICS)
    assert not found.whole
    assert found.text.split("\n") == [facts[5], *facts[1:5]]
    assert len(facts[1:]) == MOST_SENTENCES


def test_words_are_limited():
    sentence = "Water of every warm lake carries some salt and " + "very " * 60 + "little sand."
    found = extract("\n".join([sentence, sentence.replace("salt", "iron"), RULE]), QUERY, PHYSICS)
    assert len(found.text.split()) <= MOST_WORDS
    assert RULE in found.text


def test_the_first_short_response_is_taken():
    long = "\n".join(f"Fact {word} says that heavy bodies displace much water deeply." for word in "abcdefghij")
    assert best_steps(["C", long, f"{RULE} The answer is (C)."], QUERY, PHYSICS)[0] == 2
    assert best_steps(["C", long], QUERY, PHYSICS)[0] == 1
    assert best_steps(["C", ""], QUERY, PHYSICS) is None
