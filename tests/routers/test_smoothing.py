import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from smoothing_fits import FAST, fitted, train_losses

from graphrouter import training
from graphrouter.config import make_router
from graphrouter.errors import UserError
from graphrouter.metrics import nll
from graphrouter.nn.edge_decoder import TERMS
from graphrouter.nn.losses import LOSSES
from graphrouter.nn.messages import RELATIONS
from graphrouter.pipeline import train
from graphrouter.routers.smoothing import Smoothing
from graphrouter.routers.smoothing import router as smoothing_module
from graphrouter.testing import RouterContract, make_log, make_parts

REPO = Path(__file__).parents[2]


class TestSmoothing(RouterContract):
    router = Smoothing(**FAST)


@pytest.fixture(scope="module")
def parts():
    return make_parts(make_log())


VARIANTS = (
    [{"loss": loss} for loss in LOSSES]
    + [{"relations": [name for name in RELATIONS if name != off]} for off in RELATIONS]
    + [{"relations": []}]
    + [{"terms": [name for name in TERMS if name != off]} for off in TERMS]
    + [{"terms": [only]} for only in TERMS]
    + [{"edge_attributes": False}]
    + [{"llm_features": names} for names in ([], ["description"], ["learned", "description"])]
)


class TestSwitches:
    @pytest.mark.parametrize("settings", VARIANTS, ids=str)
    def test_it_still_trains(self, parts, tmp_path, settings):
        losses = train_losses(parts, tmp_path / "state.pt", steps=160, **settings)
        assert np.isfinite(losses).all()
        assert np.mean(losses[-3:]) < losses[0]

    def test_each_loss_is_another(self, parts, tmp_path):
        first = {train_losses(parts, tmp_path / loss, steps=20, loss=loss)[0] for loss in LOSSES}
        assert len(first) == len(LOSSES)

    def test_the_network_has_what_was_asked_for(self, parts):
        router = fitted(parts, steps=0, terms=["prior"], relations=["belongs_to"], scales=[9.0], members=3)
        assert router.module_.sizes.terms == ["prior"]
        assert not router.module_.from_llms
        assert list(fitted(parts, steps=0).module_.from_llms) == ["rev_answered_by"]
        assert router.module_.head.gate.shape == (3, 1, 0)
        assert fitted(parts, steps=0, scales=[9.0]).module_.head.gate.shape[2] == 1
        prior = router.graph_.inputs(parts.test.queries).prior.numpy()
        np.testing.assert_allclose(router.predict(parts.test.queries).quality, prior.clip(0.01, 0.99), atol=1e-6)


def test_one_neighbour_carries_something(parts):
    graph = fitted(parts, neighbours=1, steps=20).graph_
    assert graph.inputs(parts.test.queries).residual.abs().max() > 0


class TestFeaturesOfLLMs:
    GOLDEN = ([0.110204, 0.917655, 0.590805], [0.099387, 0.906456, 0.663308], [0.109648, 0.906786, 0.757984])

    def test_the_default_is_what_it_was(self, parts):
        router = fitted(parts)
        quality = router.predict(parts.test.queries).quality
        np.testing.assert_allclose(quality[[0, 7, 20]], self.GOLDEN, atol=2e-5)

    def test_states_are_made_of_what_was_asked_for(self, parts):
        states = {}
        for names in ([], ["learned"], ["description"], ["learned", "description"]):
            module = fitted(parts, steps=0, llm_features=names).module_
            states[len(names), "learned" in names] = module.llm_states()
            assert ("llm" in module.state_dict()) == ("learned" in names)
            assert ("description" in module.state_dict()) == ("description" in names)
        assert not states[0, False].any()
        # The descriptions are unit vectors: less their mean, they point away from each other.
        told = states[1, False]
        np.testing.assert_allclose(told.mean(dim=1).detach(), 0, atol=1e-6)
        assert (told[:, 0] - told[:, 1]).abs().max() > 0.1
        assert (states[2, True] - states[1, True]).abs().max() > 0.1

    @pytest.mark.parametrize("names", [[], ["description"]], ids=str)
    def test_other_features_learn_and_are_saved(self, parts, names):
        router = fitted(parts, llm_features=names, steps=400, terms=["bilinear"])
        quality = router.predict(parts.test.queries).quality
        assert quality.std(axis=0).min() > 0.02
        loaded = Smoothing(**{**FAST, "llm_features": names, "terms": ["bilinear"]}).set_state(router.get_state())
        np.testing.assert_array_equal(loaded.predict(parts.test.queries).quality, quality)


