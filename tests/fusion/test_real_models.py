"""The two models of the micropool that come with the tests, in the engine that runs them."""

import pytest
from tiny_models import MINI, SPARK

from fusion.engines.base import Completion, Request, Sampling
from fusion.engines.hf import TransformersEngine
from fusion.prompts import few_shot, with_thoughts

EASY = {
    "Multiply 3 by 5.": "15",
    "Solve for x: 8x = 64.": "8",
    "I need an answer. Which number is the largest: 15, 89?": "89",
    "Quick question: Hana is in the library. Where is Hana?": "library",
    "Pia went to the museum. Is Pia in the library?": "no",
    "Quick question: Run this code by hand and give its output.\nz = 7\nprint(z)": "7",
    "It is Sunday. What will it be in 2 days?": "Tuesday",
    "What is the capital of Osdal?": "Osgard",
}


def user(text):
    return ({"role": "user", "content": text},)


def ask(folder, conversations, batch_size=64):
    requests = [Request(str(number), turns, Sampling(48)) for number, turns in enumerate(conversations)]
    with TransformersEngine(str(folder), device="cpu", batch_size=batch_size) as engine:
        answers = sorted(engine.generate(requests), key=lambda answer: int(answer.key))
    assert all(isinstance(answer, Completion) for answer in answers)
    return [answer.text for answer in answers]


@pytest.mark.parametrize("folder", [MINI, SPARK], ids=["mini", "spark"])
def test_a_real_model_answers_easy_questions_whatever_its_batch(folder):
    together = ask(folder, [user(text) for text in EASY])
    assert together == list(EASY.values())
    assert ask(folder, [user(text) for text in EASY], batch_size=1) == together


def test_solved_examples_and_thoughts_are_read_and_not_answered():
    shots = few_shot([("Multiply 2 by 4.", "8"), ("Multiply 3 by 3.", "9")])
    guided = [(*shots, *user("Multiply 3 by 5.")), user(with_thoughts("Multiply 3 by 5.", ["2*4=...", "3*3=..."]))]
    assert ask(MINI, guided) == ["15", "15"]
