"""Two LLMs behind a real server, 50 queries, SIGKILL half-way, and on again."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest
import yaml
from tiny_models import MINI, SPARK

from graphrouter.log import LLMLog

QUERIES = 50
CONCURRENCY = 4
DELAY_S = 0.02
"""Added to each answer, so that the run is still under way when it is killed."""


class Recorder(ThreadingHTTPServer):
    """Passes requests on to the server, and keeps what it says it used."""

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Relay)
        self.target = target
        self.seen = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Relay(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = urllib.request.Request(self.server.target + self.path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            reply = answer.read()
        asked, usage = json.loads(body), json.loads(reply)["usage"]
        self.server.seen.append((asked["model"], asked["messages"][-1]["content"], usage))
        time.sleep(DELAY_S)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def models():
    return [str(MINI), str(SPARK)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("hub")
    (home / "hub").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "transformers.cli.transformers",
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environment = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (home / "server.log").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, home / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait(url, process, log):
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, log.read_text()[-2000:]
            time.sleep(0.1)
    raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")


@pytest.fixture
def recorder(server):
    recorder = Recorder(server)
    threading.Thread(target=recorder.serve_forever, daemon=True).start()
    yield recorder
    recorder.shutdown()
    recorder.server_close()


@pytest.fixture
def command(tmp_path, models, recorder):
    rows = [{"id": f"{n}", "question": f"say word {n}", "ground_truth": f"{n}"} for n in range(QUERIES)]
    (tmp_path / "words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    about = {"name": "words", "metric": "exact_match", "prompts": {"direct": "{question}"}, "max_tokens": {"direct": 6}}
    (tmp_path / "words.yaml").write_text(yaml.safe_dump(about))
    defaults = {"engine": "openai", "base_url": recorder.url, "concurrency": CONCURRENCY, "max_retries": 2}
    llms = [{"name": name, "model": model} | PRICES for name, model in zip("ab", models, strict=True)]
    (tmp_path / "llms.yaml").write_text(yaml.safe_dump({"defaults": defaults, "llms": llms}))
    words = ["--tasks", "words.yaml", "--llms", "llms.yaml", "--out", "log"]
    return [sys.executable, "-m", "fusion", "collect", *words], tmp_path


PRICES = {"input_price": 1.0, "output_price": 2.0}


def test_a_killed_run_goes_on_and_asks_for_nothing_twice(command, recorder, models):
    words, folder = command
    journal = folder / "log" / "collect" / "answers.jsonl"
    first = subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < QUERIES:
        assert first.poll() is None, first.stderr.read().decode()
        assert time.monotonic() < until
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stderr.close()
    before = _pairs(journal)
    assert QUERIES <= len(before) < 2 * QUERIES
    assert not (folder / "log" / "records.parquet").exists()
    time.sleep(0.5)  # the server still answers what was under way
    already = len(recorder.seen)

    second = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
    assert second.returncode == 0, second.stderr
    assert f"{2 * QUERIES} of {2 * QUERIES} cells" in second.stderr

    log = LLMLog.load(folder / "log")
    assert log.records.select("query_id", "llm").unique().height == log.records.height == 2 * QUERIES
    later = {(model, text) for model, text, _ in recorder.seen[already:]}
    named = dict(zip(models, "ab", strict=True))
    assert not {(f"words-{text.split()[-1]}", named[model]) for model, text in later} & before
    assert len(later) == 2 * QUERIES - len(before)
    assert already <= len(before) + 2 * CONCURRENCY  # what was under way when it was killed
    _check_usage(log, recorder, models)


def _pairs(journal):
    lines = journal.read_bytes().split(b"\n")[:-1]
    return {(entry["query_id"], entry["llm"]) for entry in map(json.loads, lines)}


def _check_usage(log, recorder, models):
    """Tokens are the server's, of this very model and prompt; cost follows from them."""
    texts = dict(log.queries.select("query", "query_id").rows())
    named = dict(zip(models, "ab", strict=True))
    used = {(texts[text], named[model]): usage for model, text, usage in recorder.seen}
    assert len(used) == log.records.height
    for row in log.records.iter_rows(named=True):
        usage = used[row["query_id"], row["llm"]]
        assert (row["input_tokens"], row["output_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
        assert row["cost"] == pytest.approx((usage["prompt_tokens"] + 2 * usage["completion_tokens"]) / 1e6)
    assert log.records["input_tokens"].min() > 0
    assert log.responses().filter(pl.col("response") != "").height > 0
