from pathlib import Path

import numpy as np
import pytest

from graphrouter.evaluation.store import (
    ENDS,
    Predictions,
    predictions_file,
    read_predictions,
    write_predictions,
)
from graphrouter.scenario import SCENARIOS

CHOSEN = [SCENARIOS["performance_first"], SCENARIOS["balance"]]
SCALE = 0.3


def made(judged: np.ndarray, quality: np.ndarray, cost: np.ndarray, swept: bool) -> Predictions:
    rewards = [one.reward(judged.astype(np.float64), cost, SCALE) for one in (*CHOSEN, *ENDS)]
    utility = dict(zip((one.name for one in CHOSEN), rewards, strict=False))
    return Predictions(quality, cost, utility, {}, np.stack(rewards[2:]) if swept else None)


@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize(
    ("kind", "further"),
    [("plain", set()), ("careful", {"judged"}), ("own", {"utility/performance_first", "utility/balance"})],
)
def test_what_is_predicted_is_read_back_digit_for_digit(tmp_path: Path, kind: str, further: set, swept: bool) -> None:
    random = np.random.default_rng(0)
    quality, cost = random.random((50, 3)).astype(np.float32), random.random((50, 3))
    done = made(quality - np.float32(0.1) if kind == "careful" else quality, quality, cost, swept)
    if kind == "own":
        done.utility["balance"][:] = random.random((50, 3))
    write_predictions(tmp_path, done, CHOSEN, SCALE)
    again = read_predictions(tmp_path, CHOSEN, SCALE)
    assert np.array_equal(again.quality, quality)
    assert np.array_equal(again.cost, cost)
    assert all(np.array_equal(again.utility[name], done.utility[name]) for name in done.utility)
    assert (again.ends is None) == (not swept)
    assert not swept or np.array_equal(again.ends, done.ends)
    if kind != "careful" or swept:
        kept = set(np.load(predictions_file(tmp_path)).files) - {"quality", "cost", "swept", "ends"}
        assert kept == further
