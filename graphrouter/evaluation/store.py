"""The form of finished runs, the same for comparisons, evaluations, ablations, sweeps and single runs.

```
OUT/runs/ID/run.json            record: id, status, error, settings, scenarios, name of the outcomes, and what else is known
OUT/runs/ID/predictions.npz     predicted quality and cost of the test queries; utilities where they do not follow from these
OUT/outcomes/NAME.npz           test part: ids, tasks, groups, outcomes, costs; once for all runs that are scored on it
```

The folder of a run that is in no folder ``runs`` holds its own ``outcomes``. Files are written whole or not at all, the
record last. All else follows from them: see `graphrouter.evaluation.finished.FinishedRun`.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.errors import UserError, first_line
from graphrouter.files import replace_file
from graphrouter.scenario import Scenario
from graphrouter.typing import Array, Record

ENDS = (Scenario("performance alone", 1.0, 0.0), Scenario("cost alone", 0.0, 1.0))
"""Scenarios that the two ends of `Predictions` are utilities for."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcomes of the evaluated queries of one seed.

    Attributes:
        tasks: [Q] text, empty where a query has no task.
        groups: [Q] int64, queries of equal normalised text share one; the bootstrap draws groups.
        performance: [Q, M] float32, the mean over draws, NaN where missing.
        cost: [Q, M] float64 in US dollars, NaN where not known.
        about: names of the ``llms``, ``cost_scale`` (dollars, fitted on train), ``sizes`` of the splits, a digest of the split, and one of
            ``vectors`` that a function gave.
        ids: [Q] text, the queries' ids; None where they are not known.
    """

    tasks: Array
    groups: Array
    performance: Array
    cost: Array
    about: Record
    ids: Array | None = None

    @property
    def llms(self) -> list[str]:
        """Names of the M LLMs."""
        return list(self.about["llms"])

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
    """Predictions of one fitted router for the evaluated queries.

    Attributes:
        quality: [Q, M] floats, or None for a reference that predicts nothing.
        cost: [Q, M] float64 in US dollars.
        utility: By scenario, [Q, M] float64.
        about: ``settings`` that were chosen, how many were ``tried``, the ``validation`` score, ``fit_seconds``,
            ``tune_seconds``, ``best_is_last``, ``predict_seconds`` and the ``commit`` of the code.
        ends: [2, Q, M] float64, the utilities with all weight on performance and all on cost, for a router whose
            utility is linear in the weights, so that these give its choice for any; None for any other router.
        without: By scenario, [Q] reward of the choices without the new LLM, NaN for none; of a router that took one in.
    """

    quality: Array | None
    cost: Array
    utility: Mapping[str, Array]
    about: Record
    ends: Array | None = None
    without: Mapping[str, Array] = field(default_factory=dict)


def record_file(folder: Path) -> Path:
    """Return the file of a run's record, which is there once the run has ended."""
    return folder / "run.json"


def predictions_file(folder: Path) -> Path:
    """Return the file of what a run predicts."""
    return folder / "predictions.npz"


def read_record(folder: Path) -> Record | None:
    """Read a run's record, or return None where it has none.

    Raises:
        UserError: If there is one that is no JSON, or the run is of an earlier version.
    """
    file = record_file(folder)
    refuse_old_form(folder)
    try:
        record: Record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file} must be JSON, but cannot be read ({first_line(error)}); remove its folder and run again"
        ) from None
    return record


def refuse_old_form(folder: Path) -> None:
    """Raise if a folder of results is of an earlier version.

    Raises:
        UserError: If it is.
    """
    if any(found for mark in ("predictions", "edges.npz", "runs/*/edges.npz") for found in folder.glob(mark)):
        raise UserError(
            f"{folder} holds results of an earlier version, which kept predictions in another form; name another folder, and "
            "run again"
        )


def write_record(folder: Path, record: Record) -> None:
    """Write a run's record, whole or not at all."""
    text = json.dumps(record, indent=1, allow_nan=False)
    replace_file(record_file(folder), f"{text}\n".encode())


