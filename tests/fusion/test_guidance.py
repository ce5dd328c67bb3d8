import dataclasses
import functools
import json

import numpy as np
import polars as pl
import pytest
from guided import TASKS, make_library, make_log, question
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import TEMPLATE, save_tiny

from fusion.guidance import (
    GuidedQuestion,
    Piece,
    Room,
    Spec,
    compose,
    estimate,
    find_guidance,
    find_room,
    fit,
    make_guide,
    parse_guides,
)
from fusion.guidance.questions import TextGroups
from fusion.guidance.shots import Shots
from fusion.guidance.thoughts import Thoughts
from fusion.llms import LLM
from fusion.prompts import THOUGHTS
from graphrouter.errors import UserError
from graphrouter.prepared import prepare
from graphrouter.splits import PARTS, by_query, normalise_text, query_groups


@functools.cache
def source(seed=0, count=20):
    return prepare(make_log(count), seed=seed)


@functools.cache
def guide(kind, seed=0, ranking="performance", merged=1, shown=3):
    if kind == "few_shot":
        return Shots(shown, source=source(seed), rank_by=ranking)
    return Thoughts(shown, library=make_library(source(seed).log, seed, merged), source=source(seed))


def asked_of(log, rows=None):
    rows = log.queries.select("query_id", "query", "task").rows()
    return [GuidedQuestion(*row) for row in rows]


def sources_of(piece, library=None):
    """The queries that a piece comes from."""
    if piece.prompt:
        return {piece.source}
    return set(next(template for template in library.templates if template.id == piece.source).queries)


pieces = st.lists(
    st.builds(Piece, st.text(min_size=1, max_size=4), st.text(max_size=40), st.text(max_size=30)), max_size=6
)


class TestBudget:
    @given(st.sampled_from(["few_shot", "thought"]), st.text(max_size=30), pieces, st.integers(0, 120))
    def test_the_nearest_that_fit_are_shown_whole(self, kind, prompt, found, tokens):
        def fits(messages):
            return estimate(messages) <= tokens

        kept = fit(kind, prompt, found, fits)
        places = iter(found)
        assert all(any(piece is other for other in places) for piece in kept), "the nearest must come first"
        assert not kept or fits(compose(kind, prompt, kept))
        rest = list(kept)
        nearer = []
        for piece in found:
            if rest and piece is rest[0]:
                nearer.append(rest.pop(0))
            else:
                assert not fits(compose(kind, prompt, [*nearer, piece])), "what would fit must not be left out"

    @given(pieces)
    def test_all_are_shown_where_there_is_room(self, found):
        assert fit("few_shot", "?", found, lambda messages: True) == tuple(found)

    def test_a_long_one_makes_way_for_the_next(self):
        found = [Piece("a", "x" * 500, "q"), Piece("b", "short", "q")]
        assert fit("few_shot", "?", found, lambda m: estimate(m) < 60) == (found[1],)

    def test_examples_are_turns_and_thoughts_stand_above(self):
        shown = [Piece("a", "4", "2+2?"), Piece("b", "6", "3+3?")]
        turns = compose("few_shot", "4+4?", shown)
        assert [turn["content"] for turn in turns] == ["2+2?", "4", "3+3?", "6", "4+4?"]
        assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant", "user"]
        assert compose("thought", "4+4?", shown) == ({"role": "user", "content": f"{THOUGHTS}\n- 4\n- 6\n\n4+4?"},)
        assert (
            compose("thought", "4+4?", []) == compose("few_shot", "4+4?", []) == ({"role": "user", "content": "4+4?"},)
        )

    @given(st.lists(st.text(max_size=50), max_size=5), st.text(max_size=50))
    def test_the_estimate_grows_with_every_message(self, texts, more):
        messages = [{"role": "user", "content": text} for text in texts]
        assert estimate(messages) < estimate([*messages, {"role": "user", "content": more}])

    def test_the_estimate_is_a_token_for_three_bytes_and_eight_a_message(self):
        assert estimate([{"role": "user", "content": "abcd"}]) == 2 + 8
        assert estimate([{"role": "user", "content": "äöü"}, {"role": "user", "content": ""}]) == 2 + 8 + 8

    def test_a_response_must_have_room_in_the_context(self):
        room = Room(100, count=len, context=10)
        assert room.fits([{}] * 6, 4)
        assert not room.fits([{}] * 7, 4)
        assert Room(6, count=len, context=10).fits([{}] * 6, 1)
        assert not Room(5, count=len, context=10).fits([{}] * 6, 1)
        with pytest.raises(UserError, match="must be 1 or more, but are 0"):
            Room(0)


