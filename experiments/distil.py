"""Which selection teaches a student most: arms x seeds on one log, each arm one `fusion select` and one `fusion train`.

Usage: python -m experiments.distil run --config distil --out runs/distil pool=runs/micropool
       python -m experiments.distil report --out runs/distil
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
from tqdm import tqdm

from graphrouter.cli.options import KEEPS, add_command, finish, tell
from graphrouter.cli.program import Program
from graphrouter.errors import UserError, suggest
from graphrouter.files import check_writable, replace_file
from graphrouter.log import LLMLog, load_log
from graphrouter.settings import check, find_config, merge, parse_overrides, read_yaml, to_plain, to_yaml
from graphrouter.splits import by_query

CONFIG = "config.yaml"


@dataclass
class Arm:
    """One way to make a student.

    Attributes:
        name: Of the student.
        select: Settings of `fusion.selection`; the seed is that of the run.
        train: Settings of `fusion.training`, over those that all arms share.
        base: What it starts from, where that differs from the other arms.
        after: Name of the arm whose student it starts from, and whose data it takes; no selection of its own then.
        seeds: How many, where that differs.
    """

    name: str = ""
    select: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    base: str | None = None
    after: str | None = None
    seeds: int | None = None


@dataclass
class Distil:
    """The experiment.

    Attributes:
        log: Name or folder of the log.
        pool: Folder with ``models/`` and ``tasks/``, from ``experiments.micropool``.
        base: LLM of the log that the students start from.
        seeds: From 0; each is a split, a selection and a training.
        encoder: Of the selection; None for the log's own.
        train: What all arms share.
        arms: In the order of the table.
    """

    log: str = "micropool"
    pool: str = "runs/micropool"
    base: str = ""
    seeds: int = 3
    encoder: str | None = None
    train: dict[str, Any] = field(default_factory=dict)
    arms: list[Arm] = field(default_factory=list)

    def jobs(self) -> list[tuple[Arm, int]]:
        """Return every arm with each of its seeds; one that comes after another stands behind it."""
        ordered = sorted(self.arms, key=lambda arm: arm.after is not None)
        return [(arm, seed) for arm in ordered for seed in range(arm.seeds or self.seeds)]

    def waves(self) -> list[tuple[Callable[..., str], list[tuple[Arm, int]]]]:
        """Return what can be done at a time: a selection by each ranking, which is kept; arms; those that come after."""
        jobs = self.jobs()
        own = [(arm, seed) for arm, seed in jobs if arm.after is None]
        first = {(arm.select.get("ranking"), seed): (arm, seed) for arm, seed in reversed(own)}
        return [
            (make_data, list(first.values())),
            (run_job, own),
            (run_job, [(arm, seed) for arm, seed in jobs if arm.after is not None]),
        ]


def read_distil(name: str, overrides: Sequence[str] = ()) -> Distil:
    """Read the experiment.

    Args:
        name: Of a YAML file, or of one in ``configs/experiments``.
        overrides: Such as ``seeds=1 train.max_steps=10``.

    Raises:
        UserError: If a key is unknown, or an arm names what is not there.
    """
    file = find_config(name, "experiments")
    values = check(Distil, merge(read_yaml(file), parse_overrides(overrides)), str(file))
    made = Distil(**{**values, "arms": [Arm(**arm) for arm in values["arms"]]})
    names = [arm.name for arm in made.arms]
    twice = next((one for one in names if names.count(one) > 1 or not one), None)
    if twice is not None or not names:
        raise UserError(f"{file} must have arms, each with a name of its own, but has {twice or 'none'!r}; change it")
    for arm in made.arms:
        if arm.after is not None and arm.after not in names:
            raise UserError(
                f"{file}: arm {arm.name} comes after {arm.after!r}, which is no arm{suggest(arm.after, names)}"
            )
    return made


def run_job(config: Distil, arm: Arm, seed: int, out: Path) -> str:
    """Select, train and ask; what is there already is kept."""
    from fusion.evaluation.model import ask, find_students
    from fusion.training import make_config, train
    from graphrouter.run import RunOptions

    log = load_log(config.log)
    base = arm.base or config.base
    student = out / "students" / label(arm.name, seed)
    start = Path(config.pool) / "models" / base if arm.after is None else out / "students" / label(arm.after, seed)
    data = make_data(config, arm, seed, out)
    values = {"model": str(start), "data": data, "seed": seed, **merge(config.train, arm.train)}
    about = train(make_config(values, arm.name), student, RunOptions(device="cpu"))
    tasks = [str(file) for file in sorted((Path(config.pool) / "tasks").glob("*.yaml"))]
    ask(log, tasks, find_students([str(student)], base, log), out / "answers" / student.name, seed)
    return f"{student.name}: {about['completion_tokens']:,} tokens, {about['minutes']:.1f} minutes"


def make_data(config: Distil, arm: Arm, seed: int, out: Path) -> str:
    """Return the folder of an arm's data, made where it is not there. A ranking is made once for all arms."""
    from fusion.selection import make_settings, select

    folder = out / "data" / label(arm.after or arm.name, seed)
    if arm.after is None and not (folder / "selection.json").is_file():
        tokenizer = str(Path(config.pool) / "models" / (arm.base or config.base))
        settings = make_settings(
            {"seed": seed, "encoder": config.encoder, "tokenizer": tokenizer, **arm.select}, arm.name
        )
        kept = None if settings.ranking == "baseline" else out / "rankings" / f"{label(settings.ranking, seed)}.parquet"
        select(load_log(config.log), settings, kept=kept).save(folder)
    return str(folder)


