"""The GNN router: what it may see in training, what its messages carry, and what is kept of it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gnn_fits import FAST, fitted

from graphrouter import training
from graphrouter.config import make_router
from graphrouter.nn.losses import LOSSES
from graphrouter.pipeline import train
from graphrouter.routers import GNN
from graphrouter.routers.gnn.objective import TrainingObjective, ValidationObjective
from graphrouter.run import RunOptions
from graphrouter.testing import Parts, RouterContract, data_of, make_log, make_parts

REPO = Path(__file__).parents[2]


class TestGNN(RouterContract):
    router = GNN(**FAST)


@pytest.fixture(scope="module")
def parts():
    return make_parts(make_log())


@pytest.fixture(scope="module")
def router(parts):
    return fitted(parts)


PLACES = {"neighbours": 10, "steps": 200, "dropout": 0.5}


@pytest.fixture(scope="module")
def places():
    """One task; queries lie at 60 places, five at each, and what is right there is a coin's word: only a neighbour tells."""
    random = np.random.default_rng(0)
    right, place = (np.repeat(one, 5, axis=0) for one in (random.random((60, 4)) < 0.5, random.normal(size=(60, 16))))
    order = random.permutation(300)
    data = data_of(right[order], vectors=place[order])
    return Parts(*(data.take(rows) for rows in np.split(np.arange(300), [200, 250])))


def history(parts, file, **settings):
    """Fit, and return what training noted of each evaluation."""
    router = GNN(**{**FAST, **settings})
    router.run = RunOptions(device="cpu", checkpoint=file)
    router.fit(parts.train, parts.validation)
    return torch.load(file, weights_only=True)["history"]


class TestSettings:
    @pytest.mark.parametrize(
        "settings",
        [{"loss": loss} for loss in LOSSES]
        + [{"relations": names} for names in ([], ["belongs_to"], ["similar_to"])]
        + [{"metric": 0}, {"task_label": False}, {"task_dropout": 1.0}, {"members": 1}],
        ids=str,
    )
    def test_it_trains(self, parts, tmp_path, settings):
        losses = [entry["train_loss"] for entry in history(parts, tmp_path / "state.pt", **settings)]
        assert np.isfinite(losses).all()
        assert np.mean(losses[-2:]) < losses[0]

    def test_each_loss_is_another(self, parts, tmp_path):
        first = {history(parts, tmp_path / loss, steps=20, loss=loss)[0]["train_loss"] for loss in LOSSES}
        assert len(first) == len(LOSSES)

    def test_without_relations_the_label_is_left(self, parts):
        router, queries = fitted(parts, relations=[]), parts.test.queries
        assert not hasattr(router.module_, "attention")
        assert router.graph_.asked(queries).near is None
        elsewhere = replace(queries, tasks=np.full(len(queries), "history", dtype=object))
        assert np.abs(router.predict(elsewhere).quality - router.predict(queries).quality).max() > 0.01

    def test_without_belongs_to_no_task_has_an_expectation_of_its_own(self, parts):
        means = fitted(parts, steps=20, relations=["similar_to"]).graph_.all.means
        assert torch.equal(means, means[:, -1:].expand_as(means))

    def test_without_the_label_only_the_expectation_tells_the_task(self, parts):
        router = fitted(parts, task_label=False, relations=["similar_to"])
        queries = parts.test.queries
        elsewhere = replace(queries, tasks=np.full(len(queries), "history", dtype=object))
        np.testing.assert_array_equal(router.predict(elsewhere).quality, router.predict(queries).quality)