class TestCounting:
    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory):
        return str(save_tiny(tmp_path_factory.mktemp("model") / "m", TEMPLATE, num_hidden_layers=1))

    def test_a_model_here_counts_as_its_engine_does(self, folder):
        from fusion.engines.base import Request, Sampling

        llm = LLM("tiny", folder, engine="transformers", options={"template": {"mood": " glad"}})
        room = find_room(llm, 99)
        messages = compose("few_shot", "what is 12 plus 30?", [Piece("a", "42.", "the quick brown fox?")])
        with llm.make_engine() as engine:
            (answer,) = engine.generate([Request("r", messages, Sampling(max_tokens=2))])
        assert room.count(messages) == answer.input_tokens
        assert (room.tokens, room.context) == (99, 256)

    def test_what_a_template_cannot_write_is_left_to_the_engine_to_refuse(self, folder):
        room = find_room(LLM("tiny", folder, engine="transformers"))
        assert room.fits([{"role": "system", "content": "x" * 9999}], 5)

    def test_a_served_model_is_estimated(self):
        room = find_room(LLM("far", "far", engine="openai"), 7)
        assert room == Room(7)
        assert room.count is estimate

    def test_a_model_without_a_tokenizer_is_refused(self, tmp_path):
        with pytest.raises(UserError, match="must bring a tokenizer"):
            find_room(LLM("tiny", str(tmp_path), engine="transformers"))


class TestSource:
    @given(st.integers(0, 5))
    @settings(max_examples=6, deadline=None)
    def test_parts_are_those_of_the_split_that_routers_use(self, seed):
        one = source(seed)
        split = by_query(one.log, seed)
        parts = one.parts_of(one.log.queries["query"].to_list())
        for part in PARTS:
            assert [row for row, found in enumerate(parts) if found == part] == getattr(split, part).tolist()

    def test_wording_decides_the_part_and_what_is_its_own(self):
        text = question("sums", 0)
        assert source().parts_of([f"  {text.upper()} ", "never asked"]) == [source().parts_of([text])[0], None]
        groups = TextGroups(source().log.queries["query_id"], source().log.queries["query"])
        (own,) = groups.own([GuidedQuestion(None, text.upper(), "sums")])
        assert own == {"sums-0", "sums-18"}
        assert groups.own([GuidedQuestion("sums-5", "never asked"), GuidedQuestion(None, "never asked")]) == [
            {"sums-5"},
            frozenset(),
        ]

    def test_a_negative_seed_is_refused(self):
        with pytest.raises(UserError, match="must be 0 or more"):
            prepare(source().log, seed=-1)


KINDS = [("few_shot", {}), ("few_shot", {"ranking": "random"}), ("thought", {}), ("thought", {"merged": 3})]


