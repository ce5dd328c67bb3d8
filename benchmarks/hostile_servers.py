"""``fusion collect`` against hostile servers: whatever they send, a run ends well, and a later one completes the log.

    python benchmarks/hostile_servers.py
    python benchmarks/hostile_servers.py --only "stream" --keep hostile

For each kind of reply (`hostile_kinds`) a process of its own collects twice from a server on 127.0.0.1 that sends it, and
a third time from a good server. What must hold: exit status 0, 2 or 3, and 0 at the end; short lines on standard error,
without a traceback or a control character; the time and the memory that the settings allow; the key in no file; a log that
loads, and at the end holds an answer to every question; no request to another server.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import multiprocessing
import os
import re
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.hostile_kinds import all_kinds
from benchmarks.hostile_replies import MOST_S, Kind, Peer, completion, reply

KEY = "sk-hostile/0123+456789abcdefXYZ="
KEY_NAME = "HOSTILE_KEY"
MOST_CONNECTIONS = 100_000
SLACK_S = 15.0
"""Seconds beside the time-outs of a run: for the start of a process and the rest of the work, on a busy machine."""
MOST_MIB = 200.0
"""MiB that the memory of a run may grow: `concurrency` replies of 4 MiB, one of them parsed, and what polars holds."""
LONGEST_LINE = 2100
TRIES = 2
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
USED = [
    "fusion.cli",
    "fusion.collect",
    "fusion.engines.api_client",
    "fusion.tasks.build",
    "graphrouter.log",
    "polars.io.parquet",
]
"""Modules that each process has from the start."""


class HostileServer:
    """A context manager around a server in a thread, on 127.0.0.1 alone. It is given up by each client within `MOST_S`.

    Args:
        kinds: That it can play, each at an address of its own.

    Attributes:
        port: Of the server.
        trap: Port of a second server, where nobody should come.
        trapped: How many clients came there.
    """

    def __init__(self, kinds: dict[str, Kind]) -> None:
        self.kinds = list(kinds.values())
        self.names = list(kinds)
        self.port = self.trap = self.connections = self.trapped = 0
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def url(self, name: str | None) -> str:
        """Return the base URL that plays a kind; None for a good server."""
        return f"http://127.0.0.1:{self.port}/{'good' if name is None else self.names.index(name)}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(MOST_S)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda loop, context: None)  # of connections that clients broke
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        trap = await asyncio.start_server(self._catch, "127.0.0.1", 0)
        self.port, self.trap = (one.sockets[0].getsockname()[1] for one in (server, trap))
        self._up.set()
        await self._end.wait()
        for one in (server, trap):
            one.close()

    async def _catch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.trapped += 1
        writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.connections <= MOST_CONNECTIONS:
                await asyncio.wait_for(self._play(reader, writer), MOST_S)
        except (OSError, TimeoutError, EOFError):
            pass
        finally:
            writer.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in told.splitlines()[1:] if line)
        body = json.loads(await reader.readexactly(int(fields["content-length"])))
        bearer = re.search(r"^authorization: bearer (\S+)", told, re.I | re.M)
        name = told.split("/")[1]
        if name == "good":
            writer.write(reply(completion()))
            await writer.drain()
            return
        question = int(body["messages"][-1]["content"].split()[-1])
        await self.kinds[int(name)].play(Peer(writer, bearer[1] if bearer else "", question, self.trap))


@dataclass
class Found:
    """What came of a kind.

    Attributes:
        problems: What does not hold; empty where all does.
        statuses: Of the three runs.
        seconds: Of the longest run.
        grown_mib: How far memory grew.
    """

    problems: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    seconds: float = 0.0
    grown_mib: float = 0.0


def write_task(folder: Path, questions: int) -> None:
    """Write a task of one's own."""
    rows = [{"id": f"{n}", "question": f"say word {n}", "ground_truth": "WORD"} for n in range(questions)]
    (folder / "words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    about = {"name": "words", "metric": "exact_match", "prompts": {"direct": "{question}"}, "max_tokens": {"direct": 6}}
    (folder / "words.yaml").write_text(json.dumps(about))


def collect(folder: Path, url: str, timeout_s: float) -> int:
    """Collect once in this process, and return the exit status."""
    from fusion.cli import main

    llm = {"name": "a", "model": "m", "base_url": url, "api_key_env": KEY_NAME, "input_price": 1, "output_price": 2}
    quick = {"timeout_s": timeout_s, "max_retries": TRIES - 1, "backoff_s": 0.01, "retry_after_cap_s": 0.2}
    (folder / "llms.yaml").write_text(json.dumps({"llms": [llm | quick]}))
    files = {"tasks": folder / "words.yaml", "llms": folder / "llms.yaml", "out": folder / "log"}
    return main(["collect", "--quiet", *(word for name, file in files.items() for word in (f"--{name}", f"{file}"))])


def forms_of_key() -> set[str]:
    """Return the ways in which the key may be written so that everyone can read it."""
    codes = [ord(one) for one in KEY]
    escaped = ("".join(form % code for code in codes) for form in ("\\u%04x", "%%%02X", "&#%d;"))
    return {KEY, quote(KEY, safe=""), KEY.replace("/", r"\/"), html.escape(KEY), *escaped}


def check_files(folder: Path) -> list[str]:
    """Return in which files the key is, and whether the log, where there is one, cannot be read."""
    from graphrouter.log import load_log

    contents = {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    problems = []
    if (folder / "log" / "records.parquet").exists():
        try:
            log = load_log(folder / "log")
            for name, table in {"records": log.records, "responses": log.responses(), "llms": log.llms}.items():
                contents[f"table {name}"] = table.write_json().encode()
        except Exception as error:
            problems.append(f"the log cannot be read: {error!r:.300}")
    forms = [form.encode() for form in forms_of_key()]
    return problems + [
        f"the key is in {name}" for name, data in contents.items() if any(form in data for form in forms)
    ]


def check_lines(text: str) -> list[str]:
    """Return what is wrong with the lines that a run printed."""
    lines = text.split("\n")
    problems = ["a traceback" for line in lines if line.startswith(("Traceback", "thread '"))]
    problems += [f"a line of {len(line)} characters" for line in lines if len(line) > LONGEST_LINE]
    return problems + [f"control characters: {line[:200]!r}" for line in lines if CONTROL.search(line)]


def memory_mib(name: str) -> float:
    """Return a figure of this process's memory from the kernel: VmRSS or its peak, VmHWM."""
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def attack(folder: Path, hostile: str, good: str, timeout_s: float, questions: int) -> None:
    """Collect twice from a hostile server and once from a good one; writes ``found.json``. Runs in a process of its own."""
    for module in USED:
        import_module(module)
    os.environ[KEY_NAME] = KEY
    printed = os.open(folder / "printed.txt", os.O_CREAT | os.O_RDWR | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    found, before = Found(), memory_mib("VmRSS")
    for number, url in enumerate((hostile, hostile, good)):
        begin = time.monotonic()
        try:
            found.statuses.append(collect(folder, url, timeout_s if url == hostile else MOST_S))
        except BaseException:
            traceback.print_exc()
            found.statuses.append(-1)
        seconds = time.monotonic() - begin
        found.seconds = max(found.seconds, seconds)
        most_s = SLACK_S + TRIES * timeout_s * (1 + questions // 16)
        found.problems += [f"run {number + 1} took {seconds:.0f} s"] if seconds > most_s else []
        found.problems += [f"run {number + 1}: {problem}" for problem in check_files(folder)]
    found.grown_mib = memory_mib("VmHWM") - before
    found.problems += _wrong_at_the_end(folder, found, questions)
    (folder / "found.json").write_text(json.dumps(vars(found)))


def _wrong_at_the_end(folder: Path, found: Found, questions: int) -> list[str]:
    from graphrouter.log import load_log

    problems = check_lines((folder / "printed.txt").read_bytes().decode("utf-8", "replace"))
    if not set(found.statuses) <= {0, 2, 3} or found.statuses[-1] != 0:
        problems.append(f"exit statuses {found.statuses}")
    elif (height := load_log(folder / "log").records.height) != questions:
        problems.append(f"the log has {height} of {questions} answers at the end")
    if found.grown_mib > MOST_MIB:
        problems.append(f"memory grew by {found.grown_mib:.0f} MiB")
    return problems


def try_kind(name: str, kind: Kind, server: HostileServer, folder: Path) -> Found:
    """Attack in a process of its own, which is killed where it does not come to an end."""
    folder.mkdir(parents=True)
    write_task(folder, kind.questions)
    context = multiprocessing.get_context("forkserver")
    words: Any = (folder, server.url(name), server.url(None), kind.timeout_s, kind.questions)
    trapped = server.trapped
    process = context.Process(target=attack, args=words)
    process.start()
    process.join(3 * (SLACK_S + TRIES * kind.timeout_s * 2) + 30)
    if process.is_alive():
        process.kill()
        process.join()
        return Found(["it hangs"])
    if not (folder / "found.json").exists():
        return Found([f"the process died with status {process.exitcode}"])
    found = Found(**json.loads((folder / "found.json").read_text()))
    if server.trapped > trapped and "another server" in name:
        found.problems.append("it followed a redirect to another server")
    return found


def run(
    names: list[str] | None = None, jobs: int = 2, keep: Path | None = None, report: bool = True
) -> dict[str, Found]:
    """Try kinds, and return what came of each.

    Args:
        names: Of the kinds; None for all.
        jobs: How many at a time.
        keep: Folder that keeps what the runs wrote; None to remove it.
        report: Whether to print a line for each.
    """
    kinds = {name: kind for name, kind in all_kinds().items() if names is None or name in names}
    multiprocessing.get_context("forkserver").set_forkserver_preload(USED)
    begin = time.monotonic()
    results: dict[str, Found] = {}
    with tempfile.TemporaryDirectory() as made, HostileServer(kinds) as server, ThreadPoolExecutor(jobs) as pool:
        folders = {name: (keep or Path(made)) / f"{number:03}" for number, name in enumerate(kinds)}
        futures = {name: pool.submit(try_kind, name, kinds[name], server, folders[name]) for name in kinds}
        for name, future in futures.items():
            found = results[name] = future.result()
            if report:
                state = "held" if not found.problems else f"FAILED: {'; '.join(dict.fromkeys(found.problems))}"
                figures = f"exit {found.statuses}, {found.seconds:.1f} s, {found.grown_mib:.0f} MiB"
                print(f"{folders[name].name} {name}: {state} ({figures})", flush=True)
    if report:
        held = sum(not found.problems for found in results.values())
        longest, most = (
            max(getattr(found, figure) for found in results.values()) for figure in ("seconds", "grown_mib")
        )
        print(
            f"{held} of {len(results)} kinds held; {time.monotonic() - begin:.0f} s, longest run {longest:.1f} s, memory grew "
            f"by {most:.0f} MiB at most"
        )
    return results


def main() -> None:
    """Run from the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", default="", metavar="TEXT", help="only kinds whose name holds this")
    made.add_argument("--jobs", type=int, default=2)
    made.add_argument("--keep", type=Path, metavar="DIR", help="keep what the runs wrote in this new folder")
    args = made.parse_args()
    results = run([name for name in all_kinds() if args.only in name], args.jobs, args.keep)
    sys.exit(any(found.problems for found in results.values()))


if __name__ == "__main__":
    main()
