"""The folder of a comparison: its config, what the log says of the test queries, and every router's predictions.

```
OUT/config.json                       what was run, resolved
OUT/outcomes/seed0.npz                test queries of a seed: outcomes, costs, tasks, groups
OUT/predictions/ROUTER-seed0.npz      what a fitted router predicts of them
OUT/queries.parquet                   ids and the first letters of the first seed's test queries, for the report
OUT/results.csv  summary.csv  choices.parquet  curves.csv  report.html  figures/  tables/   derived from the above
```

Files are written whole or not at all. A finished prediction is never written again.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.errors import UserError
from graphrouter.files import replace_file
from graphrouter.scenario import Scenario

Array = np.ndarray
Config = dict[str, Any]

FIXED = ("kind", "log", "vectors", "router", "scenarios", "tune", "tune_by", "settings")
"""The parts of a config that must not change while predictions made under it are used: all are inputs. What is computed from
them is none, for its last digits depend on threads, processor and library versions."""

MAKES = ("router", "hyperparameters", "search_space", "code")
"""The parts of a router's config that make what it predicts; ``code`` is there for one from outside the package."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a log says of the evaluated queries of one seed.

    Attributes:
        tasks: [Q] text, empty where a query has no task.
        groups: [Q] int64, queries of equal normalised text share one; the bootstrap draws groups.
        performance: [Q, M] float32, the mean over draws, NaN where missing.
        cost: [Q, M] float64 in US dollars, NaN where not known.
        about: ``cost_scale`` (dollars, fitted on train), ``sizes`` of the splits, a digest of the split, and one of
            ``vectors`` that a function gave.
        ids: [Q] text, the queries' ids; None in a folder of an earlier version, which kept none.
    """

    tasks: Array
    groups: Array
    performance: Array
    cost: Array
    about: Config
    ids: Array | None = None

    @property
    def cost_scale(self) -> float:
        """Dollars of a normalised cost of 1; NaN where the log has no cost."""
        scale = self.about["cost_scale"]
        return float("nan") if scale is None else float(scale)

    def rewards(self, scenario: Scenario) -> Array:
        """Return [Q, M] float64, the reward of each cell, NaN where missing."""
        return scenario.reward(self.performance.astype(np.float64), self.cost, self.cost_scale)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one fitted router says of the evaluated queries.

    Attributes:
        quality: [Q, M] float32, or None for a reference that predicts nothing.
        cost: [Q, M] float64 in US dollars.
        utility: By scenario, [Q, M] float64.
        about: ``settings`` that were chosen, how many were ``tried``, the ``validation`` score, ``fit_seconds``,
            ``tune_seconds``, ``predict_seconds`` and the ``commit`` of the code.
        ends: [2, Q, M] float64, the utilities with all weight on performance and all on cost, for a router whose
            utility is linear in the weights, so that these give its choice for any; None for any other router.
    """

    quality: Array | None
    cost: Array
    utility: Mapping[str, Array]
    about: Config
    ends: Array | None = None


