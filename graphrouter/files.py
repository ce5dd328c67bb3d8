"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from graphrouter.errors import UserError


def replace_file(file: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(file)
    except OSError as error:
        raise UserError(f"{file} must be written, but: {error.strerror}; free room, or name another folder") from None
    finally:
        if draft.is_file():
            draft.unlink()


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
