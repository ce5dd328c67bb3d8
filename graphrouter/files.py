"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
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


def replace_folder(folder: Path, draft: Path, keep: Sequence[str] = ()) -> None:
    """Put a draft in a folder's place; a reader finds the old one or the new one, whole.

    Args:
        folder: Need not exist.
        draft: A folder on the same disk.
        keep: Folders inside the old one that move to the new one.

    Raises:
        OSError: If it cannot be done; then the old folder is in its place.
    """
    old = draft.with_name(f"{draft.name}.old")
    if folder.exists():
        if not folder.is_dir():
            raise NotADirectoryError("it is a file")
        folder.rename(old)
    moved = [name for name in keep if (old / name).is_dir()]
    try:
        for name in moved:
            shutil.move(old / name, draft / name)
        draft.rename(folder)
    except OSError:
        for name in moved:
            if (draft / name).is_dir():
                shutil.move(draft / name, old / name)
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


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
