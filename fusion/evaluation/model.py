"""The model level: fine-tuned students against their base, every LLM of the log, and routers between these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fusion.asking import raise_problems
from fusion.collect import Guiding, collect, make_plan
from fusion.evaluation.scoring import Measures, Part, ScoredCandidate, aligned, of_choice, of_llm, score
from fusion.llms import LLM, read_llms
from graphrouter.config import make_router
from graphrouter.errors import UserError, suggest
from graphrouter.evaluation.run import fit_router
from graphrouter.log import LLMLog
from graphrouter.prepared import PreparedLog, prepare
from graphrouter.routers import Oracle
from graphrouter.run import RunOptions

SCENARIO = "performance_first"
ROUTERS = ("best_single", "best_per_task", "gnn")
ORACLE = Oracle.name


@dataclass(frozen=True)
class ModelLevel:
    """Scores of students beside routers and LLMs.

    Attributes:
        log: Name of the log.
        queries: Test queries.
        scores: Table of scores, see `fusion.evaluation.scoring.score`.
        differences: Each student's to its base, to the routers, and to the best LLM in hindsight; likewise.
    """

    log: str
    queries: int
    scores: pl.DataFrame
    differences: pl.DataFrame


def find_students(specs: Sequence[str], base: str | None, log: LLMLog) -> list[LLM]:
    """Return the LLMs that are asked.

    Args:
        specs: YAML files of LLMs, and folders of models. A folder is asked by ``transformers`` in the style ``direct``, under
            its own name; size and prices are those of the base where that is an LLM of the log, as fine-tuning leaves
            them as they are.
        base: Name of an LLM of the log, or a folder, which is asked too.
        log: The log.

    Raises:
        UserError: If a spec is neither, or a name occurs twice or is that of an LLM of the log.
    """
    found: list[LLM] = []
    known = _about(base, log) if base in log.llm_names else {}
    for spec in [*specs, *([base] if base is not None and base not in log.llm_names else [])]:
        path = Path(spec)
        if path.suffix in (".yaml", ".yml"):
            found += read_llms(path)
        elif (path / "config.json").is_file():
            found.append(LLM(name=path.resolve().name, model=str(path), engine="transformers", **known))
        else:
            near = suggest(spec, list(log.llm_names)) if spec == base else "; train one with fusion train"
            raise UserError(f"a student must be a YAML file of LLMs or a model's folder, but {spec} is neither{near}")
    names = [llm.name for llm in found]
    for name in names:
        if names.count(name) > 1 or name in log.llm_names:
            raise UserError(f"a student must have a name of its own, but {name!r} occurs twice; rename its folder")
    return found


def _about(llm: str | None, log: LLMLog) -> dict[str, Any]:
    row = log.llms.row(by_predicate=pl.col("llm") == llm, named=True)
    return {key: row[key] for key in ("size_b", "input_price", "output_price")}


def ask(
    log: LLMLog,
    tasks: Sequence[str],
    students: Sequence[LLM],
    out: Path,
    seed: int = 0,
    progress: bool = False,
    part: str = "test",
) -> LLMLog:
    """Ask students queries of a log, and grade their answers; what is answered already is not asked again.

    Args:
        log: The log.
        tasks: Names of the tasks that it was collected with; see `fusion.tasks.find_task`.
        students: LLMs to ask.
        out: Folder for their answers, which is a log too.
        seed: Seed of the split.
        progress: Whether to show a bar.
        part: Part of the split: ``test``, or ``validation`` to choose between students.

    Raises:
        UserError: If the tasks have no such queries of the log, or a student cannot be asked.
    """
    plan = make_plan(tasks, students, guiding=Guiding(prepare(log, seed=seed), part=part))
    done = collect(plan, out, progress=progress)
    raise_problems(done.problems)
    return done.log


def evaluate_models(
    log: LLMLog,
    answers: LLMLog,
    *,
    base: str | None = None,
    seed: int = 0,
    routers: Sequence[str] = ROUTERS,
    encoder: str | None = None,
    run: RunOptions | None = None,
) -> ModelLevel:
    """Compare students with their base, with every LLM of the log and with routers, on the log's test queries.

    Args:
        log: Log that the students were distilled from.
        answers: Log of their answers, from `ask`.
        base: Name of their base, in either log; None to compare with none.
        seed: Seed of the split and the routers.
        routers: Trained on the log's train and validation part. The first is also what is compared with.
        encoder: Encoder of the routers; None for the log's default.
        run: Options of the run.

    Raises:
        UserError: If the base is unknown, or the answers are to other questions.
    """
    run = run or RunOptions()
    prepared = prepare(log, encoder, seed=seed, scenarios=[SCENARIO], device=run.device)
    test, values = prepared.test_log, log_candidates(prepared, routers, run)
    students = student_candidates(answers, test, base)
    if base is not None and base not in (*log.llm_names, *answers.llm_names):
        raise UserError(f"the base must be among the LLMs, but is {base!r}{suggest(base, list(log.llm_names))}")
    part = Part.of(test, values | students)
    targets = [name for name in (base, *routers, best_llm(values)) if name is not None]
    named = [candidate.name for candidate in students if candidate.kind == "student"]
    scores, differences = score([part], [(one, other) for one in named for other in dict.fromkeys(targets)])
    return ModelLevel(log.name, test.queries.height, scores, differences)


def student_candidates(answers: LLMLog, test: LLMLog, base: str | None) -> dict[ScoredCandidate, Measures]:
    """Return the measures of each student, and of a base that was asked beside them."""
    return {
        ScoredCandidate(llm, "model", "base" if llm == base else "student"): aligned(answers, test, llm)
        for llm in answers.llm_names
    }


def log_candidates(prepared: PreparedLog, routers: Sequence[str], run: RunOptions) -> dict[ScoredCandidate, Measures]:
    """Return the measures of every LLM of a log, of routers and of the oracle on its test queries.

    Args:
        prepared: Log with the scenario `SCENARIO`; the routers are trained on its train and validation part.
        routers: Names of the routers.
        run: Options of the run.
    """
    test = prepared.test_log
    values = {ScoredCandidate(llm, "llm", "llm"): of_llm(test, llm) for llm in test.llm_names}
    for name in dict.fromkeys([*routers, ORACLE]):
        done = fit_router(make_router(name), prepared, run=replace(run, progress=False)).predict()
        values[ScoredCandidate(name, "query", "router")] = of_choice(test, done.utility[SCENARIO])
    return values


def best_llm(values: dict[ScoredCandidate, Measures]) -> str:
    """Return the LLM of the best mean performance, in hindsight."""
    means = {one.name: float(np.nanmean(found["performance"])) for one, found in values.items() if one.kind == "llm"}
    return max(means, key=lambda name: means[name])
