"""Grades real responses with our graders and compares with the sources' own marks, per LLM and per task.

``DATA`` has a folder for each source with ``queries``, ``records`` and ``responses`` (Parquet, the project's own layout). Which
grader a task gets is in `METRICS`. Responses that were cut when the data was made are left out.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from fusion.tasks.base import Example
from fusion.tasks.graders import GRADERS
from fusion.tasks.graders.answers import boxed
from graphrouter.errors import UserError
from graphrouter.markdown import as_markdown

METRICS = {
    "mmlu_pro": {"*": "em_mc"},
    "zeroeval": {"gsm8k": "numeric", "math_l5": "math_equal"},
    "fasteval": {"gsm8k": "numeric", "math": "math_equal", "mmlu": "em_mc", "bbh": "em_mc"},
}
"""By source and task; ``*`` stands for every task. A task that is not named has no grader here."""

OPTION = re.compile(r"^\s*\(?([A-J])[.)]\s(.*)$", re.MULTILINE)
SLOW = [
    f"{source} {task}" for source, tasks in METRICS.items() for task, metric in tasks.items() if metric == "math_equal"
]
"""Tasks whose comparison takes milliseconds: a sample of them is graded, and they stand in the table per task alone."""
CUT_AT = 8_000  # characters, when the data was made
KEYS = ("source", "task", "llm")
TABLES = "## Per task"


def main(arguments: Sequence[str] | None = None) -> int:
    """Grade, write ``records.parquet`` and ``regrade.csv``, and print the tables; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _check(options)
        records = _grade(options)
        before = pl.read_parquet(options.before / "records.parquet") if options.before else None
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    records.write_parquet(options.out / "records.parquet")
    compare(records, before, KEYS).write_csv(options.out / "regrade.csv")
    page = _tables(records, before)
    print(page)
    if options.page:
        notes = options.page.read_text(encoding="utf-8").partition(TABLES)[0] if options.page.exists() else ""
        options.page.write_text(f"{notes}{page}\n", encoding="utf-8")
    return 0


def _tables(records: pl.DataFrame, before: pl.DataFrame | None) -> str:
    """Return the tables per task and per LLM; the tasks of a source whose tasks have one grader are one row."""
    subjects = [source for source, metrics in METRICS.items() if "*" in metrics]
    task = pl.when(pl.col("source").is_in(subjects)).then(pl.lit("all")).otherwise("task").alias("task")
    quick = records.filter(~(pl.col("source") + " " + pl.col("task")).is_in(SLOW))
    pooled = (records.with_columns(task), before.with_columns(task) if before is not None else None)
    per_task = markdown(compare(*pooled, ("source", "task")))
    return f"{TABLES}\n\n{per_task}\n\n## Per LLM\n\n{markdown(compare(quick, before, ('source', 'llm')))}"


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    made.add_argument("data", metavar="DATA", type=Path, help="folder with a folder for each source")
    made.add_argument("--sources", default=",".join(METRICS), help="of which (default: %(default)s)")
    made.add_argument("--tasks", help="of which; all by default")
    made.add_argument("--llms", help="of which; all by default")
    made.add_argument(
        "--sample", type=int, help="responses of each LLM to each task, the same in every run; all by default"
    )
    made.add_argument("--slow", type=int, default=100, help="the same of the tasks of mathematics (default: 100)")
    made.add_argument("--processes", type=int, default=2, help="that grade (default: 2)")
    made.add_argument("--before", type=Path, help="--out of a run with other graders, to stand beside")
    made.add_argument("--page", type=Path, help="Markdown file in which the tables take the place of those there")
    made.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the results; LLMs that were graded there are not graded again",
    )
    return made


def _check(options: argparse.Namespace) -> None:
    unknown = [source for source in options.sources.split(",") if source not in METRICS]
    if unknown:
        raise UserError(f"--sources must be of {', '.join(METRICS)}, but has {unknown[0]!r}")
    if min(options.processes, options.slow, options.sample or 1) < 1:
        raise UserError("--processes, --slow and --sample must be 1 or more")


def _grade(options: argparse.Namespace) -> pl.DataFrame:
    """Return all records with both marks, one process for an LLM of a source at a time."""
    graded: list[pl.DataFrame] = []
    spawn = get_context("spawn")  # a fork would inherit Polars's locks
    with ProcessPoolExecutor(options.processes, mp_context=spawn) as pool:
        jobs = []
        for source in options.sources.split(","):
            responses = _responses(options, source)
            folder = (
                options.out / "llms" / f"{source}-{options.sample or 'all'}-{options.slow}-{options.tasks or 'all'}"
            )
            folder.mkdir(parents=True, exist_ok=True)
            for (llm,), rows in responses.partition_by("llm", as_dict=True).items():
                file = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', str(llm))}.parquet"
                jobs.append(pool.submit(partial(_grade_llm, source, rows, file)))
        for number, job in enumerate(as_completed(jobs), 1):
            graded.append(job.result())
            print(f"{number} of {len(jobs)} LLMs", end="\r", file=sys.stderr, flush=True)
    return pl.concat(graded).sort(*KEYS, "query_id")


