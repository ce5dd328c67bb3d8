"""Each arm with each of its seeds: select, train, choose on validation, ask the test queries."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from experiments.distil.config import Arm, Distil, label, read_distil
from experiments.launch import Processes
from graphrouter.errors import UserError
from graphrouter.files import check_writable, replace_file
from graphrouter.log import load_log
from graphrouter.settings import merge, to_plain, to_yaml

CONFIG, CHOICES = "config.yaml", "choices"


def run_job(config: Distil, arm: Arm, seed: int, out: Path) -> str:
    """Select, train with each of the settings that are tried, and ask the best; what is there already is kept."""
    from fusion.training import make_config, train
    from graphrouter.run import RunOptions

    name = label(arm.name, seed)
    start = Path(config.pool) / "models" / (arm.base or config.base)
    if arm.after is not None:
        start = find_student(label(arm.after, seed), out)
    values = {"model": str(start), "data": make_data(config, arm, seed, out), "seed": seed}
    tries = config.tries if arm.tries is None else arm.tries
    students, minutes = [out / "students" / f"{name}-t{number}" for number in range(len(tries))], 0.0
    for student, settings in zip(students, tries, strict=True):
        chosen = merge(merge(config.train, arm.train), settings)
        minutes += train(make_config({**values, **chosen}, name), student, RunOptions(device="cpu"))["minutes"]
    checked = [_ask(config, arm, seed, student, out / "checks" / student.name, "validation") for student in students]
    best = int(np.argmax(checked))
    choice = {"student": students[best].name, "settings": tries[best], "validation": checked, "minutes": minutes}
    replace_file(out / CHOICES / f"{name}.json", json.dumps(choice, indent=2).encode())
    _ask(config, arm, seed, students[best], out / "answers" / name, "test")
    return f"{name}: {minutes:.1f} minutes, performance on validation {', '.join(f'{one:.4f}' for one in checked)}"


def _ask(config: Distil, arm: Arm, seed: int, student: Path, folder: Path, part: str) -> float:
    """Ask a student the questions of a part, and return its mean performance."""
    from fusion.evaluation.model import ask, find_students

    log = load_log(config.log, config.rare_tasks)
    tasks = [str(file) for file in sorted((Path(config.pool) / "tasks").glob("*.yaml"))]
    students = find_students([str(student)], arm.base or config.base, log)
    return float(np.nanmean(ask(log, tasks, students, folder, seed, part=part).cells("performance")))


def find_choice(name: str, out: Path) -> dict[str, Any]:
    """Return which of its students an arm has kept for a seed.

    Raises:
        UserError: If it has not come so far.
    """
    file = out / CHOICES / f"{name}.json"
    if not file.is_file():
        raise UserError(f"{out} must hold the student {name}, but does not; run the experiment to its end")
    choice: dict[str, Any] = json.loads(file.read_text())
    return choice


def find_student(name: str, out: Path) -> Path:
    """Return the folder of the student that an arm has kept for a seed."""
    return out / "students" / str(find_choice(name, out)["student"])


def make_data(config: Distil, arm: Arm, seed: int, out: Path) -> str:
    """Return the folder of an arm's data, made where it is not there. A ranking is made once for all arms."""
    from fusion.selection import make_settings, select

    folder = out / "data" / label(arm.after or arm.name, seed)
    if arm.after is None and not (folder / "selection.json").is_file():
        tokenizer = str(Path(config.pool) / "models" / (arm.base or config.base))
        settings = make_settings(
            {"seed": seed, "encoder": config.encoder, "tokenizer": tokenizer, **arm.select}, arm.name
        )
        cache = (
            None if settings.ranking == "baseline" else out / "rankings" / f"{label(settings.ranking, seed)}.parquet"
        )
        select(load_log(config.log, config.rare_tasks), settings, cache=cache).save(folder)
    return str(folder)


def waves(config: Distil) -> list[tuple[Callable[..., str], list[tuple[Arm, int]]]]:
    """Return steps that can run side by side: a cached selection by each ranking; arms; arms that come after."""
    jobs = config.jobs()
    own = [(arm, seed) for arm, seed in jobs if arm.after is None]
    first = {(arm.select.get("ranking"), seed): (arm, seed) for arm, seed in reversed(own)}
    return [
        (make_data, list(first.values())),
        (run_job, own),
        (run_job, [(arm, seed) for arm, seed in jobs if arm.after is not None]),
    ]


def run_all(config: Distil, out: Path, jobs: int, progress: bool) -> None:
    """Run every arm with each of its seeds, several at a time, each in a process of its own with one thread.

    Raises:
        UserError: If one does not do, or the folder holds another experiment.
    """
    check_writable(out, "the experiment")
    kept, resolved = out / CONFIG, to_yaml(to_plain(config))
    if kept.exists() and read_distil(str(kept)) != config:
        raise UserError(f"{kept} must be this experiment, but is another; name another --out, or remove it")
    replace_file(kept, resolved.encode())
    total = sum(len(todo) for _, todo in waves(config))
    with Processes(jobs) as workers, tqdm(total=total, desc="jobs", disable=not progress) as bar:
        for job, todo in waves(config):
            for done in as_completed([workers.submit(job, config, arm, seed, out) for arm, seed in todo]):
                bar.write(done.result(), file=sys.stderr)
                bar.update()
