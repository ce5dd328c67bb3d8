"""SVM."""

import numpy as np

from graphrouter.routers import SVM
from graphrouter.testing import RouterContract, data_of

ANGLES = np.random.default_rng(0).uniform(0, 2 * np.pi, 200)
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


class TestSVM(RouterContract):
    router = SVM(components=40)

    def test_radial_kernel_bends_where_a_line_cannot(self):
        right = (VECTORS[:, 0] * VECTORS[:, 1] > 0).astype(float)[:, None]
        data = data_of(right, vectors=VECTORS)
        bent, straight = (
            SVM(kernel=kernel, c=1.0).fit(data, data).predict(data.queries).quality for kernel in ("rbf", "linear")
        )
        assert np.mean((bent > 0.5) == (right > 0.5)) > 0.95
        assert np.abs(straight - right.mean()).max() < 0.2


class TestLinearSVM(RouterContract):
    router = SVM(kernel="linear")

    def test_graded_performance_counts_like_as_many_draws(self):
        side = VECTORS[:, :1] > 0
        graded = np.where(side, 0.75, 0.25)
        drawn = np.where(side, np.array([1, 1, 1, 0])[:, None, None], np.array([0, 0, 0, 1])[:, None, None])
        one = data_of(graded, vectors=VECTORS)
        four = data_of(drawn.reshape(-1, 1), vectors=np.tile(VECTORS, (4, 1)))
        router = SVM(kernel="linear", c=1.0)
        first = router.fit(one, one)._scores(one.queries)
        second = SVM(kernel="linear", c=0.25).fit(four, one)._scores(one.queries)
        np.testing.assert_allclose(first, second, atol=1e-3)

    def test_llm_that_is_always_right_or_always_wrong_gets_its_mean(self):
        data = data_of(np.tile([1.0, 0.0], (200, 1)), vectors=VECTORS)
        quality = SVM(kernel="linear").fit(data, data).predict(data.queries).quality
        np.testing.assert_allclose(quality, np.tile([201 / 202, 1 / 202], (200, 1)), atol=1e-4)
