import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_names_in_its_usage_what_starts_it(name, capsys):
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m experiments {name}")


def test_the_door_lists_all_commands_and_suggests_one(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    listed = {line.split()[0] for line in said.splitlines() if line.startswith("    ") and line.strip()}
    assert set(COMMANDS) <= listed
    assert main(["abblate"]) == 2
    assert "see python -m experiments --help" in capsys.readouterr().err


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of a built package."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_an_installed_package_runs_experiments_on_a_log_of_the_users_folder(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = (
        "import numpy as np, experiments, graphrouter as gr; print(experiments.__file__);"
        "log = gr.load_log('micropool'); log.take(np.arange(0, 4200, 20)).save('logs/mine')"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == str(installed / "experiments/__init__.py")
    words = ["run", "log=logs/mine", "router=knn", "encoder=tfidf:8", "--out", "runs/one", "--device", "cpu", "--quiet"]
    for door in (["-m", "experiments", *words], ["-m", "experiments.run", *words[1:]]):
        done = subprocess.run([sys.executable, *door], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("runs/one/runs/*/run.json"))) == 1
    page = [sys.executable, "-m", "experiments", "report", "runs/one", "--out", "page.html"]
    subprocess.run(page, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "page.html").stat().st_size > 10_000
