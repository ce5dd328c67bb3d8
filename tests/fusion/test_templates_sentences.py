import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.templates.sentences import GAP, estimate_tokens, shorten, split_sentences

SENTENCES = st.lists(st.text("abc de\n.!? E1", max_size=30), max_size=30).map(". ".join)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("First line\nsecond line\n\n\nthird", ["First line", "second line", "third"]),
        ("It is 3.5 m. Then 4 m.", ["It is 3.5 m.", "Then 4 m."]),
        ("Some, e.g. Water, boil. Others do not.", ["Some, e.g. Water, boil.", "Others do not."]),
        ("As J. Doe said. Yes.", ["As J. Doe said.", "Yes."]),
        ("In the U.S. Congress it is so. Here not.", ["In the U.S. Congress it is so.", "Here not."]),
        ('He said "no." Then left.', ['He said "no."', "Then left."]),
        ("一。二。", ["一。", "二。"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_split_sentences(text, sentences):
    assert split_sentences(text) == sentences


@given(SENTENCES)
def test_no_letter_is_lost_and_no_sentence_is_empty(text):
    sentences = split_sentences(text)
    assert all(one.strip() for one in sentences)
    assert "".join("".join(sentences).split()) == "".join(text.split())


@given(SENTENCES, st.integers(0, 60))
def test_a_shortened_text_fits_and_one_that_fits_is_left_as_it_is(text, limit):
    short = shorten(text, limit)
    assert estimate_tokens(short) <= limit
    if estimate_tokens(text) <= limit:
        assert short == text


@given(st.lists(st.from_regex(r"[A-Z][a-z]{3,9}\.", fullmatch=True), min_size=3, max_size=40), st.integers(20, 100))
def test_the_beginning_and_the_end_stay(sentences, limit):
    short = shorten(" ".join(sentences), limit)
    assert short.startswith(sentences[0])
    assert short.endswith(sentences[-1])
    kept = [one for one in split_sentences(short.replace(GAP, "\n")) if one]
    assert [one for one in kept if one not in sentences] == []


def test_the_middle_goes_as_little_as_must_be():
    text = "\n".join(f"Number {number:03}." for number in range(100))
    short = shorten(text, 60)
    head, tail = short.split(GAP)
    assert head.startswith("Number 000.\nNumber 001.")
    assert tail.endswith("Number 098.\nNumber 099.")
    assert abs(len(split_sentences(head)) - len(split_sentences(tail))) <= 1
    assert estimate_tokens(short) > 50  # one more sentence would not fit


def test_a_sentence_longer_than_the_limit_is_cut_by_words():
    short = shorten("word " * 1000, 20)
    assert short.startswith("word word")
    assert short.endswith(GAP)
    assert estimate_tokens(short) <= 20


def test_a_count_of_ones_own_is_used():
    assert shorten("One. Two. Three. Four.", 3, lambda text: len(text.split())) == f"One.\n{GAP}\nFour."
