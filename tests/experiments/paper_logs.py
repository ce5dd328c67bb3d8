"""Small logs of the form that the published tables need, of which it is known what LLM is best for what query."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from graphrouter.cli.program import Program
from graphrouter.log import LLMLog

SKILL = {"alpha": (0.9, 0.2, 0.6), "beta": (0.2, 0.9, 0.4), "gamma": (0.5, 0.5, 0.5), "delta": (0.4, 0.3, 0.9)}
"""Chance of each LLM to be right on algebra, history and code."""
TASKS = ("algebra", "history", "code")
QUICK = {
    "gnn": ("gnn.steps=40", "gnn.members=1"),
    "graphrouter": ("graphrouter.steps=2", "graphrouter.passes=1"),
    "mlp": ("mlp.steps=40",),
    "routerdc": ("routerdc.steps=40",),
}

Paper = Callable[..., str]


def make_paper_log(
    parts: dict[str, dict[str | None, int]],
    *,
    llms: tuple[str, ...] = tuple(SKILL),
    repeated: int = 0,
    cost: bool = True,
    judge: bool = False,
    name: str = "planted",
) -> LLMLog:
    """Make a log.

    Args:
        parts: Number of queries by task and by the source's label.
        llms: Some of those in `SKILL`.
        repeated: How many queries labelled ``test`` have the wording of one labelled ``train``.
        cost: Whether there are tokens and prices.
        judge: Whether there are judge scores.
        name: Of the log.
    """
    random = np.random.default_rng(0)
    queries: list[dict[str, Any]] = []
    for task, labels in parts.items():
        for label, count in labels.items():
            queries += [
                {
                    "task": task,
                    "source_split": label,
                    "query": f"{task} question {label} {number}",
                    "domain": f"d-{task}",
                }
                for number in range(count)
            ]
    train = [query["query"] for query in queries if query["source_split"] == "train"]
    tested = [query for query in queries if query["source_split"] == "test"]
    for query, text in zip(tested[len(tested) - repeated :], train[:repeated], strict=True):
        query["query"] = text.upper()
    for number, query in enumerate(queries):
        query["query_id"] = f"q{number:04}"
    records = []
    for query in queries:
        for llm in llms:
            right = float(random.random() < SKILL[llm][TASKS.index(query["task"])])
            record = {"query_id": query["query_id"], "llm": llm, "performance": right}
            record |= {"input_tokens": 30.0, "output_tokens": 60.0} if cost else {}
            records.append(record | ({"judge_score": 5 * right} if judge else {}))
    about: dict[str, Any] = {"llm": list(llms), "size_b": [7.0 + 10 * place for place in range(len(llms))]}
    if cost:
        about |= {price: [1.0 + place for place in range(len(llms))] for price in ("input_price", "output_price")}
    texts = pl.DataFrame(queries, schema_overrides={"source_split": pl.String})
    return LLMLog(name, texts, pl.DataFrame(about), pl.DataFrame(records), encoder="tfidf:16")


def one_seed(module: ModuleType) -> list[str]:
    """Return the words for one seed of a table's routers, hardly trained."""
    return ["--seeds", "1", *(word for name in module.ROUTERS for word in QUICK.get(name, ()))]


@pytest.fixture
def paper(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Paper:
    """Run a table's command, and return what it prints, or the one line of an error that the user can mend."""

    def run(module: ModuleType, log: LLMLog | str, *words: str, fails: bool = False, out: str = "out") -> str:
        source = log if isinstance(log, str) else str(log.save(tmp_path / f"log of {log.name}"))
        program = Program("paper", "", "", [module])
        status = program.main([module.NAME, source, "--out", str(tmp_path / out), "--quiet", "--device", "cpu", *words])
        printed = capsys.readouterr()
        assert status == (2 if fails else 0), printed.err
        if fails:
            assert printed.err.startswith("paper: error: ")
            assert printed.err.count("\n") == 1
            return printed.err
        return printed.out

    return run


def read(folder: Path, name: str) -> pl.DataFrame:
    """Read a table's CSV, and check that the Markdown beside it has as many rows."""
    frame = pl.read_csv(folder / f"{name}.csv", infer_schema_length=None)
    table = [line for line in (folder / f"{name}.md").read_text().splitlines() if line.startswith("|")]
    assert len(table) == frame.height + 2
    return frame
