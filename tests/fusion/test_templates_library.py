import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import template_logs
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.templates import Library, index, make_template, retrieval
from fusion.templates.index import ApproximateIndex
from fusion.templates.retrieval import Retriever
from graphrouter.errors import UserError


def library(per_task=6, **about):
    texts, templates = {}, []
    for task in template_logs.TASKS:
        for number in range(per_task):
            query = f"{task}-{number}"
            texts[query] = template_logs.question(task, number)[0]
            templates.append(make_template(f"Thought on {query}", task, "d", {query: 1.0}, {"good"}, "performance"))
    return Library.make(templates, texts, template_logs.encoder(), about)


def found(library, text, task="rivers", k=3, without=None):
    return [one.text for one in library.retrieve([text], [task], k, [without])[0]]


class TestRetrieval:
    def test_the_templates_of_the_most_similar_queries_come_first(self):
        assert found(library(), "Which river crosses Kaeza, asks guest 3?")[0] == "Thought on rivers-3"
        assert found(library(), "How much is 13 plus 22, for customer 2?", "sums")[0] == "Thought on sums-2"

    def test_only_those_of_the_task(self):
        assert all("sums" in text for text in found(library(), "Which river crosses Kaeza?", "sums", k=9))
        assert len(found(library(), "Which river crosses Kaeza?", "sums", k=9)) == 6

    def test_an_unknown_task_is_that_of_the_neighbours_and_a_foreign_one_has_none(self):
        assert found(library(), "Which river crosses Kaeza, asks guest 3?", None)[0] == "Thought on rivers-3"
        assert found(library(), "Which river crosses Kaeza, asks guest 3?", "cooking") == []

    def test_a_query_is_left_out_with_those_of_its_wording(self):
        twin = make_template("Twin", "rivers", "d", {"twin": 1.0}, {"good"}, "performance")
        base = library()
        texts = dict(base.queries.select("query_id", "query").iter_rows())
        texts["twin"] = texts["rivers-3"].upper()
        both = Library.make([*base.templates, twin], texts, base.encoder)
        near = found(both, texts["rivers-3"], k=12)
        assert {near[0], near[1]} == {"Twin", "Thought on rivers-3"}
        left = found(both, texts["rivers-3"], k=12, without="rivers-3")
        assert sorted([*left, "Twin", "Thought on rivers-3"]) == sorted(near)
        assert found(both, texts["rivers-3"], k=12, without="unheard of") == near

    def test_leaving_out_also_holds_when_the_task_is_inferred(self):
        texts = {"a": "red red river", "b": "blue sum"}
        one, other = (make_template(f"T{q}", f"task {q}", None, {q: 1.0}, {"x"}, "r") for q in "ab")
        small = Library.make([one, other], texts, template_logs.encoder("red red river", "blue sum", "red sum"))
        assert found(small, "red red river", None) == ["Ta"]
        assert found(small, "red red river", None, without="a") == ["Tb"]

    def test_one_query_gets_what_it_gets_among_many(self):
        log = template_logs.make_log(40)
        many, tasks = log.queries["query"].to_list(), [None, *log.queries["task"][1:]]
        together = library(12).retrieve(many, tasks)
        alone = [library(12).retrieve([text], [task])[0] for text, task in zip(many[::7], tasks[::7], strict=True)]
        assert together[::7] == alone

    def test_nothing_is_found_for_nothing(self):
        assert library().retrieve([], []) == []

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ((["a"], []), "one task and one query to leave out"),
            ((["a"], [None], 3, []), "one task and one query to leave out"),
            ((["a"], [None], 0), "k must be 1 or more"),
        ],
    )
    def test_bad_arguments(self, arguments, says):
        with pytest.raises(UserError, match=says):
            library().retrieve(*arguments)

    def test_vectors_of_another_encoder_are_refused(self):
        with pytest.raises(UserError, match="must have .* dimensions, but have 3"):
            library().retrieve_by_vector(np.ones((1, 3), np.float32), [None])


