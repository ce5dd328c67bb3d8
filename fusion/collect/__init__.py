"""Tasks x LLMs x styles x draws to a canonical log; a killed run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fusion.answers import Answers
from fusion.budget import Budget, check_budget, highest_cost
from fusion.collect.assembly import assemble, failures_csv
from fusion.collect.grading import Grading
from fusion.collect.guiding import Guiding
from fusion.collect.outcome import Empty, Unanswered, find_empty, find_unanswered, most_frequent
from fusion.collect.plan import CollectionPlan, interleave
from fusion.journal import Journal
from fusion.llms import LLM
from fusion.tasks import find_task, load_examples
from fusion.tasks.question import Question
from graphrouter.errors import UserError
from graphrouter.files import check_writable, replace_file
from graphrouter.log import LLMLog
from graphrouter.run import provenance
from graphrouter.settings import to_plain

__all__ = ["Collection", "CollectionPlan", "Guiding", "collect", "guides_folder", "make_plan", "preview"]

JOURNAL = "collect"
"""Folder inside the log's folder with the journal and what was asked of whom."""


@dataclass(frozen=True)
class Collection:
    """Result of a run of `collect`.

    Attributes:
        log: All graded answers.
        cells: Number of cells in the plan.
        failed: Cells that got no answer; ``collect/failed.csv`` has the reasons.
        reason: The most frequent one; empty where nothing failed.
        unanswered: Candidates that were asked and have no answer at all.
        empty: Candidates with answers that have no text, although there may be tokens to pay for.
        spent: US dollars, earlier runs included.
        over_budget: Whether the budget ended the run.
        problems: Error that ended the asking of an LLM, by its name.
    """

    log: LLMLog
    cells: int
    failed: int
    reason: str
    unanswered: Sequence[Unanswered]
    empty: Sequence[Empty]
    spent: float
    over_budget: bool
    problems: Mapping[str, UserError]


def make_plan(
    tasks: Sequence[str],
    llms: Sequence[LLM],
    *,
    limit: int | None = None,
    draws: int = 1,
    styles: Sequence[str] | None = None,
    seed: int = 0,
    data: Path | None = None,
    guiding: Guiding | None = None,
) -> CollectionPlan:
    """Load the tasks' examples and lay out all cells.

    Args:
        tasks: See `fusion.tasks.find_task`.
        llms: Who is asked.
        limit: At most so many questions of each task; a smaller limit takes a part of a larger one.
        draws: Answers per query and candidate.
        styles: Only these of each LLM's styles; None for all.
        seed: Seed of the choice of questions and of sampling.
        data: Folder with local copies of the tasks' data sets; None to load from the hub.
        guiding: The log that guides come from, or that says which questions are asked; None for neither.

    Raises:
        UserError: If a task is unknown or cannot be loaded, a guide cannot be made, or the plan breaks a rule.
    """
    if draws < 1 or (limit is not None and limit < 1):
        raise UserError(f"draws and limit must be 1 or more, but are {draws} and {limit}")
    if styles is not None:
        llms = [replace(llm, styles=[style for style in llm.styles if style in styles]) for llm in llms]
    known = []
    for spec in dict.fromkeys(tasks):
        task = find_task(spec)
        examples = load_examples(task, limit=None if guiding else limit, seed=seed, data=data)
        known.append([Question(task, example) for example in examples])
    names = [of_task[0].task.name for of_task in known if of_task]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f"each task must have a name of its own, but {twice!r} occurs twice; leave one out")
    if guiding is None:
        return CollectionPlan(list(interleave(known)), llms, draws, seed)
    asked = list(interleave([guiding.choose(of_task)[:limit] for of_task in known]))
    if not asked:
        raise UserError(
            f"the tasks must have questions in the {guiding.part} part of {guiding.source.log.name}, but have none; "
            "name the tasks of that log"
        )
    guides = guiding.find(asked, [question for of_task in known for question in of_task], llms)
    return CollectionPlan(asked, llms, draws, seed, guides, guiding.rooms(llms), guiding.source.log.encoder)


