from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
import template_logs
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.templates import Library, make_template, merge_libraries, merge_near
from fusion.templates.library import source_table
from fusion.templates.merging import keep_only
from graphrouter.errors import UserError

WORDS = ["find", "the", "rule", "sum"]


def place(templates, text_vectors, seed=0, log="log", encoder_id="e"):
    """Return a library with these text vectors; its query vectors follow from the query ids."""
    pairs = sorted(zip(templates, text_vectors, strict=True), key=lambda pair: (pair[0].task, pair[0].id))
    queries = source_table([one for one, _ in pairs], {q: f"text {q}" for one, _ in pairs for q in one.queries})
    vectors = np.array([[int(query[1:]), 1.0] for query in queries["query_id"]], np.float32)
    about = {
        "encoder": {"spec": "tfidf", "id": encoder_id},
        "ranking": "graph",
        "log": {"name": log, "fingerprint": log, "simulated": False},
        "split_seed": seed,
    }
    return Library(
        tuple(one for one, _ in pairs), queries, vectors, np.array([v for _, v in pairs], np.float32), about, {}
    )


@st.composite
def libraries(draw):
    """A library of up to 15 templates, of which some are near each other, worded alike, or the same of another ranking."""
    made = {}
    for number in range(draw(st.integers(1, 15))):
        words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
        query, task = f"q{number}", draw(st.sampled_from(["a", "b"]))
        score, llm, ranking = (draw(st.sampled_from(some)) for some in ([0.5, 1.0], ["x", "y"], ["graph", "judge"]))
        one = make_template(" ".join(words), task, None, {query: score}, {llm}, ranking)
        angle = crc32(one.text.encode()) % 13 / 8
        made[one.id] = one, [np.cos(angle), np.sin(angle)]
    return list(made.values())


def content(library):
    return library.templates, library.queries.rows(), library.vectors.tolist(), library.text_vectors.tolist()


@given(libraries(), st.randoms())
@settings(deadline=None)
def test_the_order_of_templates_does_not_matter(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert content(merge_near(place(*zip(*pairs, strict=True)))) == content(
        merge_near(place(*zip(*shuffled, strict=True)))
    )


@given(libraries())
@settings(deadline=None)
def test_merging_again_changes_nothing_and_no_source_is_lost(pairs):
    before = place(*zip(*pairs, strict=True))
    once = merge_near(before)
    assert content(merge_near(once)) == content(once)
    assert sorted(q for one in once.templates for q in one.queries) == sorted(
        q for one, _ in pairs for q in one.queries
    )
    assert {llm for one in once.templates for llm in one.llms} == {llm for one, _ in pairs for llm in one.llms}
    assert once.queries.equals(before.queries)


@given(libraries(), libraries())
@settings(deadline=None)
def test_libraries_merge_alike_in_any_order_and_with_themselves(ours, theirs):
    one, other = place(*zip(*ours, strict=True)), place(*zip(*theirs, strict=True), seed=0)
    both, reverse = merge_libraries([one, other]), merge_libraries([other, one])
    assert content(both) == content(reverse)
    assert both.about == reverse.about
    assert content(merge_libraries([both, both])) == content(both)


def two(texts=("find the rule", "find the rule"), tasks=("a", "a"), cosine=1.0, scores=(0.5, 1.0)):
    templates = [
        make_template(text, task, None, {f"q{number}": score}, {f"llm{number}"}, "graph")
        for number, (text, task, score) in enumerate(zip(texts, tasks, scores, strict=True))
    ]
    return place(templates, [[1.0, 0.0], [cosine, np.sqrt(1 - cosine**2)]])


def test_the_best_words_stay_and_the_sources_are_united():
    (one,) = merge_near(two(("find the rule", "find the rule again"), cosine=0.99)).templates
    assert one.text == "find the rule again"
    assert (one.queries, one.scores, one.score, one.llms) == (("q0", "q1"), (0.5, 1.0), 0.75, ("llm0", "llm1"))


@pytest.mark.parametrize(
    ("library", "left"),
    [
        (two(), 1),
        (two(cosine=0.5), 1),  # worded alike, which counts even where an encoder knows none of the words
        (two(tasks=("a", "b")), 2),
        (two(("find the rule", "find the sum rule"), cosine=0.95), 1),
        (two(("find the rule", "find the sum rule"), cosine=0.9), 2),
        (two(("rivers of Osdal", "rivers of Neira"), cosine=1.0), 2),  # the same of another name
    ],
)
def test_what_counts_as_near(library, left):
    assert len(merge_near(library)) == left


@pytest.mark.parametrize("scores", [(0.25, 0.75), (0.75, 0.25)])
def test_of_two_scores_of_a_query_the_higher_counts(scores):
    templates = [
        make_template(text, "a", None, {"q0": score, f"q{number}": 1.0}, {"x"}, "graph")
        for number, (text, score) in enumerate(zip(("find it", "find it!"), scores, strict=True), 1)
    ]
    (one,) = merge_near(place(templates, [[1.0, 0.0], [1.0, 0.0]])).templates
    assert dict(zip(one.queries, one.scores, strict=True)) == {"q0": 0.75, "q1": 1.0, "q2": 1.0}


def test_many_templates_are_compared_in_blocks(monkeypatch):
    monkeypatch.setattr("fusion.templates.merging.BLOCK", 4)
    texts = [f"rule {number % 5} of the game of number {number % 5}" for number in range(23)]
    templates = [make_template(text, "a", None, {f"q{n}": 1.0}, {"x"}, "graph") for n, text in enumerate(texts)]
    assert len(merge_near(place(templates, np.eye(5)[np.arange(23) % 5]))) == 5


def test_the_worth_of_merged_templates_is_the_mean_of_what_is_known():
    library = two()
    for worths, mean in (((None, 0.5), 0.5), ((0.1, 0.5), 0.3), ((None, None), None)):
        library.templates = tuple(replace(one, worth=w) for one, w in zip(library.templates, worths, strict=True))
        assert merge_near(library).templates[0].worth == (None if mean is None else pytest.approx(mean))


def test_only_wanted_templates_and_their_sources_are_kept():
    library = two(("find one", "seek other"), cosine=0.0)
    kept = keep_only(library, {library.templates[0].id})
    assert len(kept) == 1
    assert kept.queries["query_id"].to_list() == list(kept.templates[0].queries)
    assert len(kept.vectors) == len(kept.text_vectors) == 1


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1])
def test_a_threshold_outside_its_range_is_refused(threshold):
    with pytest.raises(UserError, match="must be within"):
        merge_near(two(), threshold)