@st.composite
def places(draw):
    """Vectors of sources on a coarse grid (so that there are ties), their tasks, groups, templates and queries."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    tasks = [task for task, size in enumerate(sizes) for _ in range(size)]
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    vectors = rng.integers(-2, 3, (len(tasks), 4)).astype(np.float32)
    groups = rng.integers(0, 6, len(tasks))
    members = []
    for task in range(len(sizes)):
        rows = [row for row, name in enumerate(tasks) if name == task]
        members += [sorted(rng.choice(rows, rng.integers(1, len(rows) + 1), replace=False)) for _ in rows]
    queries = rng.integers(-2, 3, (5, 4)).astype(np.float32)
    return tasks, vectors, groups, members, queries, rng.integers(-1, 6, 5), rng.integers(0, len(sizes), 5).tolist()


def by_force(tasks, vectors, groups, members, query, group, task, k):
    scored = []
    for number, rows in enumerate(members):
        if tasks[rows[0]] == task and not (groups[rows] == group).any():
            scored.append((-max(float(vectors[row] @ query) for row in rows), number))
    return [number for _, number in sorted(scored)[:k]]


@given(places(), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_retrieval_equals_brute_force(case, k):
    tasks, vectors, groups, members, queries, without, wanted = case
    got = Retriever(tasks, vectors, groups, members).search(queries, wanted, k, without)
    assert got == [
        by_force(tasks, vectors, groups, members, query, group, task, k)
        for query, group, task in zip(queries, without, wanted, strict=True)
    ]


def test_ties_beyond_the_spare_candidates_keep_the_similarity(monkeypatch):
    monkeypatch.setattr(retrieval, "SPARE", 0)
    vectors = np.repeat(np.eye(2, dtype=np.float32), 50, axis=0)
    got = Retriever(["t"] * 100, vectors, np.arange(100), [[row] for row in range(100)]).search(
        np.array([[0.0, 1.0]], np.float32), ["t"], 5, np.array([-1])
    )
    assert all(number >= 50 for number in got[0])
    assert len(got[0]) == 5


class TestIndex:
    def test_many_templates_are_found_by_an_index(self, monkeypatch):
        pytest.importorskip("faiss")
        rng = np.random.default_rng(0)
        vectors = rng.standard_normal((400, 8)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        members = [[row, row + 1] for row in range(0, 400, 2)]
        arguments = ["t"] * 400, vectors, np.arange(400), members
        queries, none = vectors[:20] + np.float32(0.01), np.full(20, -1)
        exact = Retriever(*arguments).search(queries, ["t"] * 20, 3, none)
        monkeypatch.setattr(retrieval, "EXACT_UP_TO", 10)
        assert Retriever(*arguments).search(queries, ["t"] * 20, 3, none) == exact
        left = Retriever(*arguments).search(queries, ["t"] * 20, 3, np.arange(20))
        assert all(number // 2 not in got for number, got in enumerate(left))

    def test_few_templates_behind_many_vectors_are_all_found(self, monkeypatch):
        pytest.importorskip("faiss")
        monkeypatch.setattr(retrieval, "EXACT_UP_TO", 10)
        vectors = np.eye(64, dtype=np.float32)
        members = [list(range(62)), [62], [63]]
        got = Retriever(["t"] * 64, vectors, np.arange(64), members).search(vectors[:1], ["t"], 3, np.array([-1]))
        assert sorted(got[0]) == [0, 1, 2]

    def test_without_faiss_the_package_to_install_is_named(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "faiss", None)
        with pytest.raises(UserError, match=r"need the package faiss-cpu; install it"):
            ApproximateIndex(np.eye(4, dtype=np.float32))
        assert index.EXACT_UP_TO == 100_000


class TestFiles:
    def test_a_library_comes_back_as_it_was(self, tmp_path):
        made = library(ranking="performance", split_seed=3)
        made.templates = (replace(made.templates[0], worth=0.25), *made.templates[1:])
        read = Library.load(made.save(tmp_path / "lib"))
        assert read.templates == made.templates
        assert read.queries.equals(made.queries)
        np.testing.assert_array_equal(read.vectors, made.vectors)
        np.testing.assert_array_equal(read.text_vectors, made.text_vectors)
        assert read.about["split_seed"] == 3
        assert read.about["encoder"]["id"] == made.encoder.id
        text = "Which river crosses Kaeza, asks guest 3?"
        assert found(read, text) == found(made, text)

    def test_saving_again_replaces_and_keeps_the_journals(self, tmp_path):
        folder = library().save(tmp_path / "lib")
        (folder / "mine").mkdir()
        (folder / "mine" / "answers.jsonl").write_text("kept")
        library(3).save(folder)
        assert len(Library.load(folder)) == 6
        assert (folder / "mine" / "answers.jsonl").read_text() == "kept"
        assert [file.name for file in tmp_path.iterdir()] == ["lib"]

    def test_a_folder_with_other_things_is_left_alone(self, tmp_path):
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(UserError, match="must be new, or hold a library, but holds 'notes.txt'"):
            library().save(tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]

    def test_a_newer_format_is_refused(self, tmp_path):
        folder = library().save(tmp_path / "lib")
        about = json.loads((folder / "about.json").read_text())
        (folder / "about.json").write_text(json.dumps(about | {"format": 2}))
        with pytest.raises(UserError, match="must be of format 1 or less, but is of 2; use a newer graphrouter"):
            Library.load(folder)

    @pytest.mark.parametrize(
        ("damage", "says"),
        [
            (lambda folder: (folder / "about.json").unlink(), "must be a folder with about.json"),
            (lambda folder: (folder / "about.json").write_text("{"), "must be JSON, but is damaged"),
            (lambda folder: (folder / "about.json").write_text("[]"), "has no format number"),
            (lambda folder: (folder / "templates.parquet").unlink(), "must hold a whole library"),
            (lambda folder: (folder / "vectors.npy").write_bytes(b"\x93NUMPY"), "must hold a whole library"),
            (lambda folder: np.save(folder / "vectors.npy", np.ones((2, 2))), "must have a vector for each"),
            (lambda folder: (folder / "encoder.pt").write_bytes(b""), "must be as it was saved"),
            (
                lambda folder: pl.DataFrame({"id": ["x"]}).write_parquet(folder / "templates.parquet"),
                "must hold a whole library",
            ),
        ],
    )
    def test_a_damaged_library_is_refused(self, tmp_path, damage, says):
        folder = library().save(tmp_path / "lib")
        damage(folder)
        with pytest.raises(UserError, match=says):
            Library.load(folder)

    def test_an_encoder_that_is_gone_is_only_missed_when_a_text_comes(self, tmp_path):
        folder = library().save(tmp_path / "lib")
        about = json.loads((folder / "about.json").read_text())
        about["encoder"] = {"spec": "/nowhere/model", "id": "folder:abc"}
        del about["encoder_state"]
        (folder / "about.json").write_text(json.dumps(about))
        read = Library.load(folder)
        assert len(read) == 12
        with pytest.raises(UserError, match="the library's encoder must be at /nowhere/model"):
            read.retrieve(["text"], [None])

    def test_another_encoder_in_its_place_is_refused(self, tmp_path):
        folder = library().save(tmp_path / "lib")
        about = json.loads((folder / "about.json").read_text())
        about["encoder"]["id"] = "tfidf:16:0000"
        (folder / "about.json").write_text(json.dumps(about))
        with pytest.raises(UserError, match="the library learnt from vectors of tfidf:16:0000"):
            Library.load(folder).retrieve(["text"], [None])

    def test_a_source_query_without_its_text_is_refused(self):
        one = make_template("T", None, None, {"q": 1.0}, {"x"}, "r")
        with pytest.raises(UserError, match="'q' has none"):
            Library.make([one], {}, template_logs.encoder())

    def test_templates_without_a_task_are_a_task_of_their_own(self, tmp_path):
        loose = make_template("Loose", None, None, {"q": 1.0}, {"x"}, "r")
        named = make_template("Named", "sums", None, {"p": 1.0}, {"x"}, "r")
        texts = {"q": "a river far off", "p": "a sum of 3"}
        made = Library.make([named, loose], texts, template_logs.encoder("a river far off", "a sum of 3", "more of it"))
        read = Library.load(made.save(tmp_path / "lib"))
        assert found(read, "a river far off", None) == ["Loose"]
        assert found(read, "a river far off", "sums") == ["Named"]


@pytest.mark.parametrize("wrong", [{"queries": ()}, {"scores": (1.0, 0.5)}])
def test_a_template_without_sources_or_with_other_scores_is_a_defect(wrong):
    with pytest.raises(ValueError, match="template"):
        replace(make_template("T", None, None, {"q": 1.0}, {"x"}, "r"), **wrong)


def test_the_score_of_a_template_is_the_mean_and_its_id_follows_from_what_it_says():
    one = make_template("T", "sums", None, {"b": 1.0, "a": 0.5}, {"y", "x"}, "r")
    assert (one.queries, one.scores, one.score, one.llms) == (("a", "b"), (0.5, 1.0), 0.75, ("x", "y"))
    assert one.id == make_template("T", "sums", None, {"a": 0.0, "b": 0.0}, {"z"}, "s").id
    assert one.id != make_template("T", "rivers", None, {"a": 0.5, "b": 1.0}, {"x"}, "r").id