class TestCheckpoint:
    @pytest.mark.parametrize("evaluations_before_cut", [1, 3])
    def test_resume_gives_identical_weights(self, parts, tmp_path, monkeypatch, evaluations_before_cut):
        file, save, left = tmp_path / "state.pt", training._save_checkpoint, [evaluations_before_cut]

        def cut(*state):
            save(*state)
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

        whole = fitted(parts)
        monkeypatch.setattr(training, "_save_checkpoint", cut)
        with pytest.raises(KeyboardInterrupt):
            fitted(parts, checkpoint=file)
        monkeypatch.undo()
        assert len(torch.load(file, weights_only=True)["history"]) == evaluations_before_cut
        resumed = fitted(parts, checkpoint=file)
        np.testing.assert_equal(resumed.get_state(), whole.get_state())
        np.testing.assert_array_equal(
            resumed.predict(parts.test.queries).quality, whole.predict(parts.test.queries).quality
        )

    @pytest.mark.parametrize(
        "settings", [{"loss": "listwise"}, {"dropout": 0.1}, {"neighbours": 5}, {"seed": 1}, {"steps": 60}], ids=str
    )
    def test_the_checkpoint_of_another_setting_is_refused(self, parts, tmp_path, settings):
        fitted(parts, checkpoint=tmp_path / "state.pt", steps=40)
        with pytest.raises(UserError, match="same data, config and seed"):
            fitted(parts, checkpoint=tmp_path / "state.pt", **{"steps": 40, **settings})

    def test_the_checkpoint_of_another_log_is_refused(self, parts, tmp_path):
        fitted(parts, checkpoint=tmp_path / "state.pt", steps=40)
        with pytest.raises(UserError, match="same data, config and seed"):
            fitted(make_parts(make_log(seed=1)), checkpoint=tmp_path / "state.pt", steps=40)


class TestPredict:
    def test_it_predicts_as_at_its_best_validation(self, parts, tmp_path):
        router = fitted(parts, checkpoint=tmp_path / "state.pt")
        history = torch.load(tmp_path / "state.pt", weights_only=True)["history"]
        quality = router.predict(parts.validation.queries).quality
        best = min(entry["validation_loss"] for entry in history)
        assert float(nll(quality, parts.validation.performance)) == pytest.approx(best, abs=1e-6)

    def test_another_seed_gives_another_result(self, parts):
        first, second = (fitted(parts, seed=seed).predict(parts.test.queries).quality for seed in (0, 1))
        assert not np.array_equal(first, second)

    def test_the_size_of_chunks_does_not_matter(self, parts, monkeypatch):
        router = fitted(parts)
        whole = router.predict(parts.test.queries)
        monkeypatch.setattr(smoothing_module, "CHUNK", 7)
        chunked = router.predict(parts.test.queries.take(np.arange(len(parts.test.queries))))
        np.testing.assert_allclose(chunked.quality, whole.quality, atol=1e-6)
        np.testing.assert_allclose(chunked.cost, whole.cost, rtol=1e-5)

    def test_no_query_no_prediction(self, parts):
        quality, cost = fitted(parts, steps=20).predict(parts.test.queries.take(np.arange(0)))
        assert quality.shape == cost.shape == (0, 3)

    def test_no_step_gives_the_untrained_network(self, parts):
        quality = fitted(parts, steps=0).predict(parts.test.queries).quality
        assert ((quality > 0) & (quality < 1)).all()

    def test_a_router_that_is_fitted_again_forgets_what_it_said(self, parts):
        router, queries = fitted(parts), parts.test.queries
        before = router.predict(queries).quality
        turned = replace(parts.train, performance=1 - parts.train.performance)
        router.fit(turned, parts.validation)
        assert np.abs(router.predict(queries).quality - before).max() > 0.1

    def test_a_new_process_says_the_same_bits(self, tmp_path):
        log = make_log(120, draws=2, missing=0.1, without_task=0.1)
        pipeline = train(log, make_router("smoothing", FAST), "tfidf:8")
        folder, texts = pipeline.save(tmp_path / "router"), ["algebra question 12345", "history question 4", "neither"]
        code = (
            "import sys, json; from graphrouter import RoutingPipeline; p = RoutingPipeline.load(sys.argv[1]); "
            "t = json.loads(sys.argv[2]); q, c = p.predict(t, ['algebra', None, 'unheard']); "
            "print(q.tobytes().hex(), c.tobytes().hex(), *(d.llm for d in p.route(t, scenario='balance')))"
        )
        arguments = [sys.executable, "-c", code, str(folder), json.dumps(texts)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=REPO)
        quality, cost = pipeline.predict(texts, ["algebra", None, "unheard"])
        chosen = [decision.llm for decision in pipeline.route(texts, scenario="balance")]
        assert done.stdout.split() == [quality.tobytes().hex(), cost.tobytes().hex(), *chosen]
