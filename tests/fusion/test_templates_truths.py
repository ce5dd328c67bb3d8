import json

import pytest

from fusion.prompts import HIDDEN
from fusion.templates.truths import Truth

OPTIONS = "Which planet is largest?\nA. Mars\nB. the giant planet Jupiter\nC. 12,500 km\nD. Venus."


@pytest.mark.parametrize(
    ("query", "gold", "texts", "letter"),
    [
        ("How much?", "42", ("42",), None),
        ("How much?", "$1,200.", ("$1,200", "1,200", "1200"), None),
        ("How far?", "37.5MHz", ("37.5MHz", "37.5"), None),
        ("How cold?", "-167 J", ("-167 J", "-167", "167"), None),
        ("How many?", "2 apples", ("2 apples",), None),
        ("Which two?", "72 cm and 8 s", ("72 cm and 8 s", "72"), None),
        ("Who?", json.dumps(["Ann Lee", "A. Lee"]), ("Ann Lee", "A. Lee"), None),
        ("Which?", "[2, 4]", ("[2, 4]",), None),
        ("Write it", json.dumps({"tests": "assert f(1) == 2", "names": ["f"]}), (), None),
        ("Who?", None, (), None),
        (OPTIONS, "B", ("the giant planet Jupiter",), "B"),
        (OPTIONS, "(d)", ("Venus",), "D"),
        (OPTIONS, "Mars", ("Mars",), "A"),
        ("What is its grade?", "A", ("A",), None),
    ],
)
def test_the_answer_of_a_query(query, gold, texts, letter):
    assert Truth.of(query, gold) == Truth(texts, letter)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("So the answer is B.", "letter"),
        ("Hence (B) holds.", "letter"),
        ("Pick option B here.", "letter"),
        ("B. is what remains", "letter"),
        ("It is the giant planet Jupiter.", "answer"),
        ("It is THE GIANT PLANET JUPITER", "answer"),
        ("Jupiter is a giant among the planets.", "retold"),
        ("Therefore B is right.", "letter"),
        ("Select B because it fits.", "letter"),
        ("We choose B, since the others are small.", "letter"),
        ("I would go with B here.", "letter"),
        ("Clearly B must be the correct choice.", "letter"),
        ("B is therefore correct.", "letter"),
        ("Only B fits.", "letter"),
        ("Mars is out, leaving only B.", "letter"),
        ("It follows that A is too small. Hence B.", "letter"),
        ("Select a planet by its mass.", None),
        ("Then C is wrong and A is right next to it.", None),
        ("A line from A to B is drawn.", None),
        ("Compare the diameters, then take the largest.", None),
        ("Plan B would be to compare masses.", None),
        ("Mars and Venus are small.", None),
    ],
)
def test_what_gives_an_option_away(text, reason):
    assert Truth.of(OPTIONS, "B").given_by(text) == reason