def label(arm: str, seed: int) -> str:
    """Return the name of an arm's student of a seed."""
    return f"{arm}-s{seed}"


def run_all(config: Distil, out: Path, jobs: int, progress: bool) -> None:
    """Run every arm with each of its seeds, several at a time, each in a process of its own with one thread.

    Raises:
        UserError: If one does not do, or the folder holds another experiment.
    """
    check_writable(out, "the experiment")
    kept, resolved = out / CONFIG, to_yaml(to_plain(config))
    if kept.exists() and kept.read_text() != resolved:
        raise UserError(f"{kept} must be this experiment, but is another; name another --out, or remove it")
    replace_file(kept, resolved.encode())
    context = multiprocessing.get_context("spawn")
    os.environ["OMP_NUM_THREADS"] = "1"  # the workers inherit it
    total = sum(len(todo) for _, todo in config.waves())
    with tqdm(total=total, desc="jobs", disable=not progress) as bar:
        for job, todo in config.waves():
            with ProcessPoolExecutor(jobs, mp_context=context) as workers:
                running = [workers.submit(job, config, arm, seed, out) for arm, seed in todo]
                try:
                    for done in as_completed(running):
                        bar.write(done.result(), file=sys.stderr)
                        bar.update()
                except BaseException:
                    workers.shutdown(cancel_futures=True)
                    raise


def report(out: Path) -> str:
    """Score every student on the test queries of its seed, and return the tables in Markdown.

    Raises:
        UserError: If the folder holds no experiment, or one that has not ended.
    """
    config = read_distil(str(out / CONFIG))
    log = load_log(config.log)
    counts = sorted({arm.seeds or config.seeds for arm in config.arms}, reverse=True)
    tables = []
    for count in counts:
        arms = [arm for arm in config.arms if (arm.seeds or config.seeds) == count]
        tables.append(_table(config, arms, count, log, out))
    return "\n\n".join(tables)


def _table(config: Distil, arms: list[Arm], seeds: int, log: LLMLog, out: Path) -> str:
    from fusion.evaluation.scoring import score
    from fusion.evaluation.tables import difference_table, score_table
    from fusion.evaluation.text import as_markdown

    parts = [_part(arms, seed, log, out) for seed in range(seeds)]
    single, peer = _best(parts, log), _best(parts, log, arms[0].base or config.base)
    targets = [arms[0].base or config.base, peer, single]
    pairs = [
        (arm.name, other) for arm in arms for other in dict.fromkeys([*targets, *_controls(arms)]) if arm.name != other
    ]
    scores, differences = score(parts, pairs)
    replace_file(out / f"scores_{seeds}.csv", scores.write_csv().encode())
    replace_file(out / f"differences_{seeds}.csv", differences.write_csv().encode())
    shown = scores.filter((pl.col("kind") == "student") | pl.col("candidate").is_in(targets))
    title = f"{seeds} seeds; best LLM of the base's size in hindsight: {peer}; of the pool: {single}."
    spent = [["student", "rows", "tokens trained on", "minutes", "peak MiB"], *_spent(arms, seeds, out)]
    drawn = (score_table(shown), difference_table(differences), spent)
    return "\n\n".join([title, *(as_markdown(rows, 2) for rows in drawn)])


