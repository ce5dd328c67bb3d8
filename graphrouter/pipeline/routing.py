"""The pipeline: text in, decisions out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.config import hyperparameters, make_router
from graphrouter.dataset import Queries
from graphrouter.display import Displayed, listed
from graphrouter.encoders import Encoder, unit_rows
from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.pipeline.saved import encoder_config, read_folder, rebuild_encoder, write_folder
from graphrouter.prepared import PreparedLog, prepare, undivided
from graphrouter.routers import find_router
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.outside import code_of, installed_routers, reference_of
from graphrouter.run import RunOptions, provenance
from graphrouter.scenario import Scenario, find_scenario
from graphrouter.settings import to_plain
from graphrouter.splits import Split, by_query, query_groups
from graphrouter.typing import Array

Tasks = Sequence[str | None] | None

KEEP_FROM = 64
"""Queries in one call from which their vectors go to the disk cache; a file for each single query would be too many."""

LLM_COLUMNS = ("llm", "size_b", "input_price", "output_price")
"""Columns of an LLM that a pipeline saves."""

PLAIN = ("seed", "dimensions", "llms", "tasks", "log", "target", "provenance")
"""Fields that ``router.json`` holds as they are."""


@dataclass(frozen=True)
class Decision:
    """Where one query goes.

    Attributes:
        query: The text.
        task: Its task, or None.
        llm: The LLM that was chosen.
        scenario: Name of the scenario that it was chosen for.
        quality: Predicted performance of each LLM.
        cost: Predicted cost of each LLM in US dollars, None where not known.
        cost_estimated: Whether the costs that the router learnt from were estimates.
    """

    query: str
    task: str | None
    llm: str
    scenario: str
    quality: dict[str, float]
    cost: dict[str, float | None]
    cost_estimated: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as a JSON object."""
        return asdict(self)


