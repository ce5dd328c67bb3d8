"""A headless Chromium for tests of pages, driven through its DevTools protocol over a pipe."""

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATH = next((found for name in NAMES if (found := shutil.which(name))), None)
SECONDS = 60


class Browser:
    """One browser with one page; what the page asks for and what goes wrong in it is collected."""

    def __init__(self, profile: Path) -> None:
        assert PATH is not None
        commands, self._write = os.pipe()
        self._read, replies = os.pipe()
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ]
        options += [
            "--disable-component-update",
            "--disable-extensions",
            f"--user-data-dir={profile}",
            "--remote-debugging-pipe",
        ]
        # Descriptors 3 and 4 are where Chromium listens and answers.
        shell = ["bash", "-c", f'exec "$0" "$@" 3<&{commands} 4>&{replies}', PATH, *options, "about:blank"]
        null = subprocess.DEVNULL
        self._process = subprocess.Popen(shell, pass_fds=(commands, replies), stdout=null, stderr=null, stdin=null)
        os.close(commands)
        os.close(replies)
        self._buffer, self._number, self._session = b"", 0, None
        self.requests: list[str] = []
        self.errors: list[str] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)
        os.close(self._read)
        os.close(self._write)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        reply = self._until(lambda found: found.get("id") == self._number)
        assert "error" not in reply, reply
        return reply["result"]

    def open(self, file: Path, width: int = 1280, dark: bool = False) -> None:
        """Open a page and wait until it is loaded and quiet."""
        self.requests.clear()
        self.errors.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        self.call("Page.navigate", url=file.absolute().as_uri())
        self._until(lambda found: found.get("method") == "Page.loadEventFired")
        self.run("new Promise((done) => setTimeout(done, 200))")

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page and return its value."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def _until(self, wanted: Any) -> dict[str, Any]:
        until = time.monotonic() + SECONDS
        while True:
            message, end, rest = self._buffer.partition(b"\0")
            if end:
                self._buffer = rest
                found = json.loads(message)
                self._note(found)
                if wanted(found):
                    return found
                continue
            ready, _, _ = select.select([self._read], [], [], until - time.monotonic())
            assert ready, "Chromium does not answer"
            piece = os.read(self._read, 1 << 16)
            assert piece, "Chromium has ended"
            self._buffer += piece

    def _note(self, found: dict[str, Any]) -> None:
        method, params = found.get("method"), found.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif (method == "Runtime.consoleAPICalled" and params["type"] == "error") or (
            method == "Log.entryAdded" and params["entry"]["level"] == "error"
        ):
            self.errors.append(str(params))