def write_predictions(folder: Path, done: Predictions, scenarios: Sequence[Scenario], cost_scale: float) -> None:
    """Keep what a run predicts: utilities only where they are not, digit for digit, the reward of a quality and the cost.

    That quality is the predicted one, or another that the router judges by, as one with caution does: then it is kept too,
    as ``judged``.

    Args:
        folder: Folder of the run.
        done: Predictions; ``about`` belongs into the record.
        scenarios: Those of the utilities.
        cost_scale: Dollars of a normalised cost of 1.
    """
    given = {f"utility/{name}": utility for name, utility in done.utility.items()}
    given |= {} if done.ends is None else {"ends": done.ends}
    arrays = {"cost": done.cost, **given}
    for judged in (done.quality, None if done.ends is None else _narrow(done.ends[0])):
        derived = {} if judged is None else _rewards(judged, done.cost, scenarios, cost_scale)
        if all(key in derived and _same(derived[key], value) for key, value in given.items()):
            arrays = {"cost": done.cost, "swept": np.array(done.ends is not None)}
            arrays |= {} if judged is None or judged is done.quality else {"judged": judged}
            break
    arrays |= {} if done.quality is None else {"quality": done.quality}
    _save(predictions_file(folder), **arrays, **{f"without/{name}": rewards for name, rewards in done.without.items()})


def read_predictions(
    folder: Path, scenarios: Sequence[Scenario], cost_scale: float, about: Record | None = None
) -> Predictions:
    """Read what a run predicts; arguments as of `write_predictions`.

    Raises:
        UserError: If the file is absent or damaged.
    """
    kept = _load(predictions_file(folder))
    found = kept
    if "swept" in kept:
        judged = kept["judged" if "judged" in kept else "quality"]
        found = _rewards(judged, kept["cost"], scenarios, cost_scale) | kept
    utility = {one.name: found[f"utility/{one.name}"] for one in scenarios}
    without = {key.partition("/")[2]: values for key, values in kept.items() if key.startswith("without/")}
    ends = found.get("ends") if kept.get("swept", True) else None
    return Predictions(kept.get("quality"), kept["cost"], utility, about or {}, ends, without)


def _rewards(quality: Array, cost: Array, scenarios: Sequence[Scenario], cost_scale: float) -> dict[str, Array]:
    """Return the utilities of a router that picks by predicted reward, as `Router.utilities` computes them."""
    rewards = [one.reward(quality.astype(np.float64), cost, cost_scale) for one in (*scenarios, *ENDS)]
    names = [f"utility/{one.name}" for one in scenarios]
    return dict(zip(names, rewards, strict=False)) | {"ends": np.stack(rewards[-2:])}


def _narrow(values: Array) -> Array:
    """Return an array as float32 where that loses nothing."""
    narrow = values.astype(np.float32)
    return narrow if _same(narrow.astype(values.dtype), values) else values


def _same(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)


def outcomes_file(folder: Path, name: str) -> Path:
    """Return where a run's outcomes lie."""
    return (folder.parent.parent if folder.parent.name == "runs" else folder) / "outcomes" / f"{name}.npz"


def write_outcomes(file: Path, outcomes: Outcomes) -> None:
    """Keep what a log says of a test part."""
    texts = {"tasks": outcomes.tasks, "ids": outcomes.ids}
    arrays = {name: text.astype(str) for name, text in texts.items() if text is not None}
    arrays |= {name: getattr(outcomes, name) for name in ("groups", "performance", "cost")}
    _save(file, about=np.array(json.dumps(outcomes.about)), **arrays)


def share_outcomes(folder: Path, outcomes: Outcomes) -> str:
    """Keep the outcomes of a run, unless another run of its folder has; returns the name, a digest of what they hold."""
    digest = hashlib.sha256(json.dumps(outcomes.about).encode())
    for values in (outcomes.tasks, outcomes.ids):
        digest.update("\n".join([] if values is None else values.tolist()).encode())
    for values in (outcomes.groups, outcomes.performance, outcomes.cost):
        digest.update(np.ascontiguousarray(values).tobytes())
    name = digest.hexdigest()[:12]
    if not (file := outcomes_file(folder, name)).exists():
        write_outcomes(file, outcomes)
    return name


def read_outcomes(file: Path) -> Outcomes:
    """Read what a log says of a test part; runs that are read one after another share it.

    Raises:
        UserError: If the file is absent or damaged.
    """
    return _outcomes(file, file.stat().st_mtime_ns if file.exists() else 0)


@lru_cache(maxsize=8)
def _outcomes(file: Path, changed: int) -> Outcomes:
    arrays = _load(file)
    return Outcomes(about=json.loads(str(arrays.pop("about"))), **arrays)


def _save(file: Path, **arrays: Any) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    replace_file(file, buffer.getvalue())


def _load(file: Path) -> dict[str, Array]:
    try:
        with np.load(file, allow_pickle=False) as kept:
            return {key: kept[key] for key in kept.files}
    except FileNotFoundError:
        raise UserError(f"{file} is absent, so the run is not whole; remove its run.json, and run again") from None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{file} must be a whole .npz file, but cannot be read ({error}); remove its folder") from None