@dataclass(eq=False, repr=False)
class RoutingPipeline(Displayed):
    """A router that takes text. `graphrouter.train` makes one.

    Attributes:
        router: Fitted.
        encoder: Fitted.
        dimensions: D, the length of the encoder's vectors.
        llms: One dict per LLM, in the order of predictions: ``llm, size_b, input_price, output_price``.
        tasks: Tasks that the router learnt from.
        cost_scale: Dollars of a normalised cost of 1; NaN where the log has no cost.
        seen_groups: [n] int64, sorted; the groups (see `graphrouter.splits.query_groups`) of all queries of the
            training and validation split. An evaluation leaves them out.
        log: ``name``, ``simulated`` and ``cost_estimated`` of the log.
        target: The column of the log that counts as performance.
        seed: Seed of the split and the router.
        provenance: Commit and versions; see `graphrouter.run.provenance`.
    """

    router: Router
    encoder: Encoder
    dimensions: int
    llms: list[dict[str, Any]]
    tasks: list[str]
    cost_scale: float
    seen_groups: Array
    log: dict[str, Any]
    target: str = "performance"
    seed: int = 0
    provenance: dict[str, Any] = field(default_factory=provenance)

    def facts(self) -> tuple[str, dict[str, object]]:
        """See `graphrouter.display.Displayed`."""
        settings = ", ".join(f"{name}={value}" for name, value in hyperparameters(self.router).items())
        return f"RoutingPipeline {self.router.name}", {
            "settings": settings or "none",
            "encoder": f"{self.encoder.spec}, {self.dimensions:,} dimensions",
            "LLMs": listed(self.llm_names),
            "trained on": f"{self.log['name']}, {len(self.tasks):,} tasks, seed {self.seed}",
        }

    @property
    def llm_names(self) -> tuple[str, ...]:
        """Names of the LLMs, in the order of the columns of predictions."""
        return tuple(llm["llm"] for llm in self.llms)

    def predict(self, texts: Sequence[str], tasks: Tasks = None, vectors: Array | None = None) -> Prediction:
        """Predict quality and cost [Q, M] of every LLM on new queries.

        Args:
            texts: Q queries.
            tasks: The task of each, None where not known; None for none at all.
            vectors: [Q, D], in place of the encoder's, for a router that was trained on vectors from the log.

        Raises:
            UserError: If an argument is malformed.
        """
        return self.router.predict(self.queries(texts, tasks, vectors))

    def route(
        self,
        texts: Sequence[str],
        tasks: Tasks = None,
        scenario: str = "performance_first",
        alpha: float | None = None,
        vectors: Array | None = None,
    ) -> list[Decision]:
        """Choose an LLM for each query; of equally good ones the first in the order of predictions.

        Args:
            texts: Q queries.
            tasks: As for `predict`.
            scenario: Name of a scenario.
            alpha: Weight of performance, in [0, 1], and 1 - alpha that of normalised cost; in place of a scenario.
            vectors: As for `predict`.

        Raises:
            UserError: If the scenario weighs cost and the router has learnt none, or an argument is malformed.
        """
        wanted = self.find_scenario(scenario, alpha)
        queries = self.queries(texts, tasks, vectors)
        if not len(queries):
            return []
        prediction, (utility,) = self.router.utilities(queries, [wanted], self.cost_scale)
        chosen = utility.argmax(axis=1)
        rows = zip(texts, queries.tasks, chosen, *map(np.ndarray.tolist, prediction), strict=True)
        return [self._decide(wanted.name, *row) for row in rows]

    def _decide(
        self, scenario: str, text: str, task: str | None, chosen: int, quality: list[float], cost: list[float]
    ) -> Decision:
        names = self.llm_names
        known = [dollars if isfinite(dollars) else None for dollars in cost]
        return Decision(
            query=text,
            task=task,
            llm=names[chosen],
            scenario=scenario,
            quality=dict(zip(names, quality, strict=True)),
            cost=dict(zip(names, known, strict=True)),
            cost_estimated=bool(self.log["cost_estimated"]),
        )

    def find_scenario(self, name: str, alpha: float | None = None) -> Scenario:
        """Return the scenario of a name or an alpha.

        Raises:
            UserError: If there is none, or this router cannot serve it.
        """
        found = find_scenario(name)
        if alpha is not None:
            if not 0 <= alpha <= 1:
                raise UserError(f"alpha must be within [0, 1], but is {alpha}")
            found = Scenario(f"alpha={alpha:g}", alpha, 1 - alpha, self.target)
        if found.target != self.target:
            raise UserError(
                f"scenario {name!r} needs a router trained on {found.target}, but this one learnt {self.target}"
            )
        if found.beta > 0 and not np.isfinite(self.cost_scale):
            raise UserError(
                f"scenario {found.name!r} weighs cost, but {self.log['name']} had none; train with --estimate-cost"
            )
        return found

    def queries(self, texts: Sequence[str], tasks: Tasks = None, vectors: Array | None = None) -> Queries:
        """Return texts as routers see them; the arguments are those of `predict`."""
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise UserError("queries must be a list of texts, but are something else; put a single text into a list")
        tasks = [None] * len(texts) if tasks is None else list(tasks)
        if len(tasks) != len(texts):
            raise UserError(
                f"there must be one task (or None) per query, but there are {len(tasks)} for {len(texts)} queries"
            )
        try:
            groups = query_groups(texts)
        except UnicodeEncodeError as error:
            raise UserError(
                f"queries must be valid Unicode, but one holds {error.object[error.start]!r}; mend it"
            ) from None
        if vectors is None:
            vectors = self.encoder.encode(texts, keep=len(texts) >= KEEP_FROM)
        else:
            vectors = unit_rows(np.atleast_2d(vectors))
        wanted = (len(texts), self.dimensions)
        if np.shape(vectors) != wanted and len(texts):
            raise UserError(
                f"the vectors must be of shape {wanted}, but are of {np.shape(vectors)}; use the encoder of the training"
            )
        if not np.isfinite(vectors).all():
            raise UserError("the vectors must be finite numbers, but some are not; mend them")
        return Queries(
            ids=np.array([str(row) for row in range(len(texts))], dtype=object),
            tasks=np.array(tasks, dtype=object),
            chars=np.array([len(text) for text in texts], dtype=np.float32),
            vectors=np.reshape(vectors, wanted),
            groups=groups,
        )

    def unseen(self, log: LLMLog) -> Array:
        """Return [Q] bool: which queries of a log are worded as none that this router was trained or validated on."""
        return ~np.isin(query_groups(log.queries["query"]), self.seen_groups)

    def extend(self, log: LLMLog) -> RoutingPipeline:
        """Take in the LLMs of a log that this router does not know, without learning anew what it has learnt.

        As in training, only the training part of the log (by `graphrouter.splits.by_query` and this router's seed) is
        learnt from; its queries count as seen from then on.

        Args:
            log: With every LLM that the router knows, and new ones; of those any number of outcomes, even none.

        Returns:
            A pipeline that routes between all LLMs of the log. This one stays as it is.

        Raises:
            UserError: If this kind of router cannot, or the log has no new LLM or lacks a known one.
        """
        known, there = list(self.llm_names), list(log.llm_names)
        new, gone = [name for name in there if name not in known], [name for name in known if name not in there]
        if not new or gone:
            lacks = f"lacks {', '.join(gone[:5])}" if gone else "has no new one"
            raise UserError(
                f"a log to extend a router with must hold the {len(known)} LLMs that it knows and new ones, but {log.name} "
                f"{lacks}; add them to its llms, or train on it"
            )
        log = log.with_target(self.target)
        train = self.prepare(log, by_query).train
        router = self.router
        for last, _ in enumerate(new, start=1):
            router = router.extend(train.take_llms([name for name in there if name in {*known, *new[:last]}]))
        return replace(
            self,
            router=router,
            llms=log.llms.select(LLM_COLUMNS).to_dicts(),
            seen_groups=np.union1d(self.seen_groups, train.queries.groups),
        )

    def prepare(
        self, log: LLMLog, split: Callable[[LLMLog, int], Split] = undivided, progress: bool = False
    ) -> PreparedLog:
        """Return a log, which has this router's target as performance, with the vectors of the fitted encoder.

        Raises:
            UserError: If the vectors are not of the length that the router knows.
        """
        prepared = prepare(log, self.encoder, seed=self.seed, split=split, progress=progress).vary(refit=False)
        dimensions = prepared.vectors[0].shape[1]
        if dimensions != self.dimensions:
            raise UserError(f"the vectors of {log.name} must have {self.dimensions} dimensions, but have {dimensions}")
        return prepared

    def save(self, folder: str | Path) -> Path:
        """Write ``router.json``, which is readable, and beside it a file with what was learnt.

        A router that is there is replaced: a reader finds the old one or the new one. Other files stay.

        Raises:
            UserError: If the folder holds other things than a saved router, or cannot be written.
        """
        about = {
            "router": self.router.name,
            **_own_code(type(self.router)),
            "hyperparameters": to_plain(hyperparameters(self.router)),
            "encoder": encoder_config(self.encoder),
            "cost_scale": self.cost_scale if np.isfinite(self.cost_scale) else None,
            **{name: getattr(self, name) for name in PLAIN},
        }
        states = {
            "router": self.router.get_state(),
            "encoder": self.encoder.get_state(),
            "seen_groups": self.seen_groups,
        }
        return write_folder(Path(folder), about, states)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        encoder: str | None = None,
        run: RunOptions | None = None,
        router: str | type[Router] | None = None,
    ) -> RoutingPipeline:
        """Read a saved router; it predicts what it predicted before, bit for bit.

        Args:
            folder: From `save`.
            encoder: Where the encoder is now, if it was a folder that has moved.
            run: Where to run.
            router: Class of a router from outside the package, or ``FILE.py:CLASS``. The folder names its file, but the
                code of a file is not run unasked.

        Raises:
            UserError: If the folder holds no whole router of this version, or its encoder is gone or another.
        """
        run = run or RunOptions()
        about, state = read_folder(Path(folder))
        try:
            kind = _class_of(about, router, folder)
            made = make_router(kind, about["hyperparameters"], f"{folder}/router.json")
            made.seed, made.run = about["seed"], run
            scale = about["cost_scale"]
            return cls(
                router=made.set_state(state["router"]),
                encoder=rebuild_encoder(about["encoder"], state["encoder"], encoder, run.device),
                cost_scale=float("nan") if scale is None else scale,
                seen_groups=state["seen_groups"],
                **{name: about[name] for name in PLAIN},
            )
        except UserError:
            raise
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError, IndexError) as error:
            raise UserError(
                f"{folder} must be a router saved by this version, but does not fit: {error!r}; train it again"
            ) from None


def _own_code(kind: type[Router]) -> dict[str, dict[str, str]]:
    """Return the entry in ``router.json`` for the code of a router from outside the package."""
    code = code_of(kind)
    return {"code": {"of": reference_of(kind), "sha256": code}} if code else {}


def _class_of(about: dict[str, Any], given: str | type[Router] | None, folder: str | Path) -> type[Router]:
    """Return the class of a saved router.

    Raises:
        UserError: If it is from outside the package and not given, or another is given.
    """
    name, code = about["router"], about.get("code")
    if given is None and code and name not in installed_routers():
        raise UserError(
            f"{folder} holds {name!r}, a router of your own from {code['of']}, whose code is not run unasked; name it again, "
            "as --code FILE.py:CLASS, or in Python as router=CLASS"
        )
    kind = find_router(name if given is None else given) if not isinstance(given, type) else given
    if kind.name != name:
        raise UserError(f"{folder} holds the router {name!r}, but {kind.name!r} was given; give its class")
    if code and code_of(kind) != code["sha256"]:
        warnings.warn(f"{code['of']} has changed since {folder} was saved; train it again if it counts", stacklevel=3)
    return kind
