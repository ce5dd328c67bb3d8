"""A finished run as it lies in its folder, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from graphrouter import metrics
from graphrouter.evaluation.record import in_hindsight, record_of
from graphrouter.evaluation.rows import query_table
from graphrouter.evaluation.store import Outcomes, Predictions, outcomes_file, read_outcomes, read_predictions
from graphrouter.scenario import Scenario
from graphrouter.typing import Array, Record


@dataclass(eq=False)
class FinishedRun:
    """A finished run of a comparison, an ablation or a sweep.

    Attributes:
        folder: Holds its files, see `graphrouter.evaluation.store`.
        record: Its run.json.
    """

    folder: Path
    record: Record

    @property
    def scenarios(self) -> list[Scenario]:
        """Scenarios that it was scored in."""
        return [Scenario(**one) for one in self.record["scenarios"]]

    @property
    def outcomes(self) -> Outcomes:
        """Outcomes of the log's test queries."""
        return read_outcomes(outcomes_file(self.folder, self.record["outcomes"]))

    @property
    def predictions(self) -> Predictions:
        """Predictions for them, read anew each time: they are large."""
        return read_predictions(self.folder, self.scenarios, self.outcomes.cost_scale, self.record.get("about"))

    @cached_property
    def queries(self) -> pl.DataFrame:
        """One row per test query; see `graphrouter.evaluation.rows.query_table`."""
        return query_table(self.outcomes, self.predictions, self.scenarios)

    def auroc(self, weights: Array) -> Array:
        """Return the AUROC of the edges [B] for weights [B, Q] of the test queries."""
        quality, performance = self.predictions.quality, self.outcomes.performance.astype(np.float32)
        assert quality is not None
        return metrics.auroc(np.where(np.isnan(performance), 0.5, quality.astype(np.float32)), performance, weights)

    def whole_record(self) -> Record:
        """Return the record with what follows from the predictions, where the run did not write that down itself.

        References are then those in hindsight: no router was fitted beside it.
        """
        if "metrics" in self.record:
            return self.record
        outcomes, scenarios = self.outcomes, self.scenarios
        found = record_of(outcomes, self.predictions, in_hindsight(outcomes, scenarios), scenarios)
        if "validation" in self.record["about"]:
            found["metrics"][f"validation/{self.record['tune_by']}"] = self.record["about"]["validation"]
        return self.record | found