class TestLeaveOneOut:
    @pytest.mark.parametrize(("kind", "how"), KINDS)
    @given(seed=st.integers(0, 2), data=st.data())
    @settings(max_examples=12, deadline=None)
    def test_a_query_sees_neither_itself_nor_its_wording_nor_what_is_not_training(self, kind, how, seed, data):
        one = guide(kind, seed, **how)
        log, split = source(seed).log, source(seed).split
        chosen = data.draw(st.lists(st.sampled_from(asked_of(log)), min_size=1, max_size=8))
        disguised = [item._replace(query_id=None, text=item.text.swapcase()) for item in chosen]
        wording = dict(log.queries.select("query_id", "query").iter_rows())
        training = set(log.queries["query_id"].gather(split.train))
        for item, shown in zip([*chosen, *disguised], one.find([*chosen, *disguised]), strict=True):
            assert shown
            for piece in shown:
                sources = sources_of(piece, getattr(one, "library", None))
                assert sources <= training
                assert item.query_id not in sources
                assert all(normalise_text(wording[query]) != normalise_text(item.text) for query in sources)

    @pytest.mark.parametrize(("kind", "how"), KINDS)
    def test_a_question_with_the_id_of_one_and_the_wording_of_another_sees_neither(self, kind, how):
        train = source().training_log.queries.filter(pl.col("task") == "sums")
        first, second = train.row(0, named=True), train.row(1, named=True)
        everything = dataclasses.replace(guide(kind, **how), shown=50)
        asked = GuidedQuestion(first["query_id"], second["query"], "sums")
        (shown,) = everything.find([asked])
        found = {query for piece in shown for query in sources_of(piece, getattr(everything, "library", None))}
        assert found
        assert not found & {first["query_id"], second["query_id"]}
        assert len(dataclasses.replace(everything, shown=2).find([asked])[0]) == 2, "as many must remain"

    def test_as_many_are_shown_as_there_would_be_without_leaving_out(self):
        log = source().log
        for kind in ("few_shot", "thought"):
            assert {len(shown) for shown in guide(kind).find(asked_of(log))} == {3}

    def test_a_library_without_its_log_is_held_to_the_wording(self):
        library = make_library(source().log)
        loose = Thoughts(3, library=library)
        log = source().log
        for item, shown in zip(asked_of(log), loose.find(asked_of(log)), strict=True):
            assert all(item.query_id not in sources_of(piece, library) for piece in shown)