@pytest.mark.parametrize(
    ("gold", "text", "reason"),
    [
        ("1,200", "It comes to 1200 in all.", "answer"),
        ("1,200", "It comes to 12000 in all.", None),
        ("503.13", "It is 4025 / 8 = 503.125 a year.", "answer"),
        ("503.13", "It is 4025 / 8 = 503.12 a year.", None),
        ("five feet", "It is about 5 feet long.", "answer"),
        (".327 nm", "It is about 0.3266 nm apart.", "answer"),
        ("toxins, entering a living host, resisting its defences fully", "They enter any living host.", "retold"),
        ("2.9 × 10^-22", "It is 2.88 \\times 10^{-22} now.", "answer"),
        ("1.25 × 10^3 m/sec", "It is 1254 m/s here.", "answer"),
        ("1.25 × 10^3 m/sec", "With 10 and 3 and 2.016 × 10^-3 of it.", None),
        ("[2, 4]", "The set {2, 4} covers all.", "answer"),
        ("[2, 4]", "The set {2, 3, 4} covers all.", None),
        ("land, labor and capital", "It takes land, labor, and capital.", "answer"),
        ("land, labor and capital", "Capital is one, land and labor are two.", "retold"),
        ("no", "There is no reason to.", None),
        ("no", "Then the answer must be no.", "answer"),
        ("yes", "Say yes, for it is so.", None),
        ("Oxaloacetate", "It forms oxaloacetates again.", "retold"),
        (None, "Anything at all.", None),
        (r"\frac{1}{2}", "It is 1/2 of it.", "answer"),
        (r"\frac{1}{2}", "So half of it is 0.5 here.", "answer"),
        (r"\frac{1}{2}", r"It is \tfrac12 now.", "answer"),
        (r"$\frac{1}{2}$", "It is ½ of it.", "answer"),
        ("1/2", "It is 50% of it.", "answer"),
        ("1/2", "It is 1/3 of it, or 2/1.", None),
        (r"\frac{1}{3}", "It is about 0.333 of it.", "answer"),
        ("0.5", r"It is \frac{1}{2} now.", "answer"),
        ("5", "That is 5.0 in all.", "answer"),
        ("5", "That is 15 or 50 in all.", None),
        ("42", "That makes forty two.", "answer"),
        ("42", "That makes forty-two in all.", "answer"),
        ("42", "That makes forty in all, or two.", None),
        ("forty two", "That makes 42 in all.", "answer"),
        ("105", "There are one hundred and five of them.", "answer"),
        ("0", "The sum becomes zero.", "answer"),
        ("1", "Take one after another.", None),
        ("1", "So the answer is one.", "answer"),
        ("5 feet", "It is five feet long.", "answer"),
        ("None of the above", "None of the options fit.", "answer"),
        ("None of these", "No option matches.", "answer"),
        ("none", "None of these apply.", "answer"),
        ("None of the above", "None of the forces act here.", None),
        ("All of the above", "Every one of the statements holds.", "answer"),
        ("Paris", "Look at the Parisian maps.", None),
        ("Paris", "It must be in Paris.", "answer"),
        ("Italy", "An Italian dish comes to mind.", None),
        ("Magnet", "Some magnets attract each other.", "retold"),
    ],
)
def test_what_gives_a_text_away(gold, text, reason):
    assert Truth.of("A question", gold).given_by(text) == reason


@pytest.mark.parametrize(
    ("gold", "text", "hidden"),
    [
        ("B", "The giant planet Jupiter is option B.", f"{HIDDEN} is option {HIDDEN}."),
        ("B", "So option (B) holds", f"So option {HIDDEN} holds"),
        ("C", "about 12500 km wide", f"about {HIDDEN} km wide"),
        ("C", "about 12,510 or {12, 500} km", f"about 12,510 or {{{HIDDEN}"),
        ("A", "A planet like Mars", f"A planet like {HIDDEN}"),
        ("B", "Therefore B is right.", f"Therefore {HIDDEN} is right."),
        ("B", "Select B because it fits.", f"Select {HIDDEN} because it fits."),
    ],
)
def test_hiding(gold, text, hidden):
    truth = Truth.of(OPTIONS, gold)
    assert truth.hide(text) == hidden
    assert truth.given_by(truth.hide(text)) is None


@pytest.mark.parametrize(
    ("gold", "text", "hidden"),
    [
        (r"\frac{1}{2}", "So it is 1/2, or 0.5, of 3.", f"So it is {HIDDEN}, or {HIDDEN}, of 3."),
        ("42", "That makes forty-two.", f"That makes {HIDDEN}."),
        ("None of these", "None of the options fit.", f"{HIDDEN} fit."),
    ],
)
def test_hiding_of_what_is_written_in_another_form(gold, text, hidden):
    truth = Truth.of("A question", gold)
    assert truth.hide(text) == hidden
    assert truth.given_by(truth.hide(text)) is None
