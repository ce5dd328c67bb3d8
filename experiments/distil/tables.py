"""Students against their base, the LLMs of the log and the controls, on the test queries of each seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from experiments.distil.config import Arm, Distil, label, read_distil
from experiments.distil.students import CONFIG, find_choice
from graphrouter.errors import UserError
from graphrouter.files import replace_file
from graphrouter.log import LLMLog, load_log
from graphrouter.markdown import as_markdown
from graphrouter.splits import by_query


def report(out: Path) -> str:
    """Score every student on the test queries of its seed, and return the tables in Markdown.

    Raises:
        UserError: If the folder holds no experiment, or one that has not ended.
    """
    config = read_distil(str(out / CONFIG))
    log = load_log(config.log, config.rare_tasks)
    counts = sorted({arm.seeds or config.seeds for arm in config.arms}, reverse=True)
    tables = []
    for count in counts:
        arms = [arm for arm in config.arms if (arm.seeds or config.seeds) == count]
        tables.append(_table(config, arms, count, log, out))
    return "\n\n".join(tables)


def _table(config: Distil, arms: list[Arm], seeds: int, log: LLMLog, out: Path) -> str:
    from fusion.evaluation.scoring import score
    from fusion.evaluation.tables import difference_table, score_table

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
    spent = [["student", "rows", "tokens trained on", "minutes", "peak MiB", "kept"], *_spent(arms, seeds, out)]
    drawn = (score_table(shown), difference_table(differences), spent)
    return "\n\n".join([title, *(as_markdown(rows, 2) for rows in drawn)])


def _controls(arms: list[Arm]) -> list[str]:
    return [arm.name for arm in arms if arm.select.get("ranking") in ("baseline", "random")]


def _part(arms: list[Arm], seed: int, log: LLMLog, out: Path) -> Any:
    """Return the measures of the log's LLMs and of a seed's students on its test queries."""
    from fusion.evaluation.scoring import Part, ScoredCandidate, aligned, of_llm

    test = log.take(by_query(log, seed).test)
    values = {ScoredCandidate(llm, "llm", "llm"): of_llm(test, llm) for llm in log.llm_names}
    for arm in arms:
        folder = out / "answers" / label(arm.name, seed)
        if not (folder / "records.parquet").is_file():
            raise UserError(f"{folder} must hold the answers of a student, but does not; run the experiment to its end")
        answers = LLMLog.load(folder)
        values[ScoredCandidate(arm.name, "model", "student")] = aligned(answers, test, answers.llm_names[0])
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
    """Yield what each student was trained on and cost, in the mean over seeds; with what it came after.

    Minutes are those of all that was tried.
    """
    for arm in arms:
        chain = [name for name in (arm.after, arm.name) if name]
        choices = [[find_choice(label(name, seed), out) for name in chain] for seed in range(seeds)]
        known = [
            [json.loads((out / "students" / one["student"] / "training.json").read_text()) for one in run]
            for run in choices
        ]
        rows = sum(stage["rows"] for run in known for one in run for stage in one["stages"].values()) / seeds
        tokens = sum(one["completion_tokens"] for run in known for one in run) / seeds
        minutes = sum(one["minutes"] for run in choices for one in run) / seeds
        memory = max(one["peak_memory"]["mib"] for run in known for one in run)
        kept = ", ".join(_flow(run[-1]["settings"]) for run in choices)
        yield [arm.name, f"{rows:,.0f}", f"{tokens:,.0f}", f"{minutes:.1f}", f"{memory:,.0f}", kept]


def _flow(settings: dict[str, Any]) -> str:
    """Return settings as they would stand on a command line."""
    return " ".join(f"{key}={json.dumps(value)}" for key, value in settings.items()) or "-"
