"""How close the engine for OpenAI-compatible servers comes to the ideal time, with many requests under way at once.

The server runs in a process of its own, answers each request after a fixed delay, and counts the requests that it has at
once. The ideal time is ``requests * delay / concurrency``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import load_average, machine, run, table, write_json

from fusion.engines.base import Completion, Request, Sampling
from fusion.engines.openai_api import OpenAIEngine
from graphrouter.errors import UserError

TARGET = 1.3
WORDS = "a train at half speed for an hour goes half as far, so the answer is 42. " * 10
MESSAGE: Any = {"role": "user", "content": WORDS}


def options() -> argparse.Namespace:
    """Parse the command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    made.add_argument("--requests", type=int, default=2000, help="(default: 2000)")
    made.add_argument("--concurrency", type=int, default=64, help="(default: 64)")
    made.add_argument("--delay-ms", type=float, default=50.0, help="of the server (default: 50)")
    made.add_argument("--repeats", type=int, default=5, help="(default: 5)")
    made.add_argument("--official", action="store_true", help="measure the client of the openai package beside it")
    made.add_argument("--out", type=Path, help="JSON file for all figures")
    made.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return made.parse_args()


class Counts:
    """What the server has to say: the requests that it has now, the most there were, and those it has answered."""

    def __init__(self) -> None:
        self.now = self.most = self.served = 0


class Server(asyncio.Protocol):
    """The least that a server can do: HTTP/1.1 with kept connections, and a chat completion after a delay."""

    def __init__(self, delay_s: float, counts: Counts) -> None:
        self.delay_s, self.counts, self.buffer = delay_s, counts, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once a whole request is there."""
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length or 0):
            return
        self.buffer = b""
        counts = self.counts
        if head.startswith(b"GET"):
            self.transport.write(page({"most": counts.most, "served": counts.served}))
            return
        counts.now += 1
        counts.most = max(counts.most, counts.now)
        asyncio.get_running_loop().call_later(self.delay_s, self.answer)

    def answer(self) -> None:
        """Send the completion."""
        self.counts.now -= 1
        self.counts.served += 1
        self.transport.write(COMPLETION)


def page(body: dict[str, Any]) -> bytes:
    """Return a whole HTTP reply."""
    data = json.dumps(body).encode()
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


COMPLETION = page(
    {
        "model": "slow",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": WORDS}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 200, "completion_tokens": 170},
    }
)


async def serve(delay_s: float) -> None:
    """Listen on a free port, print it, and go on until killed."""
    counts, loop = Counts(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(delay_s, counts), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def server(delay_ms: float) -> Iterator[str]:
    """Run the server in a process of its own; yields its address."""
    command = [sys.executable, str(Path(__file__).resolve()), "--serve", "--delay-ms", str(delay_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def measure(address: str, requests: int, concurrency: int) -> dict[str, float]:
    """Ask all requests; returns wall and CPU seconds."""
    engine = OpenAIEngine("slow", f"{address}/v1", concurrency=concurrency)
    wall, cpu = time.perf_counter(), time.process_time()
    answers = list(engine.generate(Request(str(i), (MESSAGE,), Sampling(64)) for i in range(requests)))
    figures = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    if len({answer.key for answer in answers if isinstance(answer, Completion)}) != requests:
        raise UserError(f"all {requests} requests must be answered, but not all were: {answers[-1]}")
    return figures


def measure_official(address: str, requests: int, concurrency: int) -> dict[str, float]:
    """Ask the same by ``openai.AsyncOpenAI``, without any guard of the engine; returns wall and CPU seconds."""
    import openai

    left = iter(range(requests))

    async def work(client: openai.AsyncOpenAI) -> None:
        for seed in left:
            await client.chat.completions.create(
                model="slow", messages=[MESSAGE], max_tokens=64, temperature=0.0, top_p=1.0, seed=seed
            )

    async def work_all() -> None:
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none") as client:
            await asyncio.gather(*(work(client) for _ in range(concurrency)))

    wall, cpu = time.perf_counter(), time.process_time()
    asyncio.run(work_all())
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def main() -> None:
    """Measure and print."""
    args = options()
    if args.serve:
        asyncio.run(serve(args.delay_ms / 1000))
    ideal = args.requests * args.delay_ms / 1000 / args.concurrency
    about = machine(1)
    with server(args.delay_ms) as address:
        runs: list[dict[str, Any]] = []
        for _ in range(args.repeats):
            runs.append({"client": "engine", **measure(address, args.requests, args.concurrency)})
            if args.official:
                runs.append({"client": "openai", **measure_official(address, args.requests, args.concurrency)})
        with urllib.request.urlopen(address) as reply:
            counts: dict[str, Any] = json.load(reply)
    rows = [
        (one["client"], *(f"{x:.3f}" for x in (ideal, one["seconds"], one["cpu_seconds"], one["seconds"] / ideal)))
        for one in runs
    ]
    print(
        f"{args.requests:,} requests, {args.concurrency} at once, {args.delay_ms:g} ms each; target {TARGET} times the ideal"
    )
    print(table(("client", "ideal s", "measured s", "CPU s", "ratio"), rows))
    print(
        f"most requests at once {counts['most']}; load average {about['load_average']} before, {load_average()} after"
    )
    write_json(args.out, {**about, "ideal_seconds": ideal, "runs": runs, "server": counts})


if __name__ == "__main__":
    run(main)
