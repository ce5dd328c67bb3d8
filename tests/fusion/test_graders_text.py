"""Short texts, on answers marked by hand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.tasks.base import Example
from fusion.tasks.graders import GRADERS
from fusion.tasks.graders.answers import normalise
from fusion.tasks.graders.text import contains_match, exact_match, f1, yes_no

OBAMA = json.dumps(["Barack Obama", "Barack Hussein Obama", "Obama"])
CONTAINS = [
    (OBAMA, "Barack Obama", 1),
    (OBAMA, "It was president Obama who signed it.", 1),
    (OBAMA, "barack obama!", 1),
    (OBAMA, "**Barack Hussein Obama II**", 1),
    (OBAMA, "Obama's daughter", 0),
    (OBAMA, "Obamacare", 0),
    (OBAMA, "Michelle", 0),
    (OBAMA, "", 0),
    ("The Beatles", "beatles", 1),
    ("The Beatles", "It was the  Beatles.", 1),
    ("1,000", "about 1000 people", 1),
    ("3.5", "It is 3.5 km", 1),
    ("3.5", "It is 35 km", 0),
    ("5", "It is -5 degrees", 0),
    ("5", "in 1957", 0),
    ("no", "I do not know", 0),
    ("New York City", "New  York\nCity", 1),
    ("caf\u00e9", "The Caf\u00e9 is open", 1),
    ("well-known", "a well\u2010known man", 1),
    ("U.S.", "the US", 1),
    ("The", "The", 1),
    ("The", "a thing", 0),
    ("two", "There are two ways.\n**Answer:** three", 0),
    ("two", "There are three ways.\nFinal answer: two\nGood.", 1),
    ("two", "Answer: one\nAnswer:\ntwo", 1),
    ("two", "The answer: there are two", 1),
    (json.dumps(["colour", "color"]), "Its color is red", 1),
]
EXACT = [
    ("Paris", "Paris", 1),
    ("Paris", "paris.", 1),
    ("Paris", "The Paris", 1),
    ("Paris", "Answer: Paris", 1),
    ("Paris", "Let me think.\nIt lies in France.\nAnswer: **Paris**", 1),
    ("Paris", "The answer is Paris.", 1),
    ("Paris", "\\boxed{Paris}", 1),
    ("Paris", "It is Paris", 0),
    ("Paris", "Paris, Texas", 0),
    ("Paris", "", 0),
    ("12", "12", 1),
    ("12", "1.2", 0),
    ("12", "-12", 0),
    ("12", "1,2", 0),
    ("1, 2", "1,2", 1),
    ("1.2", "12", 0),
    ("1200", "1,200", 1),
    ("12", "Answer: 12", 1),
    ("12", "The sum is 12. Answer: 13", 0),
    (json.dumps(["NYC", "New York"]), "new york", 1),
]
F1 = [
    (OBAMA, "Barack Obama", 1.0),
    (OBAMA, "Obama", 1.0),
    (OBAMA, "president Obama", 2 / 3),
    (OBAMA, "Barack Hussein Obama Junior", 6 / 7),
    (OBAMA, "George Bush", 0.0),
    (OBAMA, "", 0.0),
    (OBAMA, "Answer: Barack Obama", 1.0),
    ("the cat sat", "a cat sat", 1.0),
    ("cat sat", "cat", 2 / 3),
    ("cat sat", "sat cat", 1.0),
    ("cat cat", "cat", 2 / 3),
    ("cat", "cat cat cat", 0.5),
    ("cat", "dog cat", 2 / 3),
    ("cat", "The answer is: a cat", 1.0),
    ("in the city", "the city of lights", 0.4),
]
YES_NO = [
    ("yes", "yes", 1),
    ("yes", "Yes.", 1),
    ("yes", "**Yes**, it does.", 1),
    ("yes", "True", 1),
    ("yes", "Answer: yes", 1),
    ("yes", "There is no doubt that it is so. Answer: yes", 1),
    ("yes", "The passage says so.\nThe answer is **yes**.", 1),
    ("yes", "The answer is true, not false.", 1),
    ("yes", "\\boxed{\\text{yes}}", 1),
    ("no", "no", 1),
    ("no", "No, there is none.", 1),
    ("no", "Answer: No", 1),
    ("no", "false", 1),
    ("no", "The statement is not true.", 1),
    ("no", "That isn't true.", 1),
    ("no", "I first thought yes.\nBut no.", 1),
    ("yes", "no", 0),
    ("no", "Yes, there is no other.", 0),
    ("yes", "yes and no", 0),
    ("yes", "yes or no?", 0),
    ("no", "Is it yes or no? It is false.", 1),
    ("no", "There is no information on that", 0),
    ("no", "I know nothing about it", 0),
    ("yes", "yesterday", 0),
    ("yes", "", 0),
    ("yes", "I cannot say.", 0),
]

TOLD_APART = [
    # names that end in a letter or have signs, numbers, scripts without spaces, answers of punctuation, sentences with yes or no
    ("cem", '["Hepatitis A"]', "Hepatitis B", 0),
    ("cem", '["Hepatitis A"]', "It is hepatitis A.", 1),
    ("cem", '["Hepatitis A"]', "Hepatitis A is it", 1),
    ("cem", '["A"]', "Blood group A", 1),
    ("cem", '["A"]', "Blood group A is rare", 1),
    ("cem", '["A"]', "It is a cat", 0),
    ("cem", '["A"]', "A cat sat. A dog", 0),
    ("exact_match", "Hepatitis A", "Hepatitis", 0),
    ("exact_match", "Hepatitis A", "hepatitis A.", 1),
    ("exact_match", "Hepatitis A", "the Hepatitis A", 1),
    ("cem", '["The The"]', "The band The The", 1),
    ("cem", '["The The"]', "The The is a band", 1),
    ("cem", '["The The"]', "the band", 0),
    ("exact_match", "The The", "The The", 1),
    ("cem", '["C++"]', "It is written in C.", 0),
    ("cem", '["C++"]', "It is written in C++.", 1),
    ("cem", '["C"]', "It is C++", 0),
    ("cem", '["C"]', "It is C.", 1),
    ("cem", '["C#"]', "It is C", 0),
    ("cem", '["C#"]', "It is C#, I think", 1),
    ("cem", '["F#"]', "F", 0),
    ("cem", '[".NET"]', "the net", 0),
    ("cem", '[".NET"]', "the .NET framework", 1),
    ("exact_match", ".NET", "net", 0),
    ("exact_match", "@home", "home", 0),
    ("exact_match", "@home", "@Home", 1),
    ("exact_match", "5%", "5", 0),
    ("exact_match", "5%", "5 %.", 1),
    ("exact_match", "5", "5%", 0),
    ("exact_match", "Yahoo!", "Yahoo", 1),
    ("exact_match", "AT&T", "AT&T.", 1),
    ("exact_match", "R&B", "r&b", 1),
    ("exact_match", "-5", "5", 0),
    ("exact_match", "-5", "\u22125", 1),
    ("exact_match", "-$5", "$5", 0),
    ("exact_match", "1/2", "12", 0),
    ("exact_match", "1/2", "1/2.", 1),
    ("exact_match", "1/2", "\xbd", 1),
    ("exact_match", "3.5", "35", 0),
    ("exact_match", "3:30", "330", 0),
    ("exact_match", "2-1", "21", 0),
    ("exact_match", "2-1", "2\u20131", 1),
    ("exact_match", "10^3", "103", 0),
    ("exact_match", "10^3", "10\xb3", 1),
    ("exact_match", "$5", "5", 1),
    ("exact_match", "+", "-", 0),
    ("exact_match", "+", "+", 1),
    ("exact_match", "?", "!", 0),
    ("f1", "?", "!", 0),
    ("f1", "?", "?", 1),
    ("exact_match", "O-", "O", 0),
    ("exact_match", "O-", "O+", 0),
    ("exact_match", "AB+", "AB", 0),
    ("exact_match", "O-", "o\u2212", 1),
    ("cem", '["\u5317\u4eac"]', "\u7b54\u6848\u662f\u5317\u4eac\u3002", 1),
    ("cem", '["\u5317\u4eac"]', "\u7b54\u6848\uff1a\u5317\u4eac", 1),
    ("cem", '["\u6771\u4eac"]', "\u7b54\u3048\u306f\u6771\u4eac\u3067\u3059\u3002", 1),
    ("cem", '["Python"]', "\u6211\u7528Python\u5199\u7684", 1),
    ("cem", '["\uc11c\uc6b8"]', "\uc815\ub2f5\uc740 \uc11c\uc6b8\uc785\ub2c8\ub2e4.", 1),
    ("cem", '["\u5317\u4eac"]', "\u7b54\u6848\u662f\u5357\u4eac\u3002", 0),
    ("f1", "\u5317\u4eac\u5927\u5b66", "\u5317\u4eac", 0.6666666666666666),
    ("exact_match", "\u5317\u4eac", "\u5317\u4eac\u3002", 1),
    ("exact_match", "caf\xe9", "cafe", 0),
    ("exact_match", "\uff21\uff22\uff23", "ABC", 1),
    ("exact_match", "Once Upon A Time", "once upon a time", 1),
    ("exact_match", "The Beatles", "Beatles", 1),
    ("exact_match", "a cat", "cat", 1),
    ("cem", '["Vitamin A"]', "Vitamin A and C", 1),
    ("exact_match", "The Answer Is Blowin' in the Wind", "The answer is blowin' in the wind", 1),
    ("exact_match", "U.S.", "US", 1),
    ("exact_match", "1,000", "1000", 1),
    ("exact_match", "1'000", "1000", 1),
    ("exact_match", "well-known", "wellknown", 1),
    ("yes_no", "yes", "Yes, no doubt about it", 1),
    ("yes_no", "no", "Is it true? No.", 1),
    ("yes_no", "yes", "No evidence contradicts it; yes", 1),
    ("yes_no", "no", "No idea", 0),
    ("yes_no", "no", "No evidence for it", 0),
    ("yes_no", "no", "Not yes", 1),
    ("yes_no", "no", "The answer is not yes", 1),
    ("yes_no", "yes", "yes and no", 0),
    ("yes_no", "no", "yes and no", 0),
    ("yes_no", "yes", "yes/no", 0),
    ("yes_no", "no", "No it is not", 1),
    ("yes_no", "no", "No, it is not", 1),
    ("yes_no", "no", "No\nBecause", 1),
    ("yes_no", "yes", "Yes, true.", 1),
    ("yes_no", "no", "No way", 0),
    ("yes_no", "yes", "Without a doubt, yes", 1),
    ("yes_no", "no", "Without a doubt, no.", 1),
    ("yes_no", "no", "I would say no because it rains", 1),
    ("yes_no", "yes", "No doubt, yes.", 1),
    ("yes_no", "no", "I first thought yes. But no.", 1),
    ("yes_no", "yes", "There is no doubt that it is true.", 1),
    ("yes_no", "no", "That is not entirely true.", 1),
    ("yes_no", "no", "That is untrue", 1),
    ("yes_no", "no", "Nope.", 1),
    ("yes_no", "yes", "Some say yes. Others say no.", 0),
    ("yes_no", "no", "Some say yes. Others say no.", 0),
    ("yes_no", "true", "Yes", 1),
    ("yes_no", "False", "no.", 1),
    ("yes_no", "yes", "\u7b54\u6848\u662fyes\u3002", 1),
    ("yes_no", "no", "No one knows", 0),
    ("yes_no", "no", "No longer.", 0),
    ("yes_no", "no", "No - it never was", 1),
    ("yes_no", "yes", "Is it? Yes!", 1),
    ("yes_no", "no", "It's a no.", 1),
    ("yes_no", "no", "No the earth is not flat", 1),
    ("yes_no", "no", "No problem, the answer is yes", 0),
    ("yes_no", "yes", "No problem, the answer is yes", 1),
]


@pytest.mark.parametrize(("metric", "gold", "response", "score"), TOLD_APART)
def test_tells_answers_apart(metric, gold, response, score):
    assert GRADERS[metric](response, Example("1", "?", gold)).performance == pytest.approx(score)


@pytest.mark.parametrize(("gold", "response", "right"), CONTAINS)
def test_contains_match(gold, response, right):
    assert contains_match(response, Example("1", "?", gold)).performance == right


@pytest.mark.parametrize(("gold", "response", "right"), EXACT)
def test_exact_match(gold, response, right):
    assert exact_match(response, Example("1", "?", gold)).performance == right


@pytest.mark.parametrize(("gold", "response", "score"), F1)
def test_f1(gold, response, score):
    assert f1(response, Example("1", "?", gold)).performance == pytest.approx(score)


@pytest.mark.parametrize(("gold", "response", "right"), YES_NO)
def test_yes_no(gold, response, right):
    assert yes_no(response, Example("1", "?", gold)).performance == right


def test_a_response_that_says_both_says_nothing():
    assert yes_no("Some say yes, others say no.", Example("1", "?", "no")).prediction is None


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@given(st.lists(st.sampled_from("bcde"), max_size=6), st.lists(st.sampled_from("bcde"), min_size=1, max_size=6))
def test_f1_is_within_bounds_symmetric_and_one_for_the_same_words(words, gold):
    score = f1(" ".join(words), Example("1", "?", " ".join(gold))).performance
    assert 0 <= score <= 1
    assert (score == 1) == (sorted(words) == sorted(gold))
    if words:
        assert score == f1(" ".join(gold), Example("1", "?", " ".join(words))).performance
