"""Mutated logs and mutated files to import: a few of those that ``benchmarks/fuzz.py`` tries at length."""

from __future__ import annotations

import pytest

from benchmarks import fuzz


@pytest.mark.parametrize("what", ["logs", "imports"])
def test_mutated_files_are_read_or_refused_in_one_line(what: str) -> None:
    assert fuzz.run(what, 150, seed=0, report=False) == []
