"""One configuration on one seed or several, as one run of W&B: what a sweep asks for, and `experiments.run` runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.runs.config import RunConfig, read_run, run_id, settings
from experiments.runs.wandb_log import Logging, logged
from graphrouter.errors import UserError
from graphrouter.run import RunOptions
from graphrouter.typing import Record

if TYPE_CHECKING:
    from graphrouter.pipeline import RoutingPipeline

SEEDS = "seeds"


@dataclass(frozen=True)
class SeedRuns:
    """A configuration to run.

    Attributes:
        configs: One for each seed, otherwise the same.
        out: Results folder; each run gets ``OUT/runs/ID``.
        prefix: Prefix of the IDs, where the same config may come twice.
        about: ``kind``, ``group``, ``name`` and ``base`` of the records.
        logging: To W&B.
        on_evaluation: Follows the first seed, and may end it.
    """

    configs: tuple[RunConfig, ...]
    out: Path
    prefix: str = ""
    about: Record = field(default_factory=dict)
    logging: Logging = field(default_factory=Logging)
    on_evaluation: Callable[[str, dict[str, float]], None] | None = None

    @cached_property
    def ids(self) -> dict[int, str]:
        """The ID of each seed's run."""
        return {config.seed: f"{self.prefix}{run_id(config)}" for config in self.configs}

    @property
    def config(self) -> RunConfig:
        """The run of the first seed."""
        return self.configs[0]

    @property
    def id(self) -> str:
        """The ID of the first seed's run."""
        return self.ids[self.config.seed]

    def folder(self, config: RunConfig) -> Path:
        """Return the folder of one of the runs."""
        return self.out / "runs" / self.ids[config.seed]

    def kept(self) -> list[Record] | None:
        """Return the records, where the configuration was run before: on all seeds, or up to one that did not finish."""
        from graphrouter.evaluation.store import read_record

        records: list[Record] = []
        for config in self.configs:
            record = read_record(self.folder(config))
            if record is None:
                return None
            records.append(record)
            if record["status"] != "finished":
                break
        return records

    @property
    def finished(self) -> bool:
        """Whether all seeds were run before, to their end."""
        return (records := self.kept()) is not None and records[-1]["status"] == "finished"

    def run(self, run: RunOptions | None = None) -> list[Record]:
        """Run the configuration; after a seed that does not finish, the others are left out.

        Args:
            run: Where and how to run.

        Returns:
            One record for each seed that was run; see `experiments.runs.execute`.
        """
        records: list[Record] = []
        flat = settings(self.config) | ({SEEDS: len(self.configs)} if len(self.configs) > 1 else {})
        with logged(self.logging, flat, self._about(self.config)) as log:
            for place, config in enumerate(self.configs):
                follow = [log.on_evaluation] + ([self.on_evaluation] if self.on_evaluation and place == 0 else [])
                records.append(self._run_seed(config, follow, log, run))
                if records[-1]["status"] != "finished":
                    break
                log.next_seed()
            log.end(records)
        return records

    def record_failure(self, error: str) -> list[Record]:
        """Record that the first run without a record failed; returns the records, as `run` does."""
        from experiments.runs.execute import new_record
        from graphrouter.evaluation.store import read_record, write_record

        records: list[Record] = []
        for config in self.configs:
            record = read_record(self.folder(config))
            if record is not None and record["status"] == "finished":
                records.append(record)
                continue
            record = new_record(config, self._about(config)) | {"status": "failed", "error": error, "seconds": 0.0}
            write_record(self.folder(config), record)
            return [*records, record]
        return records

    def _about(self, config: RunConfig) -> Record:
        return (
            {"kind": "run", "group": None, "name": "base", "base": False} | self.about | {"id": self.ids[config.seed]}
        )

    def _run_seed(self, config: RunConfig, follow: list[Any], log: Any, run: RunOptions | None) -> Record:
        from experiments.runs.execute import execute

        folder = self.folder(config)

        def on_evaluation(label: str, metrics: dict[str, float]) -> None:
            for listener in follow:
                listener(label, metrics)

        def on_result(pipeline: RoutingPipeline, record: Record) -> None:
            log.on_result(pipeline, record, folder / "model")

        logs = self.logging.mode != "off"
        return execute(
            config,
            folder,
            about=self._about(config),
            run=run,
            on_evaluation=on_evaluation if logs or self.on_evaluation else None,
            on_result=on_result if logs else None,
        )


def read_configs(values: dict[str, Any], overrides: Sequence[str] = (), where: str = "config") -> tuple[RunConfig, ...]:
    """Return a run for each seed.

    Args:
        values: As for `experiments.runs.config.read_run`, and ``seeds``: how many, from ``seed`` on.
        overrides: ``key=value`` words laid over them.
        where: Named in errors.

    Raises:
        UserError: If a value is wrong.
    """
    from graphrouter.settings import parse_overrides

    plain = [word for word in overrides if word.partition("=")[0].strip() != SEEDS]
    counts = [values.get(SEEDS, 1), *(parse_overrides([word])[SEEDS] for word in overrides if word not in plain)]
    if not isinstance(counts[-1], int) or isinstance(counts[-1], bool) or counts[-1] < 1:
        raise UserError(f"{where}: seeds must be a whole number from 1, but is {counts[-1]!r}")
    first = read_run({key: value for key, value in values.items() if key != SEEDS}, plain, where)
    return tuple(replace(first, seed=first.seed + place) for place in range(counts[-1]))
