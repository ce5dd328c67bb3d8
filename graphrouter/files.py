"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrouter.errors import UserError


@contextmanager
def drafted(file: Path) -> Iterator[Path]:
    """Give the path of a draft beside a file; it takes the file's place at the end, or is removed after an error.

    Raises:
        UserError: If it cannot be written.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(file)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{file} must be written, but: {reason}; free room, or name another folder") from None
    finally:
        if draft.is_file():
            draft.unlink()


def replace_file(file: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    with drafted(file) as draft:
        draft.write_bytes(content)


def check_writable(folder: str | Path, what: str) -> None:
    """Refuse, before any work, a folder that cannot be written or made; nothing is left behind.

    Args:
        folder: Need not exist.
        what: Is to go there; named in the error.

    Raises:
        UserError: If it is a file, or cannot be written or made.
    """
    nearest = Path(folder).absolute()
    try:
        while not nearest.exists():
            nearest = nearest.parent
        tempfile.TemporaryDirectory(dir=nearest).cleanup()
    except OSError as error:
        reason = f"{nearest}: {error.strerror}"
        raise UserError(f"{what} must go to a folder that can be written, but {reason}; name another") from None
