"""A log made ready for routers: divided, encoded, and with its costs on one scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from graphrouter.dataset import RoutingData, llm_texts
from graphrouter.display import Displayed, listed
from graphrouter.encoders import Encoder, encoder_of
from graphrouter.errors import UserError
from graphrouter.identity import digest_of, log_digest
from graphrouter.log import LLMLog, LogLike, load_log
from graphrouter.scenario import Scenario, choose_scenarios, fit_cost_scale
from graphrouter.splits import PARTS, Split, by_query, query_groups
from graphrouter.typing import Array

Encode = Callable[[LLMLog, Split], tuple[Array, Array]]
"""Log and split -> vectors [Q, D] of its queries and [M, D] of its LLMs."""


@dataclass(frozen=True, eq=False, repr=False)
class PreparedLog(Displayed):
    """A log with a split and an encoder: all that a router is fitted on and scored by. `prepare` makes one.

    Everything below the attributes is computed when it is first asked for, and once: what needs only the split or only the
    vectors of training queries costs no more than that.

    Attributes:
        log: The whole log, with the scenarios' target as performance.
        split: Rows of train, validation and test.
        seed: Seed of the split, and of the routers that are fitted on it.
        encoder: Makes the vectors, and is not fitted itself, see `fitted`; or a function from log and split to vectors.
        scenarios: Scenarios that routers are tuned and scored for; all of one target.
        shown: [n] int64, rows of the training part that routers learn from; None for all of it.
        hidden: [Q, M] bool, outcomes of train and validation that routers do not get; None for none.
        llms: Names of the LLMs that are routed between, in the log's order; None for all of them.
        refit: Whether the encoder learns from the training queries; False for one that was fitted elsewhere.
        known_scale: Cost scale that results of before were made with; None to fit it.
        progress: Whether encoding shows a bar.
        base: The same log prepared otherwise, see `vary`; what is the same is taken from there.
    """

    log: LLMLog
    split: Split
    seed: int
    encoder: Encoder | Encode
    scenarios: tuple[Scenario, ...]
    shown: Array | None = None
    hidden: Array | None = None
    llms: tuple[str, ...] | None = None
    refit: bool = True
    known_scale: float | None = None
    progress: bool = False
    base: PreparedLog | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UserError(f"the seed must be 0 or more, but is {self.seed}")
        for seen in self.encoder.seen if isinstance(self.encoder, Encoder) else ():
            seen.check(self.encoder_name, {name: self.groups[getattr(self.split, name)] for name in PARTS})

    def facts(self) -> tuple[str, dict[str, object]]:
        """See `graphrouter.display.Displayed`."""
        sizes = ", ".join(f"{len(getattr(self.split, part)):,} {part}" for part in PARTS)
        return f"PreparedLog {self.log.name}", {
            "queries": f"{sizes}, seed {self.seed}",
            "LLMs": listed(self.llms or self.log.llm_names),
            "encoder": self.encoder_name,
            "scenarios": listed([scenario.name for scenario in self.scenarios]),
        }

    @property
    def target(self) -> str:
        """Column of the log that counts as performance."""
        return self.scenarios[0].target

    @property
    def learnt_rows(self) -> Array:
        """[n] int64, the rows that routers and the encoder learn from."""
        return self.split.train if self.shown is None else self.shown

    @cached_property
    def training_log(self) -> LLMLog:
        """Log of the training queries only."""
        return self.log.take(self.split.train)

    @cached_property
    def known_log(self) -> LLMLog:
        """Log of the training and validation queries."""
        return self.log.take(np.sort(np.concatenate([self.split.train, self.split.validation])))

    @cached_property
    def test_log(self) -> LLMLog:
        """Log of the test queries only."""
        return self.log.take(self.split.test)

    @cached_property
    def groups(self) -> Array:
        """[Q] int64, equal for queries of equal normalised text."""
        return query_groups(self.log.queries["query"]) if self.base is None else self.base.groups

    @cached_property
    def fitted(self) -> Encoder:
        """Encoder, fitted on the training queries.

        Raises:
            UserError: If the vectors come from a function, which knows no other texts.
        """
        if not isinstance(self.encoder, Encoder):
            raise UserError("vectors from a function cannot be made for other texts; name an encoder")
        if self._encoded is not self:
            return self._encoded.fitted
        if not self.refit:
            return self.encoder
        texts = self.log.queries["query"].gather(self.learnt_rows).to_list()
        self.encoder.precompute(texts, progress=self.progress)
        return copy(self.encoder).fit(texts)

    @cached_property
    def vectors(self) -> tuple[Array, Array]:
        """Vectors [Q, D] of the queries and [M, D] of the log's LLMs."""
        if self._encoded is not self:
            return self._encoded.vectors
        if not isinstance(self.encoder, Encoder):
            return self.encoder(self.log, self.split)
        return self.fitted.encode_log(self.log, llm_texts(self.log), progress=self.progress)

    def precompute(self) -> None:
        """Make what of the vectors is the same for all splits, and keep it; what fails does so here, before work begins."""
        if not self.learns:
            self.vectors  # noqa: B018
        elif isinstance(self.encoder, Encoder) and self.refit:
            self.encoder.precompute([*self.log.queries["query"], *llm_texts(self.log)], progress=self.progress)

    @cached_property
    def training_vectors(self) -> Array:
        """[n, D], the vectors of the training queries, without those of any other."""
        return self.fitted.encode(self.training_log.queries["query"].to_list(), progress=self.progress)

    @cached_property
    def data(self) -> RoutingData:
        """Whole log as routers see it, in the log's row order, without what is hidden."""
        base = self.base
        if base and self._encoded is base._encoded and self.hidden is base.hidden and self.llms == base.llms:
            return base.data
        log = self.log if self.hidden is None else self.log.hide(self.hidden)
        data = RoutingData.from_log(log, *self.vectors, self.groups)
        return data if self.llms is None else data.take_llms(self.llms)

    @cached_property
    def train(self) -> RoutingData:
        """Part that routers learn from."""
        return self._with_outcomes("train", self.learnt_rows)

    @cached_property
    def validation(self) -> RoutingData:
        """Part that training is stopped and tuned on."""
        return self._with_outcomes("validation", self.split.validation)

    @cached_property
    def test(self) -> RoutingData:
        """Part that routers are scored on; the same queries whatever is hidden."""
        return self.data.take(self.split.test)

    @cached_property
    def cost_scale(self) -> float:
        """Dollars of a normalised cost of 1; NaN where the log has no cost.

        It is fitted on the whole training part and all LLMs, so that rewards are in the same currency whatever is hidden.
        """
        return (
            fit_cost_scale(self.log.cells("cost")[self.split.train]) if self.known_scale is None else self.known_scale
        )

    @cached_property
    def vectors_id(self) -> str:
        """Text that the vectors follow from, beside the texts of the log: the same text, the same vectors."""
        return self.encoder.given(self.log) if isinstance(self.encoder, Encoder) else self.encoder_name

    @property
    def encoder_name(self) -> str:
        """Spec of the encoder; of a function its attribute ``spec``, or its name."""
        if isinstance(self.encoder, Encoder):
            return self.encoder.spec
        return str(
            getattr(self.encoder, "spec", getattr(self.encoder, "__qualname__", type(self.encoder).__qualname__))
        )

    @cached_property
    def identity(self) -> str:
        """Text that identifies what is learnt from: digests of the log, of given vectors, of the rows, and of what is hidden."""
        parts = [log_digest(self.log), self.vectors_id, digest_of(self.learnt_rows, self.split.validation)]
        if self.hidden is not None:
            parts.append(digest_of(self.hidden))
        return "\n".join([*parts, *(self.llms or ())])

    def parts_of(self, texts: Sequence[str]) -> list[str | None]:
        """Return the part of the split that each text's group belongs to, None where the log has no text of that group."""
        return [self._part_of_group.get(int(group)) for group in query_groups(texts)]

    def vary(self, **changes: Any) -> PreparedLog:
        """Return the log prepared otherwise; groups, and vectors where they are the same, are not made again.

        Args:
            changes: Attributes and their values, such as ``seed`` and ``split``, ``shown``, ``hidden`` or ``llms``.
        """
        own = (
            {"shown": None, "hidden": None} if "split" in changes else {}
        )  # rows of the old split mean nothing in a new one
        return replace(self, base=self, **(own | changes))

    @property
    def learns(self) -> bool:
        """Whether the vectors depend on the split."""
        return self.refit and self.encoder.learns if isinstance(self.encoder, Encoder) else True

    @cached_property
    def _encoded(self) -> PreparedLog:
        """The first in the line of bases whose vectors are these."""
        base = self.base
        if base is None or base.refit is not self.refit:
            return self
        same = base.split is self.split and np.array_equal(base.learnt_rows, self.learnt_rows)
        return base._encoded if same or not self.learns else self

    @cached_property
    def _part_of_group(self) -> dict[int, str]:
        return {int(group): part for part in PARTS for group in self.groups[getattr(self.split, part)]}

    def _with_outcomes(self, name: str, rows: Array) -> RoutingData:
        """Return a part; of queries whose outcomes are all hidden, or of other LLMs, there is nothing to learn."""
        part = self.data.take(rows)
        if self.hidden is None and self.llms is None:
            return part
        answered = np.flatnonzero(part.observed.any(axis=1))
        if not len(answered):
            raise UserError(f"{self.log.name} must have outcomes to fit on, but none is left in {name}; hide fewer")
        return part if len(answered) == len(rows) else part.take(answered)


