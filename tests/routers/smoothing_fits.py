"""Quick fits of the smoothing router, shared by its tests."""

import torch

from graphrouter.metrics import nll
from graphrouter.routers.smoothing import Smoothing
from graphrouter.run import RunOptions

FAST = {
    "neighbours": 30,
    "folds": 3,
    "members": 2,
    "hidden": 8,
    "rank": 4,
    "dropout": 0.2,
    "steps": 120,
    "batch_size": 32,
    "learning_rate": 1e-2,
}


def make(kind, **settings):
    """Return a router. No user may ask for 0 steps, but a test may look at what is there before training."""
    router = kind(**{**settings, "steps": max(settings["steps"], 1)})
    router.steps = settings["steps"]
    return router


def fitted(parts, checkpoint=None, **settings):
    """Return a smoothing that learnt from train and validation."""
    router = make(Smoothing, **{**FAST, **settings})
    router.run = RunOptions(device="cpu", checkpoint=checkpoint)
    return router.fit(parts.train, parts.validation)


def evaluations_of(parts, file, **settings):
    """Fit, and return what training noted of each evaluation: ``step``, ``train_loss``, ``validation_loss``."""
    fitted(parts, checkpoint=file, **settings)
    return torch.load(file, weights_only=True)["history"]


def train_losses(parts, file, **settings):
    """Fit, and return the training loss before each evaluation."""
    return [entry["train_loss"] for entry in evaluations_of(parts, file, **settings)]


def nll_on_test(router, parts):
    """Return how surprised a fitted router is by the outcomes of the test part."""
    return float(nll(router.predict(parts.test.queries).quality, parts.test.performance))
