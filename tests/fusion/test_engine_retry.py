"""When a server is asked again, and what engines there are."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.engines import engine_names, find_engine
from fusion.engines.api_retry import Pace, backoff, read_retry_after
from graphrouter.errors import UserError
from graphrouter.settings import check

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@given(st.integers(-100_000, 100_000))
def test_retry_after_is_read_as_a_date(seconds: int) -> None:
    header = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert read_retry_after(header, NOW) == max(seconds, 0)


@given(st.floats(0, 1e6))
def test_retry_after_is_read_as_seconds(seconds: float) -> None:
    assert read_retry_after(str(seconds)) == seconds
    assert read_retry_after(f" {int(seconds)} ") == int(seconds)


@given(
    st.text()
    | st.sampled_from(["nan", "inf", "-5", "1e999", "Sun, 06 Nov 1994 08:49:37", "Sun, 99 Nov 99999 08:49:37 GMT"])
)
def test_any_other_retry_after_is_none_or_a_time(text: str) -> None:
    seconds = read_retry_after(text, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(1, 10_000), st.floats(0.01, 10), st.floats(0.01, 100))
def test_backoff_stays_within_its_bounds(tries: int, base: float, cap: float) -> None:
    waits = [backoff(tries, base, cap) for _ in range(50)]
    most = min(cap, base * 2.0 ** min(tries - 1, 60))
    assert all(0 <= wait <= most for wait in waits)
    assert max(waits) > most / 4, "the waits must grow with the tries"
    assert len(set(waits)) > 25, "clients must not come back together"


def test_an_engine_is_found_by_its_name() -> None:
    assert engine_names() == ("openai", "vllm", "transformers")
    with pytest.raises(UserError, match="unknown engine 'opnai'; did you mean 'openai'"):
        find_engine("opnai")


@pytest.mark.parametrize("name", engine_names())
def test_the_fields_of_an_engine_are_its_options(name: str) -> None:
    found = find_engine(name)
    given = {"model": "tiny"} | ({"base_url": "http://host/v1"} if name == "openai" else {})
    values = check(found, given, "llms.yaml")
    assert set(values) == {field.name for field in fields(found)}  # type: ignore[arg-type]
    made = found(**values)
    assert made.concurrent == (name == "openai")
    with pytest.raises(UserError, match="unknown key 'modle'; did you mean 'model'"):
        check(found, {"modle": "tiny"}, "llms.yaml")


def test_vllm_is_asked_for_by_its_extra_where_it_is_missing() -> None:
    from fusion.engines import Request

    if __import__("importlib.util").util.find_spec("vllm.entrypoints"):
        pytest.skip("vllm is installed here")
    with pytest.raises(UserError, match=r"pip install 'graphrouter\[vllm\]'"):
        list(find_engine("vllm")(model="tiny").generate([Request("a", ())]))  # type: ignore[call-arg]


def test_engines_are_found_without_importing_what_they_stand_on() -> None:
    heavy = ("torch", "transformers", "aiohttp", "vllm")
    code = (
        "import sys; from fusion.engines import find_engine, engine_names; [find_engine(name) for name in engine_names()];"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_after_a_pause_requests_come_back_spread_out() -> None:
    async def times() -> list[float]:
        pace, begin = Pace(spread_s=0.2), time.monotonic()
        pace.close_for(0.1)

        async def one() -> float:
            await pace.turn()
            return time.monotonic() - begin

        return await asyncio.gather(*(one() for _ in range(40)))

    found = asyncio.run(times())
    assert min(found) >= 0.1
    assert max(found) < 0.6
    assert max(found) - min(found) > 0.1