def prepare(
    log: LogLike,
    encoder: str | Encoder | Array | Encode | None = None,
    *,
    seed: int = 0,
    split: Split | Callable[[LLMLog, int], Split] = by_query,
    scenarios: Sequence[str | Scenario] | None = None,
    target: str = "performance",
    device: str = "auto",
    progress: bool = False,
) -> PreparedLog:
    """Divide a log and say how it is encoded; nothing is encoded yet.

    Args:
        log: Log, its name or folder, or a DataFrame.
        encoder: As `graphrouter.encoders.encoder_of` takes it: a name, an encoder, which is copied and fitted on the training
            queries, an array [Q, D], or None for the log's default; or a function from log and split to vectors.
        seed: Seed of the split.
        split: Log and seed to split, or a split.
        scenarios: Scenarios or their names, all with the same target; None for those that the log has values for.
        target: Column of the log that counts as performance, where no scenarios are named.
        device: Where a sentence-transformers model runs.
        progress: Whether encoding shows a bar.

    Raises:
        UserError: If the log, the encoder or a scenario does not do, or the log does not divide.
    """
    log = load_log(log)
    made: Encoder | Encode
    if callable(encoder) and not isinstance(encoder, Encoder | type):
        made = encoder
    else:
        made = encoder_of(log, encoder, device)  # type: ignore[arg-type]  # a class is refused there
    chosen = choose_scenarios(log, scenarios, target)
    log = log.with_target(chosen[0].target)
    rows = split if isinstance(split, Split) else split(log, seed)
    return PreparedLog(log, rows, seed, made, tuple(chosen), progress=progress)


def undivided(log: LLMLog, seed: int = 0) -> Split:
    """Return the split that puts every query into train, scored or not: the encoder learns from all texts."""
    none = np.zeros(0, dtype=np.int64)
    return Split(np.arange(log.queries.height), none, none)
