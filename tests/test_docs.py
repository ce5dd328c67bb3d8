"""README, CONTRIBUTING and the manual: what they name must be there, what they show must run, and the manual must build."""

import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXTS = ["README.md", "CONTRIBUTING.md", "experiments/LOG.md", "experiments/results/README.md", "benchmarks/README.md"]
PAGES = [*(ROOT / name for name in TEXTS), *sorted((ROOT / "docs").rglob("*.md"))]
MOST_FILES = {"A router": 4, "A log format": 4, "A task with a grader": 5, "A metric": 3, "A relation": 5}


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def run(words: list[str], cwd: Path, **environment: str) -> str:
    known = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environment
    done = subprocess.run(words, cwd=cwd, env=known, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def commands(page: Path) -> list[list[str]]:
    """The words of every command of the project in a page's shell blocks, begun as Python starts it."""
    lines = "\n".join(blocks(page.read_text(), "sh")).replace("\\\n", " ").splitlines()
    words = [shlex.split(line.strip(), comments=True) for line in lines]
    started = {("graphrouter",): ["graphrouter"], ("fusion",): ["fusion"], ("python", "-m"): []}
    return [
        module + line[len(start) :]
        for line in words
        for start, module in started.items()
        if (*line[: len(start)],) == start
    ]


@functools.cache
def help_of(*words: str) -> str:
    return run([sys.executable, "-m", *words, "--help"], ROOT)


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_that_is_shown_has_its_options(page):
    for module, *words in commands(page):
        subcommands = []
        while words and re.search(rf"^    {re.escape(words[0])}\b", help_of(module, *subcommands), re.MULTILINE):
            subcommands.append(words.pop(0))
        known = help_of(module, *subcommands)
        if "Without a command, it is run." in known:
            known += help_of(module, *subcommands, "run")
        assert "  COMMAND\n" not in known or not words or words[0].startswith("-"), f"no command {words[0]}"
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert re.search(rf"{option}\b", known), f"{module} {' '.join(subcommands)} has no {option}"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_leads_to_a_file(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    linked = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    assert [link for link in linked if not (page.parent / link).exists()] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_python_of_the_readme_runs(tmp_path):
    [code] = blocks((ROOT / "README.md").read_text(), "python")
    whole, quick = (
        'gr.train(log, "gnn")',
        "gr.train(log, GNN(steps=60))",
    )  # trained to its end it takes a minute and a half
    assert code.count(whole) == 1
    code = f"from graphrouter.routers import GNN\n{code.replace(whole, quick)}"
    printed = run([sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code], tmp_path)
    assert printed.startswith("micropool")
    llm, quality = printed.splitlines()[-1].split()
    assert llm
    assert 0 < float(quality) < 1
    assert (tmp_path / "runs/router").is_dir()


def test_the_python_of_the_first_questions_runs(tmp_path):
    found = blocks((ROOT / "docs/questions.md").read_text(), "python")
    code = [block for block in found if "runs/demo" not in block]  # one reads what a comparison wrote
    printed = run([sys.executable, "-c", "".join(code)], tmp_path)
    assert len(code) == len(found) - 1
    assert printed.startswith("(840, 20) (840, 20)")
    assert (tmp_path / "logs/frame/queries.parquet").is_file()


def test_the_commands_of_the_readme_are_targets_of_make():
    targets = re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(r"`?make ([\w-]+)", (ROOT / "README.md").read_text())
    assert {"demo", "test", "docs"} <= set(shown) <= set(targets)


def recipes() -> dict[str, list[str]]:
    parts = re.split(r"^## ", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)
    steps = {part.splitlines()[0]: re.findall(r"^\d\. `([^`]+)`", part, re.MULTILINE) for part in parts}
    return {title: files for title, files in steps.items() if files}


def test_recipes_are_short():
    assert {title: len(files) <= MOST_FILES[title] for title, files in recipes().items()} == dict.fromkeys(
        MOST_FILES, True
    )


@pytest.mark.parametrize(("title", "file"), [(title, file) for title, files in recipes().items() for file in files])
def test_every_file_of_a_recipe_is_there_or_has_a_folder(title, file):
    there = ROOT / file
    assert there.parent.is_dir() if "mine" in there.name else there.is_file()


def test_every_file_that_contributing_names_beside_a_recipe_is_there():
    named = re.findall(
        r"`((?:graphrouter|fusion|experiments|tests|configs)/[\w/.]+)`", (ROOT / "CONTRIBUTING.md").read_text()
    )
    assert [file for file in named if "mine" not in file and not (ROOT / file).exists()] == []


def test_every_rule_of_honest_evaluation_names_a_test():
    rules = re.findall(r"`([\w/.]+\.py)::(\w+)`", (ROOT / "docs/concepts.md").read_text())
    assert len(rules) >= 15
    assert [name for file, name in rules if f"def {name}(" not in (ROOT / file).read_text()] == []


def test_the_graph_is_drawn_alike_in_light_and_dark():
    light, dark = ((ROOT / f"docs/graph-{mode}.svg").read_text() for mode in ("light", "dark"))
    style = re.compile(r"<style>.*?</style>", re.DOTALL)
    assert style.sub("", light) == style.sub("", dark)
    assert light != dark


def test_the_manual_builds_without_a_warning(tmp_path):
    run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-d", str(tmp_path / "trees"), "docs", str(tmp_path / "html")],
        ROOT,
    )
    models = (tmp_path / "html/models.html").read_text()
    assert "same_task_weight" in models
    commands_page = (tmp_path / "html/reference/cli.html").read_text()
    assert "graphrouter compare" in commands_page
    assert "--keep-ranking" in commands_page
