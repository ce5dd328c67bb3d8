"""vLLM itself, offline and as a server, on the CPU; run it with tests/vllm/run.sh."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip(
    "vllm.entrypoints.llm", reason="vLLM has an environment of its own: tests/vllm/run.sh", exc_type=ImportError
)
sys.path.insert(0, str(Path(__file__).parents[1] / "fusion"))

from tiny_models import TEMPLATE, save_tiny

from fusion.engines import Completion, Failure, Request, Sampling, find_engine
from fusion.engines.base import Answer
from graphrouter.errors import UserError

LENGTH = 256
REQUESTS = [
    Request(f"{kind} {i}", ({"role": "user", "content": f"what is {i} plus {7 * i % 31}?"},), sampling)
    for kind, sampling in (("greedy", Sampling(24)), ("sampled", Sampling(24, 1.0, 0.9, seed=5)))
    for i in range(12)
]
TOO_LONG = Request("too long", ({"role": "user", "content": "the quick brown fox " * 200},), Sampling(8))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny"), TEMPLATE, max_position_embeddings=LENGTH)


@pytest.fixture(scope="module")
def offline(model: Path) -> dict[str, Answer]:
    make = find_engine("vllm")
    begin = time.perf_counter()
    with make(str(model), chunk=10, dtype="float32", max_model_len=LENGTH, extra={"enforce_eager": True}) as engine:  # type: ignore[call-arg]
        answers = list(engine.generate([*REQUESTS[:5], TOO_LONG, *REQUESTS[5:]]))
        again = list(engine.generate(reversed(REQUESTS)))
    print(
        f"\nvLLM offline: {len(answers) + len(again)} requests in {time.perf_counter() - begin:.0f} s, start included"
    )
    found = {answer.key: answer for answer in answers}
    assert len(found) == len(answers) == len(REQUESTS) + 1
    assert [(a.key, a.text) for a in again if isinstance(a, Completion)] == [
        (request.key, found[request.key].text)
        for request in reversed(REQUESTS)  # type: ignore[union-attr]
    ]
    return found


def test_offline_answers_with_vllms_own_counts(offline: dict[str, Answer], model: Path) -> None:
    failure = offline["too long"]
    assert isinstance(failure, Failure)
    print(failure.reason)
    assert str(LENGTH) in failure.reason
    for request in REQUESTS:
        answer = offline[request.key]
        assert isinstance(answer, Completion)
        assert 10 < (answer.input_tokens or 0) < 40
        assert answer.finish_reason in ("stop", "length")
        assert answer.output_tokens == 24 or (answer.finish_reason == "stop" and 0 < (answer.output_tokens or 0) < 24)


def equal(one: Answer, other: Answer) -> bool:
    """Whether two answers to the same prompt, counted alike, are the same."""
    assert isinstance(one, Completion)
    assert isinstance(other, Completion)
    assert one.input_tokens == other.input_tokens
    return (one.text, one.output_tokens, one.finish_reason) == (other.text, other.output_tokens, other.finish_reason)


def test_offline_agrees_with_the_transformers_engine(offline: dict[str, Answer], model: Path) -> None:
    greedy = [request for request in REQUESTS if not request.sampling.temperature]
    with find_engine("transformers")(str(model), device="cpu") as engine:  # type: ignore[call-arg]
        same = 0
        for answer in engine.generate(greedy):
            same += equal(answer, offline[answer.key])
    print(f"\n{same} of {len(greedy)} greedy responses of vLLM and transformers are equal")
    assert same >= len(greedy) - 2  # the arithmetic is rounded differently


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"--port {port} --served-model-name tiny --dtype float32 --max-model-len {LENGTH} --enforce-eager"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), *options.split()]
    begin = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"})
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        print(f"\nvLLM server: up in {time.perf_counter() - begin:.0f} s")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(1)
        else:
            return
    raise AssertionError("the server does not come up")


def test_the_server_answers_as_vllm_does_offline(server: str, offline: dict[str, Answer]) -> None:
    begin = time.perf_counter()
    with find_engine("openai")("tiny", server, concurrency=8) as engine:  # type: ignore[call-arg]
        answers = {answer.key: answer for answer in engine.generate([*REQUESTS, TOO_LONG])}
    print(f"\nvLLM server: {len(answers)} requests in {time.perf_counter() - begin:.1f} s")
    failure = answers.pop("too long")
    assert isinstance(failure, Failure)
    print(failure.reason)
    assert failure.reason.startswith("HTTP 400")
    same = 0
    for key, answer in answers.items():
        same += equal(answer, offline[key])
        assert answer.model == "tiny"  # type: ignore[union-attr]
    print(f"{same} of {len(answers)} responses of server and offline are equal")
    assert same >= len(answers) - 3


def test_the_server_names_an_unknown_model(server: str) -> None:
    with pytest.raises(UserError, match="must take requests for 'large'.*does not exist"):
        list(find_engine("openai")("large", server).generate(REQUESTS))  # type: ignore[call-arg]