class TestShots:
    def test_the_nearest_of_the_task_come_first_with_their_responses(self):
        log, split = source().log, source().split
        test = log.take(split.test)
        vectors = source().training_vectors
        rows = source().training_log.queries.with_row_index("row")
        right = rows.filter(pl.col("query_id").map_elements(lambda q: int(q.split("-")[1]) % 7 != 3, pl.Boolean))
        for item, shown in zip(asked_of(test), guide("few_shot").find(asked_of(test), "direct"), strict=True):
            (vector,) = source().fitted.encode([item.text])
            pool = right.filter(pl.col("task") == item.task).sort("query_id")
            groups = pl.Series("group", query_groups(pool["query"]))
            pool = pool.with_columns(groups).unique("group", keep="first", maintain_order=True)
            near = np.round(vectors[pool["row"].to_numpy()] @ vector, 5)
            order = np.argsort(-near, kind="stable")[:3]
            assert sorted(np.round([near[i] for i in order], 4)) == sorted(
                np.round([near[pool["query_id"].to_list().index(piece.source)] for piece in shown], 4)
            )
            assert [near[pool["query_id"].to_list().index(piece.source)] for piece in shown] == sorted(near[order])[
                ::-1
            ]
            for piece in shown:
                assert piece.text == f"word{piece.source.split('-')[1]}"
                assert piece.prompt == pool.row(by_predicate=pl.col("query_id") == piece.source, named=True)["query"]

    @pytest.mark.parametrize("twin", [str.upper, lambda text: f"{text} !", lambda text: text.replace(" ", "  ")])
    def test_a_question_is_shown_once(self, twin):
        log = make_log(40)
        texts = log.queries["query"].to_list()
        twins = [twin(texts[row - 1]) if row % 2 else text for row, text in enumerate(texts)]
        doubled = dataclasses.replace(log, queries=log.queries.with_columns(query=pl.Series(twins)))
        shots = Shots(6, source=prepare(doubled), rank_by="random")
        for item, shown in zip(asked_of(doubled), shots.find(asked_of(doubled)), strict=True):
            groups = query_groups([item.text, *(piece.prompt for piece in shown)])
            assert len(set(groups)) == len(groups) == 7

    def test_an_example_is_of_the_style_that_is_asked(self):
        known = {
            "reasoning": {row[0]: f"Think. {row[1]}" for row in source().log.queries.select("query_id", "query").rows()}
        }
        shots = dataclasses.replace(guide("few_shot"), prompts=known)
        asked = asked_of(source().log)[:4]
        for shown in shots.find(asked, "reasoning"):
            assert all(piece.text.startswith("because") and piece.prompt.startswith("Think. ") for piece in shown)
        for shown in shots.find(asked, "direct"):
            assert all(piece.text.startswith("word") and not piece.prompt.startswith("Think") for piece in shown)

    def test_wrong_responses_are_no_examples_but_for_the_control(self):
        everything = {
            kind: dataclasses.replace(guide("few_shot", ranking=kind), shown=50) for kind in ("performance", "random")
        }
        asked = [GuidedQuestion(None, "something else", task) for task in TASKS]
        texts = {kind: {piece.text for shown in one.find(asked) for piece in shown} for kind, one in everything.items()}
        assert "no" not in texts["performance"]
        assert "no" in texts["random"]
        assert len({text.startswith("word") for text in texts["random"]}) == 2

    def test_a_task_that_is_not_known_is_that_of_the_nearest(self):
        shown = guide("few_shot").find(
            [GuidedQuestion(None, "capitals capitals", None), GuidedQuestion(None, "colours", None)]
        )
        assert [{piece.source.split("-")[0] for piece in of_one} for of_one in shown] == [{"capitals"}, {"colours"}]

    def test_an_unknown_task_has_none(self):
        assert guide("few_shot").find([GuidedQuestion(None, "sums question", "dances")]) == [()]

    def test_what_is_found_does_not_depend_on_the_other_questions(self):
        asked = asked_of(source().log)
        together = guide("few_shot").find(asked)
        assert [guide("few_shot").find([one])[0] for one in asked[::7]] == together[::7]
        assert guide("few_shot").find([]) == []

    def test_a_log_without_a_right_response_in_a_style_is_refused(self):
        log = source().log.take_llms(["bad", "good"])
        shots = Shots(3, source=prepare(log), rank_by="performance")
        with pytest.raises(UserError, match="a right response to a training query in the style reasoning"):
            shots.find(asked_of(log)[:1], "reasoning")

    def test_an_unknown_ranking_is_refused(self):
        with pytest.raises(UserError, match="unknown ranking 'performnce'; did you mean 'performance'"):
            Shots(3, source=source(), rank_by="performnce")
        with pytest.raises(UserError, match="1 piece or more, but is to show 0"):
            Shots(0, source=source(), rank_by="performance")


class TestThoughts:
    def test_they_are_the_librarys(self):
        one = guide("thought")
        item = asked_of(source().log.take(source().split.test))[0]
        (shown,) = one.find([item])
        expected = one.library.retrieve([item.text], [item.task], k=3)[0]
        assert [(piece.source, piece.text) for piece in shown] == [
            (template.id, template.text) for template in expected
        ]

    def test_what_it_depends_on_tells_one_library_from_another_of_the_same_log(self):
        assert guide("thought").about() == Thoughts(3, library=make_library(source().log), source=source()).about()
        assert guide("thought").about() != guide("thought", merged=3).about()

    def test_a_library_of_another_log_split_or_encoder_is_refused(self, tmp_path):
        log = source().log
        make_library(log).save(tmp_path / "lib")
        spec = Spec("t", "thought", str(tmp_path / "lib"))
        assert make_guide(spec, source()).ranking == "performance"
        with pytest.raises(UserError, match=r"lib must be mined from guiding as it is now, but was mined from guiding"):
            make_guide(spec, prepare(make_log(25)))
        with pytest.raises(UserError, match=r"with the split seed 1, but has 0, so its templates may come from test"):
            make_guide(spec, source(1))
        with pytest.raises(UserError, match="name the same encoder"):
            make_guide(spec, prepare(log, "tfidf:7"), encoder="tfidf:7").find(asked_of(log)[:1])
        with pytest.raises(UserError, match="a library must be a folder"):
            make_guide(dataclasses.replace(spec, what=str(tmp_path / "none")), source())


