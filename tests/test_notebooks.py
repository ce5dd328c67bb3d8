"""The notebooks of the manual run from top to bottom, and still make what is committed with them."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs/notebooks"
KEY = {  # texts that the last runs must print, and pictures that they must draw
    "routers": (("sage-0.9m", "linear", "gnn"), 4),
    "student": (("900 queries", "student-short", "sft: 400 rows"), 3),
}


def kinds(cell) -> list[str]:
    """The richest form of each result of a cell."""
    rich = ("image/svg+xml", "text/html", "text/plain")
    return [next(kind for kind in rich if kind in found.data) for found in cell.get("outputs", []) if "data" in found]


def texts(notebook) -> str:
    outputs = [found for cell in notebook.cells for found in cell.get("outputs", [])]
    return "".join(found.get("text", "") + found.get("data", {}).get("text/plain", "") for found in outputs)


def test_every_notebook_is_executed():
    assert {file.stem for file in NOTEBOOKS.glob("*.ipynb")} == set(KEY)


@pytest.mark.parametrize("name", KEY)
def test_a_notebook_runs_and_makes_what_is_committed(name, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOKS.parents[1]))
    committed = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)
    fresh = nbformat.from_dict(
        {**committed, "cells": [{**cell, "outputs": []} if "outputs" in cell else cell for cell in committed.cells]}
    )
    NotebookClient(fresh, timeout=240, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    assert [kinds(cell) for cell in fresh.cells] == [kinds(cell) for cell in committed.cells]
    said, pictures = KEY[name]
    assert all(text in texts(fresh) for text in said)
    assert sum(kinds(cell).count("image/svg+xml") for cell in fresh.cells) == pictures
