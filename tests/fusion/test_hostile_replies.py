"""``fusion collect`` against a few of the hostile servers of ``benchmarks/hostile_servers.py``, which has many more."""

from __future__ import annotations

import pytest

from benchmarks import hostile_servers
from benchmarks.hostile_servers import Found

KINDS = (
    "status 204",
    "status of SSH",
    "header a length of 5,000 digits",
    "a bomb of gzip",
    "chunks of 16 EiB",
    "body objects 100,000 deep",
    "huge body: a million lists",
    "endless body",
    "odd usage.completion_tokens",
    "odd message.content",
    "odd error.code",
    "odd stream's choice",
    "odd stream's delta",
    "connection reset in the body",
    "redirect 307 to another server",
    "Retry-After of a year beyond",
    "key in an answer in escapes of URLs",
    "key in a page in escapes of JSON",
    "key in deltas",
    "errors ANSI beside an answer",
)


@pytest.fixture(scope="module")
def found() -> dict[str, Found]:
    return hostile_servers.run(list(KINDS), report=False)


@pytest.mark.parametrize("name", KINDS)
def test_a_collection_holds_against_a_hostile_server(found: dict[str, Found], name: str) -> None:
    assert found[name].problems == []


def test_there_are_many_kinds() -> None:
    assert len(hostile_servers.all_kinds()) >= 250