class TestSpecs:
    def test_they_are_read_as_typed(self):
        assert parse_guides(["a=thought:lib/x:y", "b.2=few_shot:graph"]) == [
            Spec("a", "thought", "lib/x:y"),
            Spec("b.2", "few_shot", "graph"),
        ]

    @pytest.mark.parametrize(
        ("texts", "says"),
        [
            (["thought:lib"], "must be NAME=thought:LIBRARY"),
            (["=thought:lib"], "must be NAME=thought:LIBRARY"),
            (["a b=thought:lib"], "must be NAME=thought:LIBRARY"),
            (["a=thought:"], "must be NAME=thought:LIBRARY"),
            (["a=thougt:lib"], "did you mean 'thought'"),
            (["a=thought:x", "a=few_shot:graph"], "'a' occurs twice"),
        ],
    )
    def test_others_are_refused(self, texts, says):
        with pytest.raises(UserError, match=says):
            parse_guides(texts)


class TestKept:
    def test_what_is_kept_is_not_looked_for_again(self, tmp_path):
        asked = asked_of(source().log)
        first = find_guidance("g", guide("few_shot"), asked[:5], ["direct"], tmp_path)
        first.save(tmp_path)
        kept = pl.read_parquet(tmp_path / "g.parquet")
        kept.with_columns(text=pl.lit("kept")).write_parquet(tmp_path / "g.parquet")
        again = find_guidance("g", guide("few_shot"), asked[:8], ["direct"], tmp_path)
        assert {piece.text for item in asked[:5] for piece in again.found[item.query_id, "direct"]} == {"kept"}
        fresh = find_guidance("g", guide("few_shot"), asked[5:8], ["direct"])
        assert all(again.found[key] == pieces for key, pieces in fresh.found.items())

    def test_it_comes_back_as_it_was(self, tmp_path):
        asked = [*asked_of(source().log)[:3], GuidedQuestion("new-1", "who?", "dances")]
        first = find_guidance("g", guide("few_shot"), asked, ["direct"], tmp_path)
        assert first.found["new-1", "direct"] == ()
        first.save(tmp_path)
        assert json.loads((tmp_path / "g.json").read_text()) == first.about
        assert find_guidance("g", guide("few_shot"), asked, ["direct"], tmp_path) == first

    def test_what_another_guide_found_does_not_count(self, tmp_path):
        asked = asked_of(source().log)[:5]
        find_guidance("g", guide("few_shot"), asked, ["direct"], tmp_path).save(tmp_path)
        other = guide("few_shot", ranking="random")
        assert find_guidance("g", other, asked, ["direct"], tmp_path) == find_guidance("g", other, asked, ["direct"])
        for change in ({"shown": 2}, {"source": source(1)}, {"rank_by": "random"}):
            assert dataclasses.replace(guide("few_shot"), **change).about() != guide("few_shot").about()

    def test_a_damaged_file_is_named(self, tmp_path):
        asked = asked_of(source().log)[:2]
        find_guidance("g", guide("few_shot"), asked, ["direct"], tmp_path).save(tmp_path)
        (tmp_path / "g.parquet").write_bytes(b"x")
        with pytest.raises(UserError, match=r"g\.json must be what an earlier run wrote"):
            find_guidance("g", guide("few_shot"), asked, ["direct"], tmp_path)
