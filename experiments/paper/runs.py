"""Common parts of the tables: a log, a split, a comparison of routers, and the share of a test part that was seen."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphrouter.errors import UserError
from graphrouter.splits import Split, by_query, query_groups
from graphrouter.typing import Array

if TYPE_CHECKING:
    from graphrouter.evaluation.collected import Evaluation
    from graphrouter.log import LLMLog
    from graphrouter.routers.base import Router
    from graphrouter.run import RunOptions


INNER = (0.5, 0.25, 0.25)
"""Shares of a source's training part: the first two are learnt from, the last is validated on."""


@dataclass
class PaperSettings:
    """How the routers of a table are run.

    Attributes:
        out: Folder for the tables and the comparisons behind them.
        run: Where and how to run.
        seeds: One split and one start of every router for each.
        encoder: See `graphrouter.encoders.find_encoder`; None for the log's own.
        tune_by: Measure by which validation chooses each router's setting: ``nll``, ``reward`` or ``none``.
        overrides: Such as ``graphrouter.learning_rate=0.01``.
    """

    out: Path
    run: RunOptions
    seeds: int = 5
    encoder: str | None = None
    tune_by: str = "none"
    overrides: Sequence[str] = field(default_factory=list)

    @classmethod
    def of(cls, args: argparse.Namespace) -> PaperSettings:
        """Read the options of `experiments.paper.command.add_table`."""
        from graphrouter.cli.options import run_options

        given = (args.seeds, args.encoder, args.tune_by, args.overrides)
        return cls(Path(args.out), run_options(args), *given)

    def note(self) -> str:
        """Return how routers were set, for a table."""
        tuned = "default settings, not tuned" if self.tune_by == "none" else f"settings tuned by {self.tune_by}"
        changed = f"; {' '.join(self.overrides)}" if self.overrides else ""
        return f"{self.seeds} seed{'s' if self.seeds > 1 else ''}; {tuned}{changed}."


def open_log(args: argparse.Namespace) -> LLMLog:
    """Load the LOG of a table's command by name, from a canonical folder, or in a public layout.

    Where the command takes ``--prices``, a cost that the log lacks is estimated, and called so in every output.

    Raises:
        UserError: If it is none.
    """
    from graphrouter.costs import estimate_cost
    from graphrouter.formats import read_log
    from graphrouter.log import load_log

    path = Path(args.log)
    canonical = not path.exists() or (path / "queries.parquet").exists()
    log = load_log(args.log if canonical else read_log(path)[0], args.rare_tasks)
    if "prices" not in args or log.has_cost:
        return log
    return estimate_cost(log, Path(args.prices) if args.prices else None)


def make_routers(settings: PaperSettings, routers: Sequence[str]) -> dict[str, Router]:
    """Make routers with the overrides that were given.

    Raises:
        UserError: If an override is of none of them, or wrong.
    """
    from graphrouter.config import comparison_routers, read_comparison

    given = {"routers": list(routers), "seeds": settings.seeds, "tune_by": settings.tune_by}
    config = read_comparison(None, settings.overrides, **given)
    if config.seeds != settings.seeds or config.routers != list(routers) or config.tune_by != settings.tune_by:
        raise UserError("seeds and tune_by are options here, and the routers are the table's; give --seeds, --tune-by")
    return {router.name: router for router in comparison_routers(config)}


def compare_routers(
    log: LLMLog,
    settings: PaperSettings,
    folder: str,
    routers: Sequence[str] | Mapping[str, Router],
    *,
    scenarios: Sequence[str] | None = None,
    split: Callable[[LLMLog, int], Split] = by_query,
) -> Evaluation:
    """Fit and score routers; what is finished in ``OUT/folder`` is kept.

    Args:
        log: The log.
        settings: How.
        folder: Inside the output folder.
        routers: Names, or routers by name.
        scenarios: Names; None for those that the log has values for.
        split: Log and seed to split.
    """
    from graphrouter.config import read_comparison
    from graphrouter.evaluation import compare

    named = routers if isinstance(routers, Mapping) else make_routers(settings, routers)
    tried = [word for word in settings.overrides if word.startswith("settings=")]
    return compare(
        log,
        settings.encoder,
        named,
        seeds=range(settings.seeds),
        out=settings.out / folder,
        scenarios=scenarios,
        tune=settings.tune_by != "none",
        tune_by="nll" if settings.tune_by == "none" else settings.tune_by,
        settings=read_comparison(None, tried).settings,
        run=settings.run,
        split=split,
    )


def source_rows(log: LLMLog, *labels: str) -> Array:
    """Return [n] int64, the scored queries that the source put into a part.

    Raises:
        UserError: If there are none.
    """
    part = log.queries["source_split"].fill_null("").to_numpy() if "source_split" in log.queries.columns else None
    scored = log.cells("draws").sum(axis=1) > 0
    rows = np.flatnonzero(scored & np.isin(part, labels)) if part is not None else np.zeros(0, dtype=np.int64)
    if not len(rows):
        raise UserError(
            f"{log.name} must have queries with source_split {' or '.join(map(repr, labels))}, but has none; this table needs "
            "the split of its source"
        )
    return rows


def by_source(*tests: str, train: str = "train") -> Callable[[LLMLog, int], Split]:
    """Return a split that tests on what the source tests on, leaks and all.

    The source's training part is divided by text group into what is learnt from and what is validated on; which is
    which depends on the seed.

    Args:
        tests: Labels in ``source_split`` of the queries to test on.
        train: Label of those to learn from.
    """

    def split(log: LLMLog, seed: int) -> Split:
        rows = source_rows(log, train)
        inner = by_query(log.take(rows), seed, INNER)
        learnt = np.sort(rows[np.concatenate([inner.train, inner.validation])])
        return Split(learnt, rows[inner.test], source_rows(log, *tests))

    return split


def leaked(log: LLMLog, tests: Sequence[str], train: str = "train") -> Array:
    """Return [n] bool: which of the source's test queries have the wording of a training query."""
    groups = query_groups(log.queries["query"])
    return np.isin(groups[source_rows(log, *tests)], groups[source_rows(log, train)])
