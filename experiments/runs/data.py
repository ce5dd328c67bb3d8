"""A run's data: the log, its split and its vectors. What neighbouring runs share stays in the process."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from experiments.runs.config import RunConfig
from graphrouter.costs import estimate_cost
from graphrouter.dataset import RoutingData, llm_texts
from graphrouter.encoders import Encoder, default_encoder, find_encoder
from graphrouter.errors import UserError
from graphrouter.evaluation.comparison import choose_scenarios
from graphrouter.log import LLMLog, load_log
from graphrouter.scenario import Scenario, find_scenario, fit_cost_scale
from graphrouter.splits import (
    Split,
    by_query,
    by_time,
    cells_out,
    leave_llm_out,
    leave_task_out,
    normalise_text,
    query_groups,
    text_digest,
)
from graphrouter.text_groups import fold_text

Array = np.ndarray
KEPT = 4
"""Logs, splits and sets of vectors that stay in a process: neighbouring runs differ in the seed at most."""


@dataclass(frozen=True, eq=False)
class RunData:
    """What a run is fitted and scored on.

    Attributes:
        log: The whole log, with the scenarios' target as performance.
        encoder: Fitted on the training queries of the run.
        scenarios: What is scored.
        train: With the run's share of queries, cells and LLMs; each query has an outcome.
        validation: Likewise.
        test: The same queries for every share of queries or cells and every pool.
        cost_scale: Dollars of a normalised cost of 1, from all training queries of the log, so that rewards of runs
            with other shares or pools are in the same currency; NaN where the log has no cost.
        new_llm: Column of the LLM that is left out, or None.
    """

    log: LLMLog
    encoder: Encoder
    scenarios: list[Scenario]
    train: RoutingData
    validation: RoutingData
    test: RoutingData
    cost_scale: float
    new_llm: int | None = None

    @property
    def known_llms(self) -> list[str]:
        """Names of the LLMs, less the one that is left out."""
        return [name for column, name in enumerate(self.train.llms.names) if column != self.new_llm]


def load_run(config: RunConfig, device: str = "cpu", progress: bool = False) -> RunData:
    """Load what a run is fitted and scored on.

    Raises:
        UserError: If the log does not do for the run.
    """
    scenarios = [find_scenario(name) for name in config.scenarios or ()]
    target = scenarios[0].target if scenarios else "performance"
    log = _log(config.log, config.estimate_cost, target, config.rare_tasks)
    split = _split(log, config.protocol, config.held_out, config.seed)
    train = shared_rows(log, split.train, config.train_share, config.seed)
    encoder, vectors = _vectors(log, config.encoder or default_encoder(log), train.tobytes(), device, progress)
    seen = _seen(log, split, config)
    data = RoutingData.from_log(seen, *vectors, _groups(log))
    columns = _columns(log, config)
    llms = [log.llm_names[column] for column in columns]
    parts = [data.take(rows).take_llms(llms) for rows in (train, split.validation, split.test)]
    fitted = [_answered(part, name, config) for part, name in zip(parts, ("train", "validation"), strict=False)]
    new_llm = llms.index(config.held_out) if _leaves_llm(config) else None
    return RunData(
        log=log,
        encoder=encoder,
        scenarios=choose_scenarios(log, scenarios or None),
        train=fitted[0],
        validation=fitted[1],
        test=parts[2],
        cost_scale=fit_cost_scale(log.cells("cost")[split.train]),
        new_llm=new_llm,
    )


def scored_by(config: RunConfig) -> tuple[list[Scenario], bool]:
    """Return the scenarios of a run, and whether all outcomes of its validation queries have a cost.

    Raises:
        UserError: If the log does not do for the run.
    """
    scenarios = [find_scenario(name) for name in config.scenarios or ()]
    log = _log(config.log, config.estimate_cost, scenarios[0].target if scenarios else "performance")
    rows = _split(log, config.protocol, config.held_out, config.seed).validation
    cells = np.ix_(rows, _columns(log, config))
    lacking = np.isnan(log.cells("cost")[cells]) & ~np.isnan(log.cells("performance")[cells])
    return choose_scenarios(log, scenarios or None), not bool(lacking.any())


def warm_up(configs: Sequence[RunConfig], progress: bool = False) -> None:
    """Encode the texts of all logs once with each encoder that needs no fitting, so that no worker has to."""
    for source, estimate, spec in sorted({(one.log, one.estimate_cost, one.encoder or "") for one in configs}):
        log = _log(source, estimate, "performance")
        encoder = find_encoder(spec or default_encoder(log))
        if type(encoder).fit is Encoder.fit:
            encoder.encode_log(log, llm_texts(log), progress=progress)


def shared_rows(log: LLMLog, rows: Array, share: float, seed: int) -> Array:
    """Return a share of the rows, stratified by task; equal wording stays together, a larger share holds a smaller one.

    Raises:
        UserError: If none is left.
    """
    if share >= 1:
        return rows
    strata: dict[str, dict[str, list[tuple[str, int]]]] = {}
    tasks, texts = log.queries["task"], log.queries["query"]
    for row in rows.tolist():
        group = strata.setdefault(tasks[row] or "", {}).setdefault(fold_text(texts[row]), [])
        group.append((normalise_text(texts[row]), row))
    kept: list[int] = []
    for name, groups in strata.items():
        # By the first spelling, as in `by_query`.
        order = sorted(map(sorted, groups.values()), key=lambda group: text_digest(f"share/{seed}/{group[0][0]}"))
        # A task too small for the share is in or out by chance, so that small tasks are not kept more often.
        offset = int(text_digest(f"share/{seed}/{name}")[:8], 16) / 16**8
        kept += [row for at, group in enumerate(order) if (at + offset) / len(order) < share for _, row in group]
    if not kept:
        raise UserError(f"{log.name} must have training queries left, but a share of {share:g} leaves none; raise it")
    return np.array(sorted(kept), dtype=np.int64)


@lru_cache(maxsize=KEPT)
def _log(source: str, estimate: bool, target: str, rare_tasks: str = "refuse") -> LLMLog:
    log = load_log(source, rare_tasks)
    return (estimate_cost(log) if estimate else log).with_target(target)


@lru_cache(maxsize=KEPT)
def _split(log: LLMLog, protocol: str, held_out: str | None, seed: int) -> Split:
    if protocol == "leave_task_out":
        return leave_task_out(log, str(held_out), seed)
    return by_time(log) if protocol == "by_time" else by_query(log, seed)


@lru_cache(maxsize=KEPT)
def _groups(log: LLMLog) -> Array:
    return query_groups(log.queries["query"])


@lru_cache(maxsize=KEPT)
def _pretrained(log: LLMLog, spec: str, device: str, progress: bool) -> tuple[Encoder, tuple[Array, Array]] | None:
    encoder = find_encoder(spec, device)
    fits = type(encoder).fit is not Encoder.fit
    return None if fits else (encoder, encoder.encode_log(log, llm_texts(log), progress=progress))


@lru_cache(maxsize=KEPT)
def _vectors(log: LLMLog, spec: str, train: bytes, device: str, progress: bool) -> tuple[Encoder, tuple[Array, Array]]:
    """Return the encoder, fitted on the rows in ``train``, and the vectors of queries and LLMs."""
    if (known := _pretrained(log, spec, device, progress)) is not None:
        return known
    texts = log.queries["query"].to_list()
    encoder = find_encoder(spec, device).fit([texts[row] for row in np.frombuffer(train, dtype=np.int64)])
    return encoder, encoder.encode_log(log, llm_texts(log), progress=progress)


def _seen(log: LLMLog, split: Split, config: RunConfig) -> LLMLog:
    """Return the log without the cells of train and validation that the run hides."""
    hidden = np.zeros((log.queries.height, len(log.llm_names)), dtype=bool)
    if config.missing:
        hidden |= cells_out(log, config.missing, split, config.seed)
    if _leaves_llm(config):
        hidden |= leave_llm_out(log, str(config.held_out), split, config.shots, config.seed)
    return log.hide(hidden) if hidden.any() else log


def _leaves_llm(config: RunConfig) -> bool:
    return config.protocol == "leave_llm_out"


def _columns(log: LLMLog, config: RunConfig) -> Array:
    """Return the columns of the LLMs that the run routes between."""
    for pattern in config.llms:
        if not fnmatch.filter(log.llm_names, pattern):
            raise UserError(f"{log.name} has no LLM like {pattern!r}; it has {', '.join(log.llm_names)}")
    names = [
        name
        for name in log.llm_names
        if not config.llms or any(fnmatch.fnmatchcase(name, pattern) for pattern in config.llms)
    ]
    if config.pool is not None:
        if config.pool > len(names):
            raise UserError(f"pool must be at most the {len(names)} LLMs of {log.name}, but is {config.pool}")
        names = sorted(names, key=lambda name: text_digest(f"pool/{config.seed}/{name}"))[: config.pool]
    least = 3 if _leaves_llm(config) else 2
    if len(names) < least or (_leaves_llm(config) and config.held_out not in names):
        raise UserError(
            f"a run must have {least} LLMs or more to route between, the new one among them, but has {', '.join(names)}"
        )
    return np.array(sorted(log.llm_names.index(name) for name in names))


def _answered(part: RoutingData, name: str, config: RunConfig) -> RoutingData:
    """Return the part's queries that have an outcome."""
    rows = np.flatnonzero(part.observed.any(axis=1))
    if not len(rows):
        raise UserError(
            f"a run must have outcomes to fit on, but missing={config.missing:g} leaves {name} none; lower it"
        )
    return part if len(rows) == len(part.queries) else part.take(rows)
