"""An append-only file of what is finished, so that a killed run asks for nothing twice."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from graphrouter.errors import UserError
from graphrouter.files import try_lock
from graphrouter.typing import Record

SYNC_S = 1.0
"""Seconds between syncs: what a power cut can lose. A killed process loses nothing."""


class Journal:
    """JSON lines; each is handed to the system at once, by any thread. One process writes at a time.

    Args:
        file: Is made, with its folder, when it is opened.

    Raises:
        UserError: On entering, if another process has it open, or it cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._stream: int | None = None
        self._synced = 0.0

    def __enter__(self) -> Journal:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise UserError(f"{self.file} must be written, but: {error.strerror}; name another folder") from None
        if not try_lock(self._stream):
            os.close(self._stream)
            raise UserError(
                f"{self.file}: another run is writing it; wait for its end, or name another folder"
            ) from None
        self._cut_torn_line(self._stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            os.fsync(self._stream)
            os.close(self._stream)
            self._stream = None

    def append(self, entry: Record) -> None:
        """Add an entry. It is there for a later run when this returns, even if the process is killed."""
        line = json.dumps(entry, ensure_ascii=False).encode("utf-8", errors="surrogatepass") + b"\n"
        with self._lock:
            assert self._stream is not None, "the journal must be open"
            view = memoryview(line)
            while view:
                view = view[os.write(self._stream, view) :]
            if time.monotonic() - self._synced > SYNC_S:
                os.fsync(self._stream)
                self._synced = time.monotonic()

    def entries(self) -> Iterator[Record]:
        """Read all entries, the oldest first.

        Raises:
            UserError: If a line is no entry.
        """
        if not self.file.exists():
            return
        with self.file.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    return  # a torn last line of a run that is not ours to mend
                try:
                    entry = json.loads(line.decode("utf-8", errors="surrogatepass"))
                except ValueError as error:
                    raise UserError(
                        f"{self.file}, line {number}: must be an entry, but {error}; remove the line to ask for it again"
                    ) from None
                yield entry

    def _cut_torn_line(self, stream: int) -> None:
        """Remove the end of a line that a killed run did not finish."""
        content = self.file.read_bytes()
        if content and not content.endswith(b"\n"):
            os.ftruncate(stream, content.rfind(b"\n") + 1)