class TestLibraries:
    def one(self, **where):
        return place([make_template("find it", "a", None, {"q1": 1.0}, {"x"}, "graph")], [[1.0, 0.0]], **where)

    def test_across_encoders_is_refused(self):
        with pytest.raises(UserError, match="vectors of one encoder, but these have e and other"):
            merge_libraries([self.one(), self.one(encoder_id="other")])

    def test_across_splits_of_a_log_is_refused(self):
        with pytest.raises(UserError, match="one would bring test queries of the other"):
            merge_libraries([self.one(seed=0), self.one(seed=1)])

    def test_one_id_for_two_texts_is_refused(self):
        other = self.one(log="elsewhere")
        other.queries = other.queries.with_columns(query=other.queries["query"] + "!")
        with pytest.raises(UserError, match="'q1' stands for two"):
            merge_libraries([self.one(), other])

    def test_an_empty_one_is_refused(self):
        with pytest.raises(UserError, match="must hold a template"):
            merge_libraries([self.one(), keep_only(self.one(), set())])

    def test_what_is_known_of_each_is_kept(self):
        made = merge_libraries([self.one(), self.one(log="elsewhere", seed=4)])
        assert made.about["split_seed"] is None
        assert made.about["log"]["name"] == "elsewhere+log"
        assert sorted(part["split_seed"] for part in made.about["merged_from"]) == [0, 4]
        assert made.about["counts"] == {"before_merging": 2, "templates": 1}


def test_a_merged_library_still_finds_its_encoder(tmp_path):
    texts = {"q1": "one river", "q2": "two rivers"}
    encoder = template_logs.encoder("one river", "two rivers", "three sums")
    parts = [
        Library.make(
            [make_template(text, "a", None, {query: 1.0}, {"x"}, "r")], texts, encoder, {"log": {"name": query}}
        )
        for query, text in texts.items()
    ]
    folders = [part.save(tmp_path / str(number)) for number, part in enumerate(parts)]
    merged = Library.load(merge_libraries([Library.load(folder) for folder in folders]).save(tmp_path / "both"))
    assert [one.text for one in merged.retrieve(["two rivers"], ["a"])[0]] == ["two rivers", "one river"]
