"""Kills a command at each write and rename, or at random moments, runs it again, and compares with a run that was left alone.

    python benchmarks/kills.py compare train collect mine sft --most 40      # at writes, at most 40 of them a command
    python benchmarks/kills.py compare train --random 20                     # at random moments

Each trial runs in a fork of this process, so that nothing is imported twice. What is compared: every file of the results but
those with times. For collect also that nothing is asked twice but what was under way. Linux and macOS.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import fusion.cli
import fusion.collect
import graphrouter.cli
import graphrouter.evaluation
from graphrouter.log import load_log

EVENTS = (
    "os.rename",
    "os.link",
    "os.mkdir",
    "os.rmdir",
    "os.remove",
    "shutil.copyfile",
    "shutil.rmtree",
    "ctypes.dlsym",
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
ROWS = 24  # training rows and questions: enough for several batches, few enough for a trial in seconds


Command = tuple[Callable[[list[str]], int], list[str]]


def killer(at: int, told: Callable[[int], None]) -> None:
    """Have this process killed before its write or rename of number ``at``; 0 only counts them."""
    count, write = 0, os.write

    def step() -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        told(count)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        opens = event == "open" and isinstance(args[2], int) and args[2] & WRITES and "/dev/" not in str(args[0])
        if opens or event in EVENTS:
            step()

    def counted(stream: int, data: bytes) -> int:
        step()
        return write(stream, data)

    sys.addaudithook(hook)
    os.write = counted


def in_fork(work: Callable[[], Any], after_s: float | None = None) -> tuple[int, Any]:
    """Call something in a fork of this process, which never uses Polars or torch itself: their threads do not survive a fork.

    Returns:
        Its exit status, negative for a signal, and what was returned, as far as JSON holds it.
    """
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            write = os.write
            told = json.dumps(work()).encode()
            write(target, told)
            status = 0
        finally:
            os._exit(status)
    os.close(target)
    if after_s is not None:
        threading.Timer(after_s, _end, (child,)).start()
    with os.fdopen(source, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), json.loads(told) if told else None


def trial(command: Command, out: Path, at: int = 0, after_s: float | None = None) -> tuple[int | None, int]:
    """Run a command in a fork; return its exit status, None where it was killed, and how many writes it made."""
    main, words = command

    def work() -> tuple[int, int]:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        last = [0]
        killer(at, lambda count: last.__setitem__(0, count))
        return main([*words, "--out", str(out)]), last[0]

    _, done = in_fork(work, after_s)
    return (done[0], done[1]) if done else (None, 0)


def _end(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def content(folder: Path) -> dict[str, str]:
    """Return a hash of each file of a result, without times, paths and journals."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if not file.is_file() or any(
            word in name
            for word in ("journal", "collect/", "mine/", "report.html", "run.json", "training.json", "losses")
        ):
            continue
        found[name] = _digest(file)
    return found


def _digest(file: Path) -> str:
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as kept:
            parts = [kept[key].tobytes() for key in sorted(kept.files) if key != "about"]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:12]
    if file.suffix == ".parquet":
        frame = pl.read_parquet(file)
        kept = frame.select([name for name in frame.columns if name not in ("latency_s", "asked")])
        return hashlib.sha256(kept.sort(kept.columns[:2]).write_json().encode()).hexdigest()[:12]
    if file.suffix == ".csv":
        frame = pl.read_csv(file, infer_schema=False)
        return hashlib.sha256(
            frame.select([name for name in frame.columns if "seconds" not in name]).write_csv().encode()
        ).hexdigest()[:12]
    if file.suffix == ".json":
        about = json.loads(file.read_text())
        for key in ("provenance", "sha256", "seconds", "folder", "created"):
            about.pop(key, None) if isinstance(about, dict) else None
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


