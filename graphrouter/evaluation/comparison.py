"""Routers x seeds on the same splits. What is finished is kept, so a killed comparison goes on where it was."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from graphrouter.config import INTERVALS, hyperparameters, router_of
from graphrouter.dataset import RoutingData, llm_texts
from graphrouter.encoders import Encoder, encoder_of
from graphrouter.errors import UserError, suggest
from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.fitting import TUNE_BY, fit_best, predict_all
from graphrouter.evaluation.store import Config, Outcomes, Store, log_config
from graphrouter.evaluation.summary import summarise
from graphrouter.evaluation.support import Support
from graphrouter.identity import digest_of
from graphrouter.log import LLMLog, check_log
from graphrouter.routers.base import Router
from graphrouter.run import RunOptions, provenance
from graphrouter.scenario import SCENARIOS, Scenario, find_scenario, fit_cost_scale
from graphrouter.settings import to_plain
from graphrouter.splits import PARTS, Split, by_query, query_groups

Array = np.ndarray
Encode = Callable[[LLMLog, Split], tuple[Array, Array]]
"""Log and split -> vectors [Q, D] of its queries and [M, D] of its LLMs."""

MOST_SETTINGS = 6


def compare(
    log: LLMLog,
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
        log: With performance, and cost where a scenario weighs it.
        encoder: What `graphrouter.encoders.encoder_of` takes: a name, an encoder, which is copied and fitted on each seed's
            training queries, an array [Q, D] or None; or a function from log and split to vectors, named by its
            attribute ``spec`` in the config.
        routers: Names, or routers whose hyperparameters count as the defaults. A mapping gives them names of its own.
        seeds: One split, and one run of every router, for each.
        out: Folder for the results: new, or that of the same comparison.
        scenarios: All with the same target, or their names; None for those that the log has values for.
        tune: Whether each router tries its ``search_space`` on validation, else only the hyperparameters it has.
        tune_by: ``nll`` or ``reward`` (the mean over the scenarios), on validation.
        settings: At most so many settings are tried, the same for every router.
        ours: Names of the routers that are no baselines; None for those that say so of themselves.
        interval: What the intervals hold for: ``fitted`` routers, where test queries are resampled, or ``methods``, where
            seeds are too.
        run: Where and how to run; ``progress`` writes a line to standard error for each pair.
        split: Log and seed to split.

    Returns:
        The results, as in the files that were written: ``config.json``, ``results.csv``, ``summary.csv`` and
        ``report.html``.

    Raises:
        UserError: If a name, scenario or number is not as it must be, or ``out`` holds something else.
    """
    run = run or RunOptions()
    check_log(log)
    encode, spec = _encoding(log, encoder, run)
    named = _named(routers)
    chosen = choose_scenarios(log, scenarios)
    log = log.with_target(chosen[0].target)
    _check_options(log, seeds, tune_by, settings, interval)
    if ours is None:
        ours = [name for name, router in named.items() if not router.baseline]
    _check_ours(ours, named)
    splits = {seed: split(log, seed) for seed in seeds}  # before anything is written: the log may not divide
    if tune_by == "reward":
        _check_choices(log, [one.validation for one in splits.values()])
    support = _support(log, [one.test for one in splits.values()])
    if run.progress and not support.routable:
        print(support.sentence, file=sys.stderr, flush=True)  # before hours of fitting, not after
    store = Store(out)
    config: Config = {
        "kind": "compare",
        "log": log_config(log),
        "encoder": spec,
        "vectors": encode.given(log) if isinstance(encode, Encoder) else spec,
        "scenarios": [asdict(scenario) for scenario in chosen],
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
    groups = query_groups(log.queries["query"])
    for seed in seeds:
        _run_seed(store, config, log, encode, splits[seed], groups, named, seed, chosen, run)
    return summarise(store.out)


def _encoding(
    log: LLMLog, encoder: str | Encoder | Array | Encode | None, run: RunOptions
) -> tuple[Encoder | Encode, str]:
    """Return what makes vectors, and its name for the config."""
    if callable(encoder) and not isinstance(encoder, Encoder | type):
        return encoder, str(getattr(encoder, "spec", getattr(encoder, "__qualname__", type(encoder).__qualname__)))
    found = encoder_of(log, encoder, run.device)
    return found, found.spec


def _run_seed(
    store: Store,
    config: Config,
    log: LLMLog,
    encoder: Encoder | Encode,
    split: Split,
    groups: Array,
    routers: Mapping[str, Router],
    seed: int,
    scenarios: list[Scenario],
    run: RunOptions,
) -> None:
    """Fit and predict what a seed lacks."""
    finished = store.finished()
    missing = [name for name in routers if (name, seed) not in finished]
    if not missing:
        return
    data = RoutingData.from_log(log, *_encode(encoder, log, split, run), groups)
    train, validation, test = (data.take(rows) for rows in (split.train, split.validation, split.test))
    outcomes = store.keep_outcomes(seed, _outcomes(data, split, test, not isinstance(encoder, Encoder)))
    commit = config["provenance"]["commit"]
    for name in missing:
        options = replace(run, checkpoint=None, wandb_name=f"{log.name}-{name}-seed{seed}")
        router, about = fit_best(
            routers[name],
            seed,
            train,
            validation,
            scenarios,
            outcomes.cost_scale,
            settings=config["settings"],
            tune_by=config["tune_by"],
            run=options,
        )
        if router.needs_outcomes:
            router.reveal(test)
        done = predict_all(router, name, test.queries, test.performance, scenarios, outcomes.cost_scale)
        done = replace(done, about=about | done.about | {"commit": commit})
        store.save_predictions(name, seed, done)
        if run.progress:
            _report_progress(store, config, name, seed, done.about)


def _encode(encoder: Encoder | Encode, log: LLMLog, split: Split, run: RunOptions) -> tuple[Array, Array]:
    """Vectors of queries and LLMs; what an encoder learns, it learns from the training queries."""
    if not isinstance(encoder, Encoder):
        return encoder(log, split)
    encoder.fit(log.queries["query"].gather(split.train).to_list())
    return encoder.encode_log(log, llm_texts(log), progress=run.progress)


def _outcomes(data: RoutingData, split: Split, test: RoutingData, arrays_given: bool) -> Outcomes:
    """Return a seed's outcomes, with what identifies its split, and its vectors where the config cannot know them."""
    scale = fit_cost_scale(data.cost[split.train])
    parts = {name: getattr(split, name) for name in PARTS}
    about: Config = {
        "cost_scale": scale if np.isfinite(scale) else None,
        "sizes": {name: len(rows) for name, rows in parts.items()},
        "split": digest_of(*parts.values()),
    }
    if arrays_given:
        about["vectors"] = digest_of(np.concatenate([data.queries.vectors.ravel(), data.llms.vectors.ravel()]))
    tasks = np.array([task or "" for task in test.queries.tasks])
    return Outcomes(tasks, test.queries.groups, test.performance, test.cost, about)


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


def choose_scenarios(log: LLMLog, scenarios: Sequence[str | Scenario] | None) -> list[Scenario]:
    """Check scenarios, or choose those that a log has values for.

    Raises:
        UserError: If the log has no cost for a scenario that weighs it, or their targets differ.
    """
    if scenarios is None:
        named = (SCENARIOS[name] for name in ("performance_first", "balance", "cost_first"))
        return [scenario for scenario in named if scenario.beta == 0 or log.has_cost]
    given = [scenarios] if isinstance(scenarios, str | Scenario) else scenarios
    chosen = [find_scenario(one) if isinstance(one, str) else one for one in given]
    if not chosen:
        raise UserError("a comparison must have one scenario or more, but none was named")
    if len({scenario.name for scenario in chosen}) < len(chosen):
        raise UserError(f"every scenario must occur once, but they are {', '.join(s.name for s in chosen)}")
    for scenario in chosen:
        if scenario.beta != 0 and not log.has_cost:
            raise UserError(
                f"the scenario {scenario.name} weighs cost, but {log.name} has none for every record; estimate it "
                "with --estimate-cost, or choose performance_first"
            )
        if scenario.target != chosen[0].target:
            raise UserError(
                f"the scenarios of one comparison must share a target, but {chosen[0].name} has "
                f"{chosen[0].target} and {scenario.name} has {scenario.target}; run two comparisons"
            )
    return chosen


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


def router_config(router: Router) -> Config:
    """Return what a config says of a router."""
    known = {"router": router.name, "source": router.source, "oracle": router.needs_outcomes}
    return known | {
        "hyperparameters": to_plain(hyperparameters(router)),
        "search_space": to_plain(router.search_space),
    }


def _report_progress(store: Store, config: Config, name: str, seed: int, about: Config) -> None:
    pairs = len(config["seeds"]) * len(config["routers"])
    print(
        f"[{len(store.finished())}/{pairs}] {name}, seed {seed}: {about['tried']} settings in {about['tune_seconds']:.1f} s, "
        f"validation {config['tune_by']} {about['validation']:.4f}",
        file=sys.stderr,
        flush=True,
    )
