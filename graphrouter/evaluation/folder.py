"""The folder of a comparison or an evaluation: its config, and its finished runs in the form of `graphrouter.evaluation.store`.

```
OUT/config.json                       what was run, resolved
OUT/outcomes/seed0.npz                test queries of a seed
OUT/runs/ROUTER-seed0/                a fitted router: run.json and predictions.npz
OUT/queries.parquet                   ids and the first letters of the first seed's test queries, for the report
OUT/results.csv  summary.csv  choices.parquet  curves.csv  report.html  figures/  tables/   derived from the above
```

A finished run is never written again.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.errors import UserError
from graphrouter.evaluation.store import (
    Outcomes,
    Predictions,
    predictions_file,
    read_outcomes,
    read_predictions,
    read_record,
    refuse_old_form,
    write_outcomes,
    write_predictions,
    write_record,
)
from graphrouter.files import replace_file
from graphrouter.scenario import Scenario
from graphrouter.typing import Record

FIXED = ("kind", "log", "vectors", "router", "scenarios", "tune", "tune_by", "settings")
"""The parts of a config that must not change while predictions made under it are used: all are inputs. What is computed from
them is none, for its last digits depend on threads, processor and library versions."""

KINDS = ("compare", "evaluate")

MAKES = ("router", "hyperparameters", "search_space", "code")
"""The parts of a router's config that make what it predicts; ``code`` is there for one from outside the package."""


class Store:
    """Reads and writes the folder of a comparison."""

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)

    def begin(self, config: Record) -> None:
        """Write the config, or check that what is finished was made under the same one.

        Routers and seeds may be added to a comparison. Nothing else may change, and none that has results may be left
        out; what was asked for before and never finished may.

        Raises:
            UserError: If the folder holds another comparison or other files, or cannot be written.
        """
        refuse_old_form(self.out)
        if (self.out / "config.json").exists():
            finished = self.finished()
            if finished:
                self._check(self.config(), json.loads(json.dumps(config)), finished)
        elif self.out.is_dir() and any(self.out.iterdir()):
            raise UserError(f"{self.out} holds other files; name a new folder for the results")
        self.write("config.json", json.dumps(config, indent=2) + "\n")

    def _check(self, old: Record, new: Record, finished: set[tuple[str, int]]) -> None:
        kept = "; nothing was overwritten, name another folder"
        for key in FIXED:
            if old.get(key) != new.get(key):
                what = _difference("encoder" if key == "vectors" else key, old.get(key), new.get(key))
                raise UserError(f"{self.out} holds results with another {what}{kept}")
        for label in sorted({label for label, _ in finished}):
            if label not in new["routers"]:
                raise UserError(
                    f"{self.out} holds results of {label!r} too; ask for it as well, or name another folder"
                )
            before, now = ({key: config["routers"][label].get(key) for key in MAKES} for config in (old, new))
            if before != now:
                raise UserError(f"{self.out} holds results with another {_difference(label, before, now)}{kept}")
        if missing := {seed for _, seed in finished} - set(new["seeds"]):
            raise UserError(f"{self.out} holds results of seed {min(missing)} too; ask for it, or name another folder")

    def finished(self) -> set[tuple[str, int]]:
        """Return the routers and seeds whose runs are kept."""
        folders = (file.parent for file in (self.out / "runs").glob("*/run.json"))
        whole = [folder.name for folder in folders if predictions_file(folder).is_file()]
        names = (re.fullmatch(r"(.+)-seed(-?\d+)", name) for name in whole)
        return {(name[1], int(name[2])) for name in names if name}

    def config(self) -> Record:
        """Read the config.

        Raises:
            UserError: If there is none, it is no JSON or of something else, or the folder is of an earlier version.
        """
        refuse_old_form(self.out)
        file = self.out / "config.json"
        try:
            config: Record = json.loads(file.read_text())
        except FileNotFoundError:
            raise UserError(f"{self.out} must be the folder of a comparison, but has no config.json") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{file} must be JSON, but {error}; name another folder") from None
        if not isinstance(config, dict) or config.get("kind") not in KINDS:
            raise UserError(
                f"{self.out} must hold a comparison, but its config.json is of another kind; name another folder"
            )
        return config

    def write(self, name: str, text: str) -> Path:
        """Write a text file below the folder, whole or not at all."""
        replace_file(self.out / name, text.encode())
        return self.out / name

    def save_predictions(self, label: str, seed: int, predictions: Predictions) -> None:
        """Keep a finished run: what a router predicts, and its record, which comes last."""
        config, outcomes, folder = self.config(), self.outcomes(seed), self.folder(label, seed)
        write_predictions(folder, predictions, _scenarios(config), outcomes.cost_scale)
        write_record(folder, _record(config, label, seed, predictions.about))

    def folder(self, label: str, seed: int) -> Path:
        """Return the folder of a run."""
        return self.out / "runs" / f"{label}-seed{seed}"

    def predictions(self, label: str, seed: int) -> Predictions:
        """Read what a router predicts, with its quality rounded to float32.

        Raises:
            UserError: If the run has not ended, or a file is damaged.
        """
        folder = self.folder(label, seed)
        record = read_record(folder)
        if record is None:
            raise UserError(f"{self.out} is not finished: {folder.name} is absent; run the comparison again")
        scenarios = [Scenario(**one) for one in record["scenarios"]]
        done = read_predictions(folder, scenarios, self.outcomes(seed).cost_scale, record["about"])
        return replace(done, quality=None if done.quality is None else done.quality.astype(np.float32))

    def keep_outcomes(self, seed: int, outcomes: Outcomes) -> Outcomes:
        """Keep a seed's outcomes; where predictions were made with others, check that their inputs are the same.

        Returns:
            Those that are kept: the cost scale of the first run holds for all that the folder gets.

        Raises:
            UserError: If the split or the vectors have changed.
        """
        file = self._outcomes_file(seed)
        if file.exists() and any(number == seed for _, number in self.finished()):
            before = self.outcomes(seed)
            given = {key: value for key, value in outcomes.about.items() if key != "cost_scale"}
            if {key: before.about.get(key) for key in given} != given:
                raise UserError(
                    f"{self.out} holds results for other splits or vectors of seed {seed}; nothing was overwritten, name "
                    "another folder"
                )
            return before
        write_outcomes(file, outcomes)
        return outcomes

    def outcomes(self, seed: int) -> Outcomes:
        """Read a seed's outcomes."""
        return read_outcomes(self._outcomes_file(seed))

    def _outcomes_file(self, seed: int) -> Path:
        return self.out / "outcomes" / f"seed{seed}.npz"


