"""Type of a file by its ending, and its text, however it is compressed and encoded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from graphrouter.errors import UserError

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
PACKED = (".gz", ".bz2", ".xz")
"""Endings of a table that is compressed, after the table's own."""
BROKEN = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
"""Python's errors for compressed files that are cut or damaged."""
OPENERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""Byte order marks of encodings other than UTF-8."""
HEAD = 512
"""Bytes by which a file type is recognised."""
OTHERS = (
    (b"PK\x03\x04", "a ZIP archive, as spreadsheets are too", "unpack it, or save the sheet as CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unpack it with zstd -d"),
    (b"PAR1", "Parquet", "let its name end in .parquet"),
    (b"ARROW1", "an Arrow file", "save it as Parquet"),
    (b"SQLite format 3", "a SQLite database", "export the table as CSV"),
    (b"\x80", "a pickle or other binary data", "save the table as Parquet or CSV"),
    (b"version https://git-lfs", "a pointer of Git LFS in the place of the file", "fetch it with git lfs pull"),
    (b"<!DOCTYPE", "a web page in the place of the file", "download the file itself"),
    (b"<html", "a web page in the place of the file", "download the file itself"),
)
"""First bytes of files that are no table in text, what they are, and what to do."""


def ending(file: Path) -> str:
    """Return the ending that gives a file's type, in lower case: ``.jsonl`` of ``x.JSONL.gz``."""
    return _bare(file).suffix.lower()


def stem(file: Path) -> str:
    """Return a file's name without the endings of its type and compression."""
    return _bare(file).stem


def _bare(file: Path) -> Path:
    return file.with_suffix("") if file.suffix.lower() in PACKED else file


def open_text(file: Path, newline: str | None = None) -> TextIO:
    """Open a file as text. UTF-16 and UTF-32 are recognised by their mark; all other text must be UTF-8.

    Args:
        file: As it is, or compressed with gzip, bzip2 or xz; recognised by its first bytes, whatever its name.
        newline: As ``open`` takes it.

    Raises:
        UserError: If it is a file of another kind, such as an archive.
        OSError: If it cannot be opened.
    """
    stream = _unpacked(file)
    head = stream.read(HEAD)
    if other := _other(head):
        stream.close()
        raise UserError(f"{file} must be a table in text, but is {other}")
    encoding = next((name for mark, name in MARKS if head.startswith(mark)), "utf-8-sig")
    if encoding == "utf-8-sig" and 4 * head.count(0) > len(head):
        stream.close()
        raise UserError(f"{file} must be UTF-8, but holds zero bytes, as UTF-16 without a mark does; convert it")
    stream.seek(0)
    return io.TextIOWrapper(stream, encoding=encoding, newline=newline)


def what_else(file: Path) -> str:
    """Return the type of a file that is no text, and the remedy; empty where it may be text, or cannot be read."""
    try:
        with _unpacked(file) as stream:
            return _other(stream.read(HEAD))
    except (OSError, *BROKEN):
        return ""


def _other(head: bytes) -> str:
    return next((f"{what}; {remedy}" for sign, what, remedy in OTHERS if head.startswith(sign)), "")


def not_utf8(file: Path) -> UserError:
    """Return the error of a file that is not UTF-8: the first line that is not, and what it may be."""
    where = "it is not"
    with _unpacked(file) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                where = f"line {number} has the byte 0x{line[error.start]:02x}"
                break
    return UserError(
        f"{file} must be UTF-8, but {where}, as ISO-8859-1 and Windows-1252 have it; convert it, such as with "
        "iconv -f WINDOWS-1252 -t UTF-8"
    )


def _unpacked(file: Path) -> BinaryIO:
    with file.open("rb") as stream:
        head = stream.read(8)
    opener = next((opener for sign, opener in OPENERS if head.startswith(sign)), open)
    return cast(BinaryIO, opener(file, "rb"))