class Server(ThreadingHTTPServer):
    """Answers every question by its own text, and counts how often each was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: dict[str, int] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: Server

    def handle(self) -> None:
        """Serve a connection; one whose client was killed is no error."""
        with contextlib.suppress(OSError):
            super().handle()

    def do_POST(self) -> None:
        """Answer a chat request."""
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        self.server.asked[text] = self.server.asked.get(text, 0) + 1
        time.sleep(0.005)
        message = {
            "role": "assistant",
            "content": f"Step 1: think of {len(text)}.\\nStep 2: add.\\nAnswer: {len(text) % 7}",
        }
        usage = {"prompt_tokens": len(text), "completion_tokens": 9}
        body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def prepare(work: Path, url: str) -> None:
    """Write what the commands read."""
    log = load_log("micropool")
    log.take(np.arange(0, log.queries.height, 20)).save(work / "log")
    rows = [{"question": f"What is {n} + {n}?", "ground_truth": str(n % 7)} for n in range(ROWS)]
    (work / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (work / "sums.yaml").write_text("metric: numeric\nname: sums\n")
    (work / "llms.yaml").write_text(
        json.dumps(
            {
                "llms": [
                    {
                        "name": "m",
                        "engine": "openai",
                        "model": "m",
                        "base_url": url,
                        "input_price": 1,
                        "output_price": 1,
                    }
                ]
            }
        )
    )
    chats = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": str(n)}]}
        for n in range(ROWS)
    ]
    (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats))
    model = Path(__file__).parents[1] / "tests" / "models" / "spark-0.1m"
    shutil.copytree(model, work / "model")


def commands(work: Path, url: str) -> dict[str, Command]:
    """Return each command with its words but ``--out``."""
    run, fuse = graphrouter.cli.main, fusion.cli.main
    return {
        "compare": (run, ["compare", str(work / "log"), "--routers", "knn,linear,mlp", "--seeds", "2", "mlp.steps=60", "--quiet"]),
        "train": (run, ["train", str(work / "log"), "--router", "mlp", "mlp.steps=100", "--quiet"]),
        "collect": (fuse, ["collect", "--tasks", str(work / "sums.yaml"), "--llms", str(work / "llms.yaml"), "--quiet"]),
        "mine": (fuse, ["templates", "mine", str(work / "log"), "--ranking", "performance", "--summariser", "llm", "--model", "m", f"base_url={url}", "--encoder", "tfidf:16", "--quiet"]),
        "sft": (fuse, ["train", "sft", f"model={work / 'model'}", f"data={work / 'rows.jsonl'}", "max_steps=4", "save_steps=1", "batch_size=4", "--device", "cpu", "--quiet"]),
    }  # fmt: skip


def check(name: str, command: Command, work: Path, server: Server, most: int, randoms: int) -> list[str]:
    """Kill a command at its writes or at random; return what went wrong."""
    out = work / f"out-{name}"
    server.asked.clear()
    began = time.perf_counter()
    status, writes = trial(command, out)
    took = time.perf_counter() - began
    if status:
        return [f"{name}: a run that is left alone ends with {status}"]
    _, expected = in_fork(lambda: content(out))
    asks, dice, wrong = sum(server.asked.values()), random.Random(name), []
    places = list(range(1, writes + 1))
    places = sorted(dice.sample(places, most)) if len(places) > most else places
    tries: list[tuple[int, float | None]] = [(place, None) for place in places] if not randoms else []
    tries += [(0, dice.uniform(0, took)) for _ in range(randoms)]
    for at, after_s in tries:
        for left in work.glob(f"*out-{name}*"):
            shutil.rmtree(left)
        server.asked.clear()
        trial(command, out, at, after_s)
        status, _ = trial(command, out)
        where = f"{name}, killed {f'at write {at}' if at else f'after {after_s:.2f} s'}"
        _, found = in_fork(lambda: content(out))
        if status:
            wrong.append(f"{where}: the next run ends with {status}")
        elif found != expected:
            wrong.append(
                f"{where}: differs in {sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))}"
            )
        if (twice := sum(server.asked.values()) - asks) > CONCURRENT:
            wrong.append(f"{where}: {twice} requests too many")
        if left := [entry.name for entry in work.glob(f".out-{name}*")]:
            wrong.append(f"{where}: left {left}")
    print(f"{name}: {writes} writes and renames, {len(tries)} kills, {len(wrong)} wrong", flush=True)
    return wrong


CONCURRENT = 16
"""Requests that may be under way when a process is killed, as `fusion collect` has it by default."""


def run(names: list[str], most: int, randoms: int) -> list[str]:
    """Check commands and return what went wrong."""
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        in_fork(lambda: prepare(Path(folder), url))
        prepared = commands(Path(folder), url)
        return [line for name in names for line in check(name, prepared[name], Path(folder), server, most, randoms)]


def main() -> None:
    """Run from the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("commands", nargs="+", choices=("compare", "train", "collect", "mine", "sft"))
    made.add_argument(
        "--most", type=int, default=40, help="most writes of a command that it is killed at (default: 40)"
    )
    made.add_argument("--random", type=int, default=0, help="kills at random moments in the place of writes")
    args = made.parse_args()
    wrong = run(args.commands, args.most, args.random)
    print("\n".join(wrong))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
