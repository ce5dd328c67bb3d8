"""Routers x seeds on the same splits. What is finished is kept, so a killed comparison goes on where it was."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.config import INTERVALS, hyperparameters, router_of
from graphrouter.encoders import Encoder
from graphrouter.errors import UserError, suggest
from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.report.write import summarise
from graphrouter.evaluation.rows import outcomes_of
from graphrouter.evaluation.run import fit_router
from graphrouter.evaluation.store import Outcomes
from graphrouter.evaluation.support import Support
from graphrouter.identity import digest_of, log_config
from graphrouter.log import LLMLog, LogLike, load_log
from graphrouter.noise import noise_budget
from graphrouter.prepared import Encode, PreparedLog, prepare
from graphrouter.routers.base import Router
from graphrouter.routers.outside import code_of
from graphrouter.run import TUNE_BY, RunOptions, provenance
from graphrouter.scenario import Scenario
from graphrouter.settings import to_plain
from graphrouter.splits import PARTS, Split, by_query
from graphrouter.typing import Array, Record

MOST_SETTINGS = 6


def compare(
    log: LogLike,
    encoder: str | Encoder | Array | Encode | None,
    routers: Sequence[str | Router] | Mapping[str, str | Router],
    *,
    seeds: Sequence[int],
    out: str | Path,
    scenarios: Sequence[str | Scenario] | None = None,
    tune: bool = True,
    tune_by: str = "nll",
    settings: int = MOST_SETTINGS,
    ours: Sequence[str] | None = None,
    interval: str = "fitted",
    run: RunOptions | None = None,
    split: Callable[[LLMLog, int], Split] = by_query,
) -> Evaluation:
    """Fit routers on the same splits of a log, score them on the test parts, and write tables and a report.

    Every (router, seed) pair is kept in ``out`` when it is finished. The same call again fits what is missing, and
    more routers or seeds can be added.

    Args:
        log: Log, its name or folder, or a DataFrame; with performance, and cost where a scenario weighs it.
        encoder: As `graphrouter.encoders.encoder_of` takes it: a name, an encoder, which is copied and fitted on each seed's
            training queries, an array [Q, D] or None; or a function from log and split to vectors, named by its
            attribute ``spec`` in the config.
        routers: Names, or routers whose hyperparameters count as the defaults. A mapping gives them names of its own.
        seeds: One split, and one run of every router, for each.
        out: Folder for the results: new, or that of the same comparison.
        scenarios: All with the same target, or their names; None for those that the log has values for.
        tune: Whether each router tries its ``search_space`` on validation, else only the hyperparameters it has.
        tune_by: ``nll`` or ``reward`` (the mean over the scenarios), on validation. With ``nll``, a router whose scores are no
            likelihoods is left at what suits it, see `Router.tuned_by`.
        settings: Most settings that are tried, the same for every router.
        ours: Names of the routers that are no baselines; None for those that say so of themselves.
        interval: Claim that the intervals hold for: ``fitted`` routers, where test queries are resampled, or ``methods``, where
            seeds are too.
        run: Options of the run; ``progress`` writes a line to standard error for each pair.
        split: Log and seed to split.

    Returns:
        The results, as in the files that were written: ``config.json``, ``results.csv``, ``summary.csv``, ``curves.csv``,
        ``report.html``, and ``figures`` and ``tables`` for a paper.

    Raises:
        UserError: If a name, scenario or number is not as it must be, or ``out`` holds something else.
    """
    run = run or RunOptions()
    log = load_log(log)
    named = _named(routers)
    _check_options(log, seeds, tune_by, settings, interval)
    if ours is None:
        ours = [name for name, router in named.items() if not router.baseline]
    _check_ours(ours, named)
    options: Any = {"scenarios": scenarios, "device": run.device, "progress": run.progress}
    first = prepare(log, encoder, seed=seeds[0], split=split, **options)
    # All are divided before anything is written: the log may not divide.
    prepared = [first, *(first.vary(seed=seed, split=split(first.log, seed)) for seed in seeds[1:])]
    first.precompute()  # an encoder that fails does so before anything is written
    if tune_by == "reward":
        _check_choices(first.log, [one.split.validation for one in prepared])
    support = _support(first.log, [one.split.test for one in prepared])
    if run.progress and not support.routable:
        print(support.sentence, file=sys.stderr, flush=True)  # before hours of fitting, not after
    store = Store(out)
    config: Record = {
        "kind": "compare",
        "log": log_config(first.log),
        "noise": noise_budget(first.log).about(),
        "encoder": first.encoder_name,
        "vectors": first.vectors_id,
        "scenarios": [asdict(scenario) for scenario in first.scenarios],
        "tune": tune,
        "tune_by": tune_by,
        "settings": settings if tune else 1,
        "split": "test",
        "seeds": [int(seed) for seed in seeds],
        "ours": list(ours),
        "interval": interval,
        "routers": {name: router_config(router) for name, router in named.items()},
        "provenance": provenance(),
    }
    store.begin(config)
    asked = first.log.queries.select("query_id", "query")[first.split.test]
    while prepared:
        _run_seed(store, config, prepared.pop(0), named, run)  # its data goes with it
    return summarise(store.out, asked)


def _run_seed(
    store: Store, config: Record, prepared: PreparedLog, routers: Mapping[str, Router], run: RunOptions
) -> None:
    """Fit and predict what a seed lacks."""
    finished, seed = store.finished(), prepared.seed
    missing = [name for name in routers if (name, seed) not in finished]
    if not missing:
        return
    outcomes = store.keep_outcomes(seed, _outcomes(prepared))
    prepared = prepared.vary(known_scale=outcomes.cost_scale)
    for name in missing:
        options = replace(run, checkpoint=None, wandb_name=f"{prepared.log.name}-{name}-seed{seed}")
        tuning = {"settings": config["settings"], "tune_by": config["tune_by"]}
        fitted = fit_router(routers[name], prepared, run=options, **tuning)
        done = fitted.predict("test", label=name)
        done = replace(done, about=fitted.about | done.about | {"commit": config["provenance"]["commit"]})
        store.save_predictions(name, seed, done)
        if run.progress:
            _report_progress(store, config, name, seed, done.about)


def _outcomes(prepared: PreparedLog) -> Outcomes:
    """Return a seed's outcomes, with what identifies its split, and its vectors where the config cannot know them."""
    parts = {name: getattr(prepared.split, name) for name in PARTS}
    about: Record = {
        "sizes": {name: len(rows) for name, rows in parts.items()},
        "split": digest_of(*parts.values()),
    }
    if not isinstance(prepared.encoder, Encoder):
        about["vectors"] = digest_of(
            np.concatenate([side.vectors.ravel() for side in (prepared.data.queries, prepared.data.llms)])
        )
    return outcomes_of(prepared.test, prepared.cost_scale, **about)