def guides_folder(out: Path) -> Path:
    """Return where a log's folder keeps what its guides found."""
    return out / JOURNAL / "guides"


def collect(
    plan: CollectionPlan, out: Path, *, budget: float | None = None, regrade: bool = False, progress: bool = True
) -> Collection:
    """Ask what is not answered yet, grade it, and write the log.

    Args:
        plan: Cells to ask.
        out: Folder of the log. Its ``collect/answers.jsonl`` gets every answer at once.
        budget: US dollars that this log may cost, earlier runs included; None for no limit.
        regrade: Whether to grade earlier answers anew.
        progress: Whether to show a bar.

    Raises:
        UserError: If the folder holds something else, the journal belongs to another plan, the budget needs prices
            that an LLM lacks, or there is no answer at all.
        KeyboardInterrupt: After Ctrl-C, once the log of what is there is written.
    """
    _check(plan, out, budget)
    folder = out / JOURNAL
    if regrade:
        (folder / "grades.jsonl").unlink(missing_ok=True)
    interrupted = None
    asking = None
    with Journal(folder / "answers.jsonl") as journal, Journal(folder / "grades.jsonl") as graded:
        answers = Answers(plan.jobs(), journal)
        _note(plan, folder)
        for guide in plan.guides:
            guide.save(guides_folder(out))
        spending = Budget(budget, answers.spent())
        grading = Grading({cell.key: cell for cell in plan.cells}, answers, graded)
        try:
            asking = answers.ask(spending, grading.submit, progress)
        except KeyboardInterrupt as error:
            interrupted = error
        finally:
            grading.finish()
    replace_file(folder / "failed.csv", failures_csv(answers.failures).encode("utf-8", errors="replace"))
    problems = asking.problems if asking else {}
    if not grading.grades and (interrupted or problems):
        raise interrupted or next(iter(problems.values()))
    log = assemble(plan, answers, grading.grades, out.resolve().name)
    log.save(out, keep=(JOURNAL,))
    if interrupted:
        raise interrupted
    return Collection(
        log=log,
        cells=len(plan.cells),
        failed=len(answers.failures),
        reason=most_frequent(answers.failures.values())[0] if answers.failures else "",
        unanswered=find_unanswered(plan, answers),
        empty=find_empty(plan, answers),
        spent=spending.spent,
        over_budget=bool(asking and asking.over_budget),
        problems=problems,
    )


def preview(plan: CollectionPlan) -> dict[str, float]:
    """Return, for each LLM, the most that its cells can cost in US dollars, each asked once; 0 without prices."""
    most: dict[str, float] = {llm.name: 0.0 for llm in plan.llms}
    for cell in plan.cells:
        most[cell.llm.name] += highest_cost(cell.llm, cell.request)
    return most


def _check(plan: CollectionPlan, out: Path, budget: float | None) -> None:
    check_writable(out, "a log")
    others = [file.name for file in out.iterdir() if file.name != JOURNAL] if out.is_dir() else []
    if others and not (out / JOURNAL).is_dir():
        raise UserError(f"{out} must be new, or hold a collected log, but holds {others[0]}; name another folder")
    check_budget(budget, plan.llms)


def _note(plan: CollectionPlan, folder: Path) -> None:
    """Write down what is asked of whom, beside the journal. Options name where a key is, never the key."""
    about: dict[str, Any] = {
        "tasks": {question.task.name: str(question.task.hub or question.task.examples) for question in plan.questions},
        "queries": len(plan.questions),
        "draws": plan.draws,
        "seed": plan.seed,
        "llms": to_plain(list(plan.llms)),
        "guides": {guide.name: {"styles": list(guide.styles), **guide.about} for guide in plan.guides},
        **provenance(),
    }
    replace_file(folder / "run.json", json.dumps(about, indent=2, default=str).encode() + b"\n")