class TestHiddenOutcomes:
    """A step's queries must be predicted from the others alone."""

    @staticmethod
    def see(data, batch):
        """Return the logits of a batch [B] in a training step, the output costs, the means that it is told, and who is hidden."""
        router = fitted(Parts(data, data, data), steps=1, batch_size=4)
        # The network is that of the first data in all cases, and no dropout hides a leak.
        torch.manual_seed(0)
        module = router.build(**router.sizes_).eval()
        with torch.no_grad():
            module.gates.gate.weight.normal_()
        graph = router.graph_
        objective = TrainingObjective(module, graph, "soft", 0.1, 0.5)
        hidden = torch.isin(graph.group, graph.group[batch])
        torch.manual_seed(1)
        asked, logged = objective._asked(batch, hidden), graph.logged(hidden)
        with torch.no_grad():
            logits, cost = module(asked, logged)
        return logits, cost, logged.means, hidden

    def test_no_own_outcome_and_none_of_the_text_group_reaches_a_prediction(self, parts):
        data = parts.train.sorted()
        groups, first, count = np.unique(data.queries.groups, return_index=True, return_counts=True)
        batch, hidden = torch.as_tensor(first[count > 1]), np.isin(data.queries.groups, groups[count > 1])
        assert 3 < len(batch) < hidden.sum(), "texts must occur twice, or the test says less"
        before = self.see(data, batch)
        assert np.array_equal(before[3].numpy(), hidden)
        changed = self.see(self.flipped(data, hidden), batch)
        for name, old, new in zip(("logits", "output costs", "means"), before, changed, strict=False):
            assert torch.equal(old, new), name
        others = self.see(self.flipped(data, ~hidden), batch)
        assert not torch.equal(before[0], others[0])
        assert not torch.equal(before[2], others[2])

    def test_no_own_cost_shows_in_the_unit_of_costs(self, parts):
        data = parts.train.sorted()
        batch = torch.arange(4)
        hidden = np.isin(data.queries.groups, data.queries.groups[:4])
        before = self.see(data, batch)
        for llm in range(len(data.llms)):
            scale = np.where(hidden, 3.0, 1.0)[:, None] ** (np.arange(len(data.llms)) == llm)
            dearer = replace(
                data, cost=data.cost * scale, output_tokens=(data.output_tokens * scale).astype(np.float32)
            )
            for name, old, new in zip(
                ("logits", "output costs", "means"), before, self.see(dearer, batch), strict=False
            ):
                torch.testing.assert_close(old, new, rtol=1e-5, atol=1e-5, msg=name)

    @staticmethod
    def flipped(data, rows):
        return replace(data, performance=np.where(rows[:, None], 1 - data.performance, data.performance))

    def test_some_queries_without_their_task_see_no_neighbour_of_it(self, router):
        graph = router.graph_
        objective = TrainingObjective(router.module_, graph, "soft", 0.1, 1.0)
        batch, nobody = torch.arange(40), torch.zeros(len(graph.x), dtype=torch.bool)
        asked = objective._asked(batch, nobody)
        assert (asked.task == len(graph.tasks_)).all()
        seen = ~asked.near.cosine.isinf()
        same = graph.task[asked.near.rows] == graph.task[batch, None]
        sees_own_task = (seen & same).any(dim=1)
        assert 0 < sees_own_task.sum() < len(batch)


class TestMessages:
    def test_an_outcome_of_a_neighbour_with_the_same_vector_is_found(self, places):
        error = {}
        for names in (("belongs_to", "similar_to"), ("belongs_to",)):
            quality = fitted(places, **PLACES, relations=list(names)).predict(places.test.queries).quality
            error[names] = np.abs(quality - places.test.performance).mean()
        assert error["belongs_to", "similar_to"] < 0.2
        assert error["belongs_to", "similar_to"] < error[("belongs_to",)] - 0.1

    def test_a_query_without_its_task_is_told_the_expectation_of_its_neighbours_tasks(self, router, parts):
        queries = parts.test.queries
        asked = router.graph_.asked(replace(queries, tasks=np.full(len(queries), None, dtype=object)))
        logged, module = router.graph_.all, router.module_
        with torch.no_grad():
            weights = module.attend(asked, logged)
            prior, cost = module._inferred(weights, asked, logged, *logged.means[:, asked.task])
        for member in range(FAST["members"]):
            for row in (0, 5):
                share = weights[member, row].mean(dim=0)
                tasks = logged.task[asked.near.rows[row]]
                wanted = share[:-1] @ logged.means[0][tasks] + share[-1] * logged.means[0][-1]
                np.testing.assert_allclose(prior[member, row], wanted, atol=1e-5)
        assert cost.shape == prior.shape[1:]

    def test_more_neighbours_than_logged_queries(self, parts):
        many = fitted(parts, neighbours=1000, steps=40)
        assert many.graph_.asked(parts.test.queries).near.rows.shape[1] == len(parts.train.queries)
        assert np.isfinite(many.predict(parts.test.queries).quality).all()

    def test_one_query_per_task(self):
        random = np.random.default_rng(0)
        data = data_of(
            random.random((90, 3)) < 0.5,
            vectors=random.normal(size=(90, 8)),
            tasks=[f"task {row}" for row in range(90)],
        )
        parts = Parts(*(data.take(rows) for rows in np.split(np.arange(90), [60, 75])))
        quality = fitted(parts, steps=40).predict(parts.test.queries).quality
        assert ((quality > 0) & (quality < 1)).all()