class Store:
    """Reads and writes the folder of a comparison."""

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)

    def begin(self, config: Config) -> None:
        """Write the config, or check that what is finished was made under the same one.

        Routers and seeds may be added to a comparison. Nothing else may change, and none that has results may be left
        out; what was asked for before and never finished may.

        Raises:
            UserError: If the folder holds another comparison or other files, or cannot be written.
        """
        if (self.out / "config.json").exists():
            finished = self.finished()
            if finished:
                self._check(self.config(), json.loads(json.dumps(config)), finished)
        elif self.out.is_dir() and any(self.out.iterdir()):
            raise UserError(f"{self.out} holds other files; name a new folder for the results")
        self.write("config.json", json.dumps(config, indent=2) + "\n")

    def _check(self, old: Config, new: Config, finished: set[tuple[str, int]]) -> None:
        kept = "; nothing was overwritten, name another folder"
        if "vectors" not in old:
            old = old | self._vectors_before(old, new)
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

    def _vectors_before(self, old: Config, new: Config) -> Config:
        """Return what identifies the vectors of a folder of an earlier version, which named the encoder and no more.

        Raises:
            UserError: If the name does not tell: of vectors that are given, and of a router that was fitted elsewhere.
        """
        if new.get("kind") != "compare" or str(new.get("vectors")).startswith(("log:", "array:")):
            raise UserError(
                f"{self.out} holds results of an earlier version, which do not say what they were made from; nothing was "
                "overwritten, name another folder"
            )
        same = old.get("encoder") == new.get("encoder")
        return {"vectors": new.get("vectors") if same else old.get("encoder")}

    def finished(self) -> set[tuple[str, int]]:
        """Return the routers and seeds whose predictions are kept."""
        names = (re.fullmatch(r"(.+)-seed(-?\d+)\.npz", file.name) for file in (self.out / "predictions").glob("*.npz"))
        return {(name[1], int(name[2])) for name in names if name}

    def config(self) -> Config:
        """Read the config.

        Raises:
            UserError: If there is none, or it is no JSON.
        """
        file = self.out / "config.json"
        try:
            config: Config = json.loads(file.read_text())
        except FileNotFoundError:
            raise UserError(f"{self.out} must be the folder of a comparison, but has no config.json") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{file} must be JSON, but {error}; name another folder") from None
        return config

    def write(self, name: str, text: str) -> Path:
        """Write a text file below the folder, whole or not at all."""
        replace_file(self.out / name, text.encode())
        return self.out / name

    def save_predictions(self, label: str, seed: int, predictions: Predictions) -> None:
        """Keep what a router predicts."""
        arrays = {f"utility/{scenario}": utility for scenario, utility in predictions.utility.items()}
        if predictions.ends is not None:
            arrays["ends"] = predictions.ends
        if predictions.quality is not None:
            arrays["quality"] = predictions.quality.astype(np.float32)
        self._save(self._predictions_file(label, seed), predictions.about, cost=predictions.cost, **arrays)

    def predictions(self, label: str, seed: int) -> Predictions:
        """Read what a router predicts."""
        arrays, about = self._load(self._predictions_file(label, seed))
        utility = {key.split("/", 1)[1]: array for key, array in arrays.items() if key.startswith("utility/")}
        return Predictions(arrays.get("quality"), arrays["cost"], utility, about, arrays.get("ends"))

    def keep_outcomes(self, seed: int, outcomes: Outcomes) -> Outcomes:
        """Keep a seed's outcomes; where predictions were made with others, check that their inputs are the same.

        Returns:
            Those that are kept: the cost scale of the first run holds for all that the folder gets.

        Raises:
            UserError: If the split or the vectors have changed.
        """
        file = self.out / "outcomes" / f"seed{seed}.npz"
        if file.exists() and any(number == seed for _, number in self.finished()):
            before = self.outcomes(seed)
            given = {key: value for key, value in outcomes.about.items() if key != "cost_scale"}
            if {key: before.about.get(key) for key in given} != given:
                raise UserError(
                    f"{self.out} holds results for other splits or vectors of seed {seed}; nothing was overwritten, name "
                    "another folder"
                )
            return before
        texts = {"tasks": outcomes.tasks, "ids": outcomes.ids}
        arrays = {name: text.astype(str) for name, text in texts.items() if text is not None}
        arrays |= {name: getattr(outcomes, name) for name in ("groups", "performance", "cost")}
        self._save(file, outcomes.about, **arrays)
        return outcomes

    def outcomes(self, seed: int) -> Outcomes:
        """Read a seed's outcomes."""
        arrays, about = self._load(self.out / "outcomes" / f"seed{seed}.npz")
        return Outcomes(about=about, **arrays)

    def _predictions_file(self, label: str, seed: int) -> Path:
        return self.out / "predictions" / f"{label}-seed{seed}.npz"

    def _save(self, file: Path, about: Config, **arrays: Any) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, about=np.array(json.dumps(about)), **arrays)
        replace_file(file, buffer.getvalue())

    def _load(self, file: Path) -> tuple[dict[str, Array], Config]:
        try:
            with np.load(file, allow_pickle=False) as kept:
                arrays = {key: kept[key] for key in kept.files}
            return arrays, json.loads(str(arrays.pop("about")))
        except FileNotFoundError:
            raise UserError(f"{self.out} is not finished: {file.name} is absent; run the comparison again") from None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{file} must be a whole .npz file, but cannot be read ({error}); remove it") from None


def _difference(key: str, old: Any, new: Any) -> str:
    """Name the first thing that differs, and both values where they are short."""
    if isinstance(old, dict) and isinstance(new, dict):
        for part in sorted(old.keys() | new.keys()):
            if old.get(part) != new.get(part):
                return _difference(f"{key}.{part}", old.get(part), new.get(part))
    shown = f" ({json.dumps(old)}, not {json.dumps(new)})"
    return key + (shown if len(shown) < 160 else "")
