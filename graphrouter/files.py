"""Files and folders that are written whole or not at all, by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from graphrouter.errors import UserError

AT_FDCWD, RENAME_EXCHANGE, RENAME_SWAP = -100, 2, 2
HOST = re.sub(r"[^\w-]", "-", os.uname().nodename) or "host"
_DRAFT = re.compile(rf"\.(?P<name>.+)\.(?P<pid>\d+)@{HOST}(?P<old>\.old)?")
_held: dict[str, int] = {}


def draft_of(place: Path) -> Path:
    """Return where a file or folder is written until it is whole: beside it, hidden, named for this process and host."""
    return place.with_name(f".{place.name}.{os.getpid()}@{HOST}")


@contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """Give the path of a draft beside a file; it takes the file's place at the end, or is removed after an error.

    Raises:
        UserError: If it cannot be written.
    """
    draft = draft_of(file)
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
    with atomic_write(file) as draft:
        draft.write_bytes(content)


@contextmanager
def atomic_folder(folder: Path, what: str, keep: Sequence[str] = ()) -> Iterator[Path]:
    """Give an empty draft of a folder; it takes the folder's place at the end, or is removed after an error.

    A reader finds the old folder or the new one, whole, and so does a start after a kill at any moment.

    Args:
        folder: Need not exist.
        what: Goes there; named in the error.
        keep: Files and folders in the old one that stay.

    Raises:
        UserError: If it cannot be written; then the old folder is in its place.
    """
    folder = folder.resolve()
    draft = draft_of(folder)
    try:
        draft.mkdir(parents=True)
        yield draft
        for name in keep:
            _link(folder / name, draft / name)
        _take_place(draft, folder)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"{what} must go to a folder that can be written, but {folder}: {reason}; free room, or name another folder"
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _link(old: Path, new: Path) -> None:
    """Make a second name for a file, or for all files of a folder; where the disk has none, a copy."""
    if old.is_dir():
        new.mkdir()
        for entry in old.iterdir():
            _link(entry, new / entry.name)
    elif old.exists():
        try:
            new.hardlink_to(old)
        except OSError:
            shutil.copy2(old, new)


def _take_place(draft: Path, folder: Path) -> None:
    """Exchange a draft with the folder in one step; where the system cannot, in two, which `sweep` mends after a kill."""
    if not folder.exists():
        draft.rename(folder)
        return
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is a file")
    if _exchange(draft, folder):
        return
    old = draft.with_name(f"{draft.name}.old")
    folder.rename(old)
    try:
        draft.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Let two folders change places in one step, and return whether the system can."""
    import ctypes  # few commands replace a folder

    libc = ctypes.CDLL(None)
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        return bool(libc.renamex_np(*names, RENAME_SWAP) == 0)
    if hasattr(libc, "renameat2"):
        return bool(libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)
    return False


def sweep(place: Path) -> None:
    """Remove the drafts that killed processes of this host left of a file or folder and in it.

    A folder whose process was killed between the two steps of an exchange is put back.
    """
    place = place.absolute()
    beside = place.parent.glob(f".{_escaped(place.name)}.*") if place.parent.is_dir() else ()
    inside = place.rglob(".*@*") if place.is_dir() else ()
    for left in [*beside, *inside]:
        named = _DRAFT.fullmatch(left.name)
        if not named or _alive(int(named["pid"])):
            continue
        whole = left.with_name(named["name"])
        with suppress(OSError):
            if named["old"] and not whole.exists():
                left.rename(whole)
            elif left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


@contextmanager
def locked(place: str | Path) -> Iterator[None]:
    """Keep other processes of this host from writing to the same place, and sweep what killed ones left there.

    The lock goes with the process. It is a file in the system's folder for temporary files, named by a hash of the place, so that
    nothing is left beside the results. This process may lock a place again.

    Raises:
        UserError: If another process holds it.
    """
    whole = Path(place).resolve()
    name = hashlib.sha256(os.fsencode(whole)).hexdigest()[:32]
    if _held.get(name):
        _held[name] += 1
        try:
            yield
        finally:
            _held[name] -= 1
        return
    folder = Path(tempfile.gettempdir()) / f"graphrouter-locks-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        stream = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UserError(f"{folder} must be writable for locks, but: {error.strerror}; set TMPDIR to another") from None
    try:
        if not try_lock(stream):
            raise UserError(f"{place}: another run is writing it; wait for its end, or name another folder")
        _held[name] = 1
        sweep(whole)
        yield
    finally:
        _held.pop(name, None)
        os.close(stream)


def try_lock(stream: int) -> bool:
    """Lock an open file for this process, or return False. A disk that knows no locks (some network disks) is used without."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or what it came from, is for want of room; torch, safetensors and polars say so in words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return True
        if re.search(
            r"no space left|os error 28\b|disk quota exceeded|PytorchStreamWriter failed writing|inline_container\.cc.*unexpected pos",
            str(error),
            re.I,
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


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
        probe = draft_of(nearest / Path(folder).name)  # which a later run sweeps, should this one be killed here
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        reason = f"{nearest}: {error.strerror}"
        raise UserError(f"{what} must go to a folder that can be written, but {reason}; name another") from None
