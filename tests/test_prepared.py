import numpy as np
import pytest

from graphrouter.encoders import TfidfEncoder
from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.prepared import prepare, undivided
from graphrouter.routers import find_router
from graphrouter.scenario import fit_cost_scale
from graphrouter.splits import PARTS, Split, by_query
from graphrouter.testing.logs import make_log


class CountingEncoder(TfidfEncoder):
    """Counts what it is fitted on and how often it encodes."""

    def __init__(self) -> None:
        super().__init__(4)
        self.fits, self.made = [], []

    def fit(self, texts):
        self.fits.append(list(texts))
        return super().fit(texts)

    def encode(self, texts, *, progress=False, keep=True):
        self.made.append(len(texts))
        return super().encode(texts, progress=progress, keep=keep)


@pytest.fixture(scope="module")
def log() -> LLMLog:
    return make_log(120)


def test_the_parts_are_those_of_the_split_and_the_scale_is_that_of_train(log):
    prepared, split = prepare(log, "tfidf:4", seed=3), by_query(log, 3)
    for part in PARTS:
        data = getattr(prepared, part)
        assert data.queries.ids.tolist() == log.queries["query_id"].gather(getattr(split, part)).to_list()
    assert prepared.cost_scale == fit_cost_scale(log.cells("cost")[split.train])
    assert prepared.training_log.queries.equals(log.take(split.train).queries)
    assert [scenario.name for scenario in prepared.scenarios] == ["performance_first", "balance", "cost_first"]


def test_the_encoder_learns_from_train_alone_and_the_given_one_stays_as_it_was(log):
    encoder = CountingEncoder()
    prepared = prepare(log, encoder)
    assert not encoder.made
    assert prepared.data.queries.vectors.shape == (120, 4)
    assert encoder.fits == [prepared.training_log.queries["query"].to_list()]
    assert not hasattr(encoder, "_fitted")


def test_vectors_of_training_queries_encode_no_other_query(log):
    encoder = CountingEncoder()
    prepared = prepare(log, encoder)
    np.testing.assert_array_equal(prepared.training_vectors, prepared.vectors[0][prepared.split.train])
    assert encoder.made == [len(prepared.split.train), 123]


def test_what_stays_the_same_is_not_encoded_again(log):
    encoder = CountingEncoder()
    prepared = prepare(log, encoder)
    hidden = np.zeros((120, 3), dtype=bool)
    hidden[prepared.split.train[:5]] = True
    fewer = prepared.vary(hidden=hidden, llms=("alpha", "beta"))
    assert len(fewer.train.queries) == len(prepared.train.queries) - 5
    assert (fewer.test.llms.names, fewer.cost_scale) == (("alpha", "beta"), prepared.cost_scale)
    assert len(encoder.fits) == 1
    np.testing.assert_array_equal(fewer.test.queries.vectors, prepared.test.queries.vectors)
    shown = prepared.vary(shown=prepared.split.train[:40])
    assert len(shown.train.queries) == 40
    assert shown.cost_scale == prepared.cost_scale
    other = prepared.vary(seed=1, split=by_query(log, 1))
    assert other.data.queries.vectors is not prepared.data.queries.vectors
    assert [len(texts) for texts in encoder.fits] == [len(prepared.split.train), 40, len(other.split.train)]
    assert len({one.identity for one in (prepared, fewer, shown, other)}) == 4


def test_vectors_that_are_given_are_shared_by_all_seeds(log):
    prepared = prepare(log, np.eye(120))
    assert prepared.vary(seed=1, split=by_query(log, 1)).data is prepared.data
    assert not prepared.learns


def test_a_function_gives_the_vectors_of_a_split_and_knows_no_other_texts(log):
    def position(log: LLMLog, split: Split) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(log.queries.height) * len(split.train), np.eye(3, log.queries.height)

    prepared = prepare(log, position)
    assert prepared.train.queries.vectors.max() == len(prepared.split.train)
    assert prepared.encoder_name.endswith("position")
    with pytest.raises(UserError, match="vectors from a function cannot be made for other texts"):
        prepared.fitted.encode(["x"])


def test_nothing_left_to_learn_from_is_refused(log):
    prepared, hidden = prepare(log, "tfidf:4"), np.zeros((120, 3), dtype=bool)
    hidden[prepared.split.validation] = True
    with pytest.raises(UserError, match="must have outcomes to fit on, but none is left in validation"):
        prepared.vary(hidden=hidden).validation  # noqa: B018
    with pytest.raises(UserError, match="the seed must be 0 or more, but is -1"):
        prepare(log, seed=-1)


def test_an_undivided_log_is_learnt_from_whole_even_where_it_does_not_divide(log):
    few = log.take(np.arange(3))
    assert len(prepare(few, "tfidf:2", split=undivided).train.queries) == 3


def test_texts_are_of_the_part_that_their_wording_is_in(log):
    prepared = prepare(log)
    row = int(prepared.split.test[0])
    assert prepared.parts_of([log.queries["query"][row].upper(), "never asked"]) == ["test", None]


def test_a_router_with_its_own_utility_is_linear_only_where_it_says_so():
    linear = {
        name for name in ("random", "static_mix", "kmeans", "gnn", "oracle", "mlp") if find_router(name).linear_utility
    }
    assert linear == {"random", "static_mix", "kmeans", "gnn", "oracle", "mlp"}
    assert not find_router("graphrouter").linear_utility
    assert [name for name in ("gnn", "smoothing", "mlp") if find_router(name).baseline] == ["smoothing", "mlp"]