def _scenarios(config: Record) -> list[Scenario]:
    return [Scenario(**scenario) for scenario in config["scenarios"]]


def _record(config: Record, label: str, seed: int, about: Record) -> Record:
    """Return the record of a router's run; the first of the comparison's own routers is the base."""
    router, log = config["routers"][label], config["log"]
    provenance = config.get("provenance", {})
    hyperparameters = about.get("hyperparameters", router["hyperparameters"])
    return {
        "id": f"{label}-seed{seed}",
        "status": "finished",
        "error": None,
        "kind": config["kind"],
        "group": "oracle" if router["oracle"] else None,
        "name": label,
        "base": label == next((name for name in config["ours"] if name in config["routers"]), None),
        "settings": {
            "log": log["name"],
            "estimate_cost": log.get("cost_estimated", False),
            "router": label,
            "encoder": config.get("encoder"),
            "seed": seed,
            "protocol": "by_query",
            **{f"{label}.{key}": value for key, value in hyperparameters.items()},
        },
        "provenance": provenance | {"commit": about.get("commit") or provenance.get("commit")},
        "seconds": about.get("tune_seconds"),
        "tune_by": about.get("tuned_by", config.get("tune_by")),
        "about": about,
        "scenarios": config["scenarios"],
        "outcomes": f"seed{seed}",
    }


def _difference(key: str, old: Any, new: Any) -> str:
    """Name the first thing that differs, and both values where they are short."""
    if isinstance(old, dict) and isinstance(new, dict):
        for part in sorted(old.keys() | new.keys()):
            if old.get(part) != new.get(part):
                return _difference(f"{key}.{part}", old.get(part), new.get(part))
    shown = f" ({json.dumps(old)}, not {json.dumps(new)})"
    return key + (shown if len(shown) < 160 else "")
