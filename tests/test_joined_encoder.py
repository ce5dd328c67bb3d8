from copy import copy
from pathlib import Path

import numpy as np
import pytest

from graphrouter.encoders import JoinedEncoder, TfidfEncoder, find_encoder, find_encoders
from graphrouter.encoders.seen import SeenQueries
from graphrouter.errors import UserError
from graphrouter.pipeline import RoutingPipeline, train
from graphrouter.prepared import prepare
from graphrouter.splits import by_query, query_groups
from graphrouter.testing import make_log

MODEL = Path(__file__).parent / "models" / "mini-0.1m"
BOTH = f"tfidf:4 + causal:{MODEL}:layers=2:pooling=mean:tokens=512"
TEXTS = ["What is 1 + 2?", "Name a river.", "What is a river?", "Add 3 to 4, and name the sum."]


@pytest.fixture(autouse=True)
def _cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHROUTER_CACHE", str(tmp_path / "cache"))


def test_each_part_has_the_same_weight() -> None:
    joined = find_encoder(BOTH, "cpu").fit(TEXTS)
    parts = [find_encoder(one, "cpu").fit(TEXTS).encode(TEXTS) for one in BOTH.split(" + ")]
    vectors = joined.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, np.hstack(parts) / np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert joined.spec == BOTH
    assert joined.learns


def test_a_fit_leaves_the_encoder_that_was_copied_as_it_was() -> None:
    unfitted = find_encoder("tfidf:2 + tfidf:3")
    first, second = copy(unfitted).fit(TEXTS[:3]), copy(unfitted).fit(TEXTS[1:])
    assert first.id != second.id
    assert unfitted.id == "tfidf:2 + tfidf:3"
    with pytest.raises(UserError, match="must be fitted"):
        unfitted.encode(TEXTS)


def test_the_state_gives_the_same_bits() -> None:
    fitted = find_encoder(BOTH, "cpu").fit(TEXTS)
    again = find_encoder(BOTH, "cpu").set_state(fitted.get_state())
    assert again.id == fitted.id
    np.testing.assert_array_equal(again.encode(TEXTS), fitted.encode(TEXTS))
    assert JoinedEncoder([find_encoder("a/b"), find_encoder("a/c")]).get_state() == {}


def test_a_saved_router_routes_the_same(tmp_path: Path) -> None:
    pipeline = train(make_log(20), "knn", BOTH)
    again = RoutingPipeline.load(pipeline.save(tmp_path / "router"))
    assert again.route(TEXTS) == pipeline.route(TEXTS)


def test_vectors_that_are_given_are_refused() -> None:
    with pytest.raises(UserError, match="join the arrays yourself"):
        find_encoder("tfidf + log")
    with pytest.raises(UserError, match="an encoder must be"):
        find_encoder("tfidf + tfdif")


def test_every_combination_of_each_layer_is_named() -> None:
    specs = [encoder.spec for encoder in find_encoders(f"tfidf:8 + causal:{MODEL}:layers=each", "cpu")]
    assert len(set(specs)) == 6
    assert all(spec.startswith("tfidf:8 + causal:") for spec in specs)


def test_what_a_part_was_fine_tuned_on_counts() -> None:
    log = make_log()
    groups, split = query_groups(log.queries["query"]), by_query(log, 1)

    class Tuned(TfidfEncoder):
        seen = (SeenQueries(log.name, 1, tuple(groups[split.train].tolist()), (), {}),)

    encoder = JoinedEncoder([TfidfEncoder(4), Tuned(4)])
    assert prepare(log, encoder, seed=1).vectors[0].shape[1] == 8
    with pytest.raises(UserError, match="split of seed 1"):
        prepare(log, encoder, seed=2)