def _named(routers: Sequence[str | Router] | Mapping[str, str | Router]) -> dict[str, Router]:
    if not isinstance(routers, Mapping | list | tuple):
        raise UserError(
            f"routers must be a list of names or routers, but is a {type(routers).__name__}; put it in a list"
        )
    if isinstance(routers, Mapping):
        pairs = [(str(name), router_of(router)) for name, router in routers.items()]
    else:
        pairs = [(router.name, router) for router in map(router_of, routers)]
    if not pairs:
        raise UserError("a comparison must have one router or more, but none was named")
    named = dict(pairs)
    if len(named) < len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise UserError(f"every router must occur once, but {twice!r} occurs more often; give each a name of its own")
    for name in named:
        if not re.fullmatch(r"[\w.+=-]+", name):
            raise UserError(f"a router's name must consist of letters, digits and _ . + = -, but one is {name!r}")
    return named


def _check_options(log: LLMLog, seeds: Sequence[int], tune_by: str, settings: int, interval: str) -> None:
    if len(log.llm_names) < 2:
        raise UserError(f"{log.name} must have two LLMs or more to route between, but has {len(log.llm_names)}")
    if not isinstance(seeds, Sequence) or not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"seeds must be one or more different numbers, as range(3) is, but are {seeds!r}")
    if tune_by not in TUNE_BY:
        raise UserError(f"tune_by must be {' or '.join(TUNE_BY)}, but is {tune_by!r}")
    if settings < 1:
        raise UserError(f"the number of settings must be 1 or more, but is {settings}")
    if interval not in INTERVALS:
        raise UserError(f"interval must be {' or '.join(INTERVALS)}, but is {interval!r}")
    if interval == "methods" and len(seeds) < 2:
        raise UserError("an interval for methods must have two seeds or more to resample, but there is 1")


def _check_ours(ours: Sequence[str], routers: Mapping[str, Router]) -> None:
    for name in ours:
        if name not in routers:
            raise UserError(
                f"ours must name routers of this comparison, but {name!r} is none{suggest(name, list(routers))}"
            )


def _support(log: LLMLog, parts: Sequence[Array]) -> Support:
    performance = log.cells("performance")
    return Support.of([performance[rows] for rows in parts])


def _check_choices(log: LLMLog, parts: Sequence[Array]) -> None:
    """Refuse to tune by a score of choices where there is hardly a choice."""
    support = _support(log, parts)
    if not support.routable:
        raise UserError(
            f"tune_by must be nll for {log.name}, but is 'reward': {support.choice:.0%} of its validation queries have "
            "outcomes of two LLMs or more, and on the others every choice has the same reward"
        )


def router_config(router: Router) -> Record:
    """Return the entry of a router for a config."""
    known = {"router": router.name, "source": router.source, "oracle": router.needs_outcomes}
    code = code_of(type(router))
    return known | {
        **({"code": code} if code else {}),
        "hyperparameters": to_plain(hyperparameters(router)),
        "search_space": to_plain(router.search_space),
    }


def _report_progress(store: Store, config: Record, name: str, seed: int, about: Record) -> None:
    pairs = len(config["seeds"]) * len(config["routers"])
    print(
        f"[{len(store.finished())}/{pairs}] {name}, seed {seed}: {about['tried']} settings in {about['tune_seconds']:.1f} s, "
        f"validation {about['tuned_by']} {about['validation']:.4f}",
        file=sys.stderr,
        flush=True,
    )
