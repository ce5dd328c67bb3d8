"""The engine for OpenAI-compatible servers against a real one: ``transformers serve`` with a real, tiny model."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_models import MINI

from fusion.engines.base import Completion, Request, Sampling
from fusion.engines.hf import TransformersEngine
from fusion.engines.openai_api import OpenAIEngine

REQUESTS = [Request(str(i), ({"role": "user", "content": f"what is {i} plus {i}?"},), Sampling(8)) for i in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(MINI, tmp_path_factory.mktemp("served") / MINI.name))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(240):
            assert process.poll() is None, (folder / "serve.log").read_text()[-2000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def test_a_real_server_answers_as_the_model_does_here(server: str, folder: Path) -> None:
    with OpenAIEngine(str(folder), server, concurrency=4, timeout_s=60.0) as engine:
        served = {answer.key: answer for answer in engine.generate(REQUESTS)}
    here = {answer.key: answer for answer in TransformersEngine(str(folder), device="cpu").generate(REQUESTS)}
    assert served.keys() == here.keys()
    for key, answer in served.items():
        other = here[key]
        assert isinstance(answer, Completion), answer
        assert isinstance(other, Completion)
        assert answer.text == other.text
        assert (answer.input_tokens, answer.output_tokens) == (other.input_tokens, other.output_tokens)
        assert answer.finish_reason == other.finish_reason