def _controls(arms: list[Arm]) -> list[str]:
    return [arm.name for arm in arms if arm.select.get("ranking") in ("baseline", "random")]


def _part(arms: list[Arm], seed: int, log: LLMLog, out: Path) -> Any:
    """Return what the LLMs of the log and the students of a seed came to on its test queries."""
    from fusion.evaluation.scoring import Candidate, Part, aligned, of_llm

    test = log.take(by_query(log, seed).test)
    values = {Candidate(llm, "llm", "llm"): of_llm(test, llm) for llm in log.llm_names}
    for arm in arms:
        folder = out / "answers" / label(arm.name, seed)
        if not (folder / "records.parquet").is_file():
            raise UserError(f"{folder} must hold the answers of a student, but does not; run the experiment to its end")
        answers = LLMLog.load(folder)
        values[Candidate(arm.name, "model", "student")] = aligned(answers, test, answers.llm_names[0])
    return Part.of(test, values)


def _best(parts: list[Any], log: LLMLog, like: str | None = None) -> str:
    """Return the LLM that is best on the test queries, in hindsight; of the size of another where that is named."""
    from fusion.evaluation.scoring import score

    scores, _ = score(parts, [])
    sizes = dict(log.llms.select("llm", "size_b").iter_rows())
    rows = scores.filter((pl.col("scope") == "all") & (pl.col("kind") == "llm")).sort("performance", descending=True)
    names = [name for name in rows["candidate"] if like is None or sizes[name] == sizes[like]]
    return str(names[0])


def _spent(arms: list[Arm], seeds: int, out: Path) -> Iterator[list[str]]:
    """Yield what each student was trained on and cost, in the mean over seeds; with what it came after."""
    for arm in arms:
        chain = [name for name in (arm.after, arm.name) if name]
        known = [
            [json.loads((out / "students" / label(name, seed) / "training.json").read_text()) for name in chain]
            for seed in range(seeds)
        ]
        rows = sum(stage["rows"] for run in known for one in run for stage in one["stages"].values()) / seeds
        tokens = sum(one["completion_tokens"] for run in known for one in run) / seeds
        minutes = sum(one["minutes"] for run in known for one in run) / seeds
        memory = max(one["peak_memory"]["mib"] for run in known for one in run)
        yield [arm.name, f"{rows:,.0f}", f"{tokens:,.0f}", f"{minutes:.1f}", f"{memory:,.0f}"]


def add_commands(commands: Any) -> None:
    """Add the commands."""
    text = "select, train and ask every student, then print the tables"
    overrides = "a key of the config, such as seeds=1 train.max_steps=100"
    parser = add_command(commands, "run", run, text, overrides=overrides, resume=KEEPS)
    parser.add_argument("--config", default="distil", help="YAML, or a name in configs/experiments (default: distil)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for all of it")
    parser.add_argument("--jobs", type=int, default=4, help="students at a time (default: 4)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)
    parser = add_command(commands, "report", print_report, "print the tables of an experiment that has ended")
    parser.add_argument("--out", required=True, metavar="DIR")
    finish(parser)


def run(args: argparse.Namespace) -> None:
    """Run the experiment and print its tables."""
    if args.jobs < 1:
        raise UserError(f"--jobs must be 1 or more, but is {args.jobs}")
    run_all(read_distil(args.config, args.overrides), Path(args.out), args.jobs, not args.quiet)
    print_report(args)


def print_report(args: argparse.Namespace) -> None:
    """Print the tables, and write them to ``report.md``."""
    text = report(Path(args.out))
    replace_file(Path(args.out) / "report.md", f"{text}\n".encode())
    print(text)
    tell(f"{args.out}: report.md, and the numbers as CSV")


PROGRAM = Program("distil", "Which selection teaches a student most.", "", [SimpleNamespace(add_commands=add_commands)])

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
