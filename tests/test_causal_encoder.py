from pathlib import Path

import numpy as np
import pytest

from graphrouter.encoders import CausalEncoder, find_encoder
from graphrouter.encoders.causal_spec import CausalSpec
from graphrouter.errors import UserError
from graphrouter.pipeline import RoutingPipeline, train
from graphrouter.prepared import prepare
from graphrouter.testing import make_log

MODEL = Path(__file__).parent / "models" / "mini-0.1m"
TEXTS = ["What is 2 + 2?", "a", "Name the three longest rivers of Peru, and say where each of them ends.", "", "a b"]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAPHROUTER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def encoder(options: str = "") -> CausalEncoder:
    made = find_encoder(f"causal:{MODEL}{options}", "cpu")
    assert isinstance(made, CausalEncoder)
    return made


def own_states(text: str, layer: int) -> np.ndarray:
    """What the model itself says of one text, [T, D], without its head and without padding."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(MODEL)(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model(ids, output_hidden_states=True).hidden_states[layer][0].numpy()


def without_model(encoder: CausalEncoder, monkeypatch: pytest.MonkeyPatch) -> CausalEncoder:
    def refuse(texts: list[str]) -> None:
        raise AssertionError(f"{texts} should have been in the cache")

    monkeypatch.setattr(encoder, "_passed", refuse)
    return encoder


class TestSpec:
    @pytest.mark.parametrize(
        ("spec", "read"),
        [
            ("causal:owner/name", CausalSpec("owner/name", (), "mean", 512)),
            ("causal:owner/name@v2:layers=3", CausalSpec("owner/name@v2", (3,))),
            ("causal:a:b/c=d:layers=16+8:pooling=last:tokens=64", CausalSpec("a:b/c=d", (8, 16), "last", 64)),
            ("causal:x:layers=all", CausalSpec("x")),
        ],
    )
    def test_is_read_and_written_in_one_form(self, spec: str, read: CausalSpec) -> None:
        assert CausalSpec.read(spec) == read
        assert CausalSpec.read(str(read)) == read

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (":layer=3", "no option 'layer'; did you mean 'layers'?"),
            (":layers=0", "numbers such as 8 or 8"),
            (":layers=2,3", "numbers such as 8 or 8"),
            (":pooling=max", "pooling must be last or mean, but is 'max'"),
            (":tokens=0", "tokens must be a number of 1 or more"),
        ],
    )
    def test_other_options_are_refused(self, options: str, message: str) -> None:
        with pytest.raises(UserError, match=message):
            find_encoder(f"causal:{MODEL}{options}")

    def test_a_model_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="an encoder must be"):
            find_encoder(f"causal:{tmp_path}/absent")
        with pytest.raises(UserError, match=r"has no \.gguf and none of the others"):
            find_encoder(f"causal:{tmp_path}")

    def test_a_layer_that_the_model_has_not_is_refused(self) -> None:
        with pytest.raises(UserError, match="has layers 1 to 2, but 3 was asked for"):
            encoder(":layers=3").fit(TEXTS)


class TestStates:
    @pytest.mark.parametrize("pooling", ["last", "mean"])
    def test_are_those_of_the_model_for_each_text_on_its_own(self, pooling: str) -> None:
        texts = [text for text in TEXTS if text]
        states = encoder(f":layers=1+2:pooling={pooling}")._states(texts, progress=False, keep=True)
        for text, got in zip(texts, states, strict=True):
            own = [own_states(text, layer) for layer in (1, 2)]
            wanted = [one[-1] if pooling == "last" else one.mean(axis=0) for one in own]
            np.testing.assert_allclose(got, np.concatenate(wanted), rtol=1e-4, atol=1e-5)

    def test_only_the_first_tokens_are_read(self) -> None:
        text = TEXTS[2]
        wanted = own_states(text, 2)[:5]
        got = encoder(":layers=2:pooling=last:tokens=5")._states([text], progress=False, keep=True)
        np.testing.assert_allclose(got[0], wanted[-1], rtol=1e-4, atol=1e-5)

    def test_batches_hold_no_more_tokens_than_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = encoder(":layers=2")._states(TEXTS, progress=False, keep=False)
        monkeypatch.setattr("graphrouter.encoders.hidden_states.BATCH_TOKENS", 1)
        np.testing.assert_allclose(
            encoder(":layers=2")._states(TEXTS, progress=False, keep=False), whole, rtol=1e-4, atol=1e-5
        )

    def test_one_pass_serves_every_layer_and_pooling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        encoder(":layers=1:pooling=mean").precompute(TEXTS)
        for other in encoder().variants():
            assert without_model(other, monkeypatch).fit(TEXTS).encode(TEXTS).shape[0] == len(TEXTS)
        assert [other.asked.layers for other in encoder().variants()] == [(1,), (2,), ()] * 2

    def test_another_number_of_tokens_needs_another_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        encoder().precompute(TEXTS)
        with pytest.raises(AssertionError, match="should have been"):
            without_model(encoder(":tokens=3"), monkeypatch).precompute(TEXTS)

    def test_an_interrupted_pass_keeps_what_it_did(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(CausalEncoder, "chunk", 2)
        first, passed = encoder(), []
        whole = first._passed

        def interrupted(texts: list[str]) -> object:
            if passed:
                raise KeyboardInterrupt
            passed.extend(texts)
            return whole(texts)

        monkeypatch.setattr(first, "_passed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            first.precompute(TEXTS)
        without_model(encoder(":layers=2:pooling=last"), monkeypatch).precompute(passed)

    def test_a_layer_beside_the_ladder_is_made_when_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("graphrouter.encoders.causal.LADDER", 1)
        encoder().precompute(TEXTS)
        np.testing.assert_allclose(
            encoder(":layers=2")._states(TEXTS[:1], progress=False, keep=True)[0],
            own_states(TEXTS[0], 2).mean(axis=0),
            rtol=1e-4,
            atol=1e-5,
        )


class TestFitted:
    def test_each_dimension_counts_the_same(self) -> None:
        made = encoder(":layers=2:pooling=last").fit(TEXTS)
        scaled = (made._states(TEXTS, progress=False, keep=True) - made.get_state()["mean"]) * made.get_state()["scale"]
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-4)
        vectors = made.encode([*TEXTS, "new"])
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    def test_a_dimension_that_never_changes_says_nothing(self) -> None:
        assert not encoder(":layers=1").fit(["a"]).encode(["b"]).any()

    def test_the_state_gives_the_same_bits_and_is_part_of_the_id(self) -> None:
        fitted = encoder().fit(TEXTS)
        again = encoder().set_state(fitted.get_state())
        assert again.id == fitted.id
        assert again.id != encoder().fit(TEXTS[:2]).id
        assert fitted.id.startswith(fitted.given(None))
        np.testing.assert_array_equal(again.encode(["x"]), fitted.encode(["x"]))

    def test_options_and_model_are_part_of_the_id(self) -> None:
        ids = {encoder(options).id for options in ("", ":layers=1", ":pooling=last", ":tokens=7")}
        assert len(ids) == 4

    def test_unfitted_is_refused_and_an_empty_batch_is_none(self) -> None:
        with pytest.raises(UserError, match="must be fitted"):
            encoder().encode(["x"])
        assert encoder(":layers=1").fit(TEXTS).encode([]).shape[0] == 0

    def test_only_training_queries_are_learnt_from(self) -> None:
        log = make_log(20)
        prepared = prepare(log, encoder(":layers=2"))
        texts = log.queries["query"].gather(prepared.split.train).to_list()
        assert prepared.fitted.id == encoder(":layers=2").fit(texts).id

    def test_a_saved_router_routes_the_same_with_its_model_elsewhere(self, tmp_path: Path) -> None:
        pipeline = train(make_log(20), "knn", f"causal:{MODEL}:layers=2")
        folder = pipeline.save(tmp_path / "router")
        assert RoutingPipeline.load(folder).route(["What is 1 + 2?"]) == pipeline.route(["What is 1 + 2?"])
        other = str(tmp_path / "elsewhere")
        Path(other).symlink_to(MODEL)
        again = RoutingPipeline.load(folder, encoder=f"causal:{other}:layers=2")
        assert again.route(["What is 1 + 2?"]) == pipeline.route(["What is 1 + 2?"])
        with pytest.raises(UserError, match="name the same encoder"):
            RoutingPipeline.load(folder, encoder=f"causal:{other}:layers=1")


class TestGguf:
    def test_the_one_file_of_a_folder_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "small.gguf").write_bytes(b"")
        asked = {}

        def load(name: str, **options: object) -> None:
            asked.update(options, name=name)

        find_encoder(f"causal:{tmp_path}")._read(load)
        assert (asked["name"], asked["gguf_file"]) == (str(tmp_path), "small.gguf")

    def test_two_files_are_refused_and_the_content_is_the_id(self, tmp_path: Path) -> None:
        (tmp_path / "a.gguf").write_bytes(b"a")
        first = find_encoder(f"causal:{tmp_path}").id
        (tmp_path / "a.gguf").write_bytes(b"b")
        assert find_encoder(f"causal:{tmp_path}").id != first
        (tmp_path / "b.gguf").write_bytes(b"")
        with pytest.raises(UserError, match=r"has 2 \.gguf"):
            find_encoder(f"causal:{tmp_path}")

    def test_a_damaged_file_is_one_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.gguf").write_bytes(b"a")
        with pytest.raises(UserError, match="must hold a causal language model, but cannot be loaded"):
            find_encoder(f"causal:{tmp_path}").fit(["a"])