class TestMix:
    def test_the_share_of_the_graph_is_the_best_on_validation(self, router, parts):
        validate = ValidationObjective(router.module_, router.graph_, parts.validation, 16)
        chosen = float(router.module_.mix)
        losses = {}
        with torch.no_grad():
            for share in np.linspace(0, 1, 21):
                router.module_.mix.fill_(share)
                losses[round(float(share), 2)] = validate()
            validate.choose_mix()
        assert float(router.module_.mix) == pytest.approx(chosen)
        assert losses[round(chosen, 2)] == pytest.approx(min(losses.values()), abs=1e-6)
        assert max(losses.values()) > min(losses.values())

    def test_the_paths_alone_are_the_ends_of_it(self, router, parts):
        with torch.no_grad():
            logits = router.module_(router.graph_.asked(parts.test.queries), router.graph_.all)[0]
            assert len(logits) == 2
            chosen = float(router.module_.mix)
            ends = []
            for share in (1.0, 0.0):
                router.module_.mix.fill_(share)
                ends.append(router.module_.quality(logits))
            router.module_.mix.fill_(chosen)
        assert torch.equal(torch.stack(ends), torch.sigmoid(logits))


class TestNewLLM:
    def test_its_own_outcomes_on_similar_queries_move_its_prediction(self, places):
        known = fitted(Parts(*(part.take_llms(["llm0", "llm1", "llm2"]) for part in places)), **PLACES)
        assert float(known.module_.mix) > 0
        quality = known.extend(places.train).predict(places.test.queries).quality
        opposite = places.train.performance.copy()
        opposite[:, 3] = 1 - opposite[:, 3]
        turned = known.extend(replace(places.train, performance=opposite)).predict(places.test.queries).quality
        right = places.test.performance[:, 3] > 0.5
        assert quality[right, 3].mean() > quality[~right, 3].mean() + 0.1
        assert turned[right, 3].mean() < turned[~right, 3].mean() - 0.1
        np.testing.assert_array_equal(quality[:, :3], turned[:, :3])


class TestKept:
    @pytest.mark.parametrize("evaluations_before_cut", [1, 3])
    def test_resume_gives_identical_weights(self, parts, router, tmp_path, monkeypatch, evaluations_before_cut):
        file, save, left = tmp_path / "state.pt", training._save_checkpoint, [evaluations_before_cut]

        def cut(*state):
            save(*state)
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

        monkeypatch.setattr(training, "_save_checkpoint", cut)
        with pytest.raises(KeyboardInterrupt):
            history(parts, file)
        monkeypatch.undo()
        resumed = GNN(**FAST)
        resumed.run = RunOptions(device="cpu", checkpoint=file)
        resumed.fit(parts.train, parts.validation)
        np.testing.assert_equal(resumed.get_state(), router.get_state())

    def test_a_new_process_says_the_same_bits(self, tmp_path):
        log = make_log(120, draws=2, missing=0.1, without_task=0.1)
        pipeline = train(log, make_router("gnn", {**FAST, "steps": 40}), "tfidf:8")
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