def _responses(options: argparse.Namespace, source: str) -> pl.DataFrame:
    """Return the responses of a source whose task has a grader, with the source's mark and the query."""
    folder = options.data / source
    metrics = METRICS[source]
    rows = (
        pl.read_parquet(folder / "responses.parquet")
        .join(pl.read_parquet(folder / "records.parquet"), on=["query_id", "llm"])
        .join(pl.read_parquet(folder / "queries.parquet"), on="query_id")
        .filter(pl.col("response_chars") <= CUT_AT)
    )
    if "*" not in metrics:
        rows = rows.filter(pl.col("task").is_in(list(metrics)))
    for column in ("task", "llm"):
        if chosen := getattr(options, f"{column}s"):
            rows = rows.filter(pl.col(column).is_in(chosen.split(",")))
    order = pl.col("query_id").hash(seed=0).rank("ordinal").over("llm", "task")
    slow = (pl.lit(f"{source} ") + pl.col("task")).is_in(SLOW)
    rows = rows.filter(~slow | (order <= options.slow), slow | (order <= (options.sample or rows.height)))
    return rows.select("query_id", "llm", "task", "query", "ground_truth", "performance", "response")


def _grade_llm(source: str, rows: pl.DataFrame, file: Path) -> pl.DataFrame:
    """Return the graded records of an LLM, from their file where it is there."""
    if file.is_file():
        return pl.read_parquet(file)
    found = []
    for row in rows.iter_rows(named=True):
        metric = METRICS[source].get(row["task"]) or METRICS[source]["*"]
        example = example_of(metric, row["query_id"], row["query"], row["ground_truth"] or "")
        if example is not None:
            grade = GRADERS[metric](row["response"], example)
            marks = (float(row["performance"]), grade.performance, grade.prediction)
            found.append((source, row["task"], row["llm"], row["query_id"], *marks))
    schema = {**dict.fromkeys((*KEYS, "query_id"), pl.String), "theirs": pl.Float64, "ours": pl.Float64}
    graded = pl.DataFrame(found, schema={**schema, "prediction": pl.String}, orient="row")
    draft = file.with_suffix(".draft")
    graded.write_parquet(draft)
    draft.rename(file)
    return graded


def example_of(metric: str, query_id: str, query: str, gold: str) -> Example | None:
    """Return the example of a query; None where its gold answer is of a kind that the grader is not for."""
    if metric == "em_mc":
        return Example(query_id, query, gold, _options(query)) if re.fullmatch(r"\(?[A-J]\)?", gold) else None
    if metric == "math_equal":
        return Example(query_id, query, boxed(gold) or gold)
    if metric == "numeric":
        return Example(query_id, query, gold.rpartition("####")[2].strip())
    return Example(query_id, query, gold)


def _options(query: str) -> tuple[str, ...]:
    """Return the options below a question: the last lines that are lettered from A on."""
    options: list[str] = []
    for letter, text in OPTION.findall(query):
        if letter == "A":
            options = []
        if letter == "ABCDEFGHIJ"[len(options) : len(options) + 1]:
            options.append(text.strip())
    return tuple(options)


def compare(records: pl.DataFrame, before: pl.DataFrame | None, keys: Sequence[str]) -> pl.DataFrame:
    """Return, per group: records, mean of the source's marks, of ours, and the share of equal marks."""
    figures = _figures(records, keys, "after" if before is not None else "ours")
    if before is None:
        return figures
    earlier = _figures(before.join(records, on=[*KEYS, "query_id"], how="semi"), keys, "before")
    joined = figures.join(earlier.drop("n", "source mean"), on=keys)
    return joined.select(*keys, "n", "source mean", "before", "after", "agreement before", "agreement after")


def _figures(records: pl.DataFrame, keys: Sequence[str], name: str) -> pl.DataFrame:
    same = ((pl.col("ours") - pl.col("theirs")).abs() < 1e-6).mean()
    means = (pl.col("theirs").mean().alias("source mean"), pl.col("ours").mean().alias(name))
    return records.group_by(keys).agg(pl.len().alias("n"), *means, same.alias(f"agreement {name}")).sort(keys)


def markdown(figures: pl.DataFrame) -> str:
    """Return the figures as a Markdown table."""
    cells = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in figures.iter_rows()]
    return as_markdown([figures.columns, *cells], left=2)


if __name__ == "__main__":
    sys.exit(main())
