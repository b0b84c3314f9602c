"""Files: written so that nobody ever sees half of one, read up to a bounded size."""

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from itertools import accumulate
from pathlib import Path
from typing import Any

from colddiff_core.contracts.errors import RecipeError, UsageError

_PART = ".{}.part"
_PIECE = 1 << 20  # bytes; some files of the kernel say that they are empty

# Strings and comments, in which brackets and dots mean nothing; what is between keys and values
_TEXT = re.compile(
    r""" "{3} (?: [^\\] | \\. )*? (?: "{3} | \Z ) | '{3} .*? (?: '{3} | \Z )
       | " (?: [^"\\\n] | \\. )*+ "? | ' [^'\n]*+ '? | \# [^\n]*+ """,
    re.DOTALL | re.VERBOSE,
)
_BETWEEN = re.compile(r"[=,{}\[\]\n]")
_MAX_DEPTH = 50  # of tables in tables; tomllib's time grows with its square

MAX_TOML = 1_000_000
"""Largest TOML file that is read, bytes."""


@contextmanager
def os_errors_as(error: type[UsageError], about: Path | str) -> Iterator[None]:
    """Raise what the system refuses as an error for whoever named the file.

    Args:
        error: its type.
        about: begins its message: the path, and what was tried where that is not plain.

    Raises:
        UsageError: an `OSError` was raised within; the message ends with its cause.
    """
    try:
        yield
    except OSError as cause:
        raise error(f"{about}: {cause.strerror}") from cause


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is synced and renamed to `path`.

    On any failure it is removed, and what `path` held before stays.

    Raises:
        UsageError: the folder cannot be made or written to, or the disk is full.
    """
    part = path.parent / _PART.format(secrets.token_hex(8))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(exist_ok=False)
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a whole file: temporary file, fsync, rename."""
    with atomic_path(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path, marker: str) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on success it is renamed to `path`.

    On any failure it is removed, and what `path` held before stays.

    Args:
        path: the folder; an earlier one is replaced if it is empty or holds `marker`.
        marker: a file that says that a folder may be replaced.

    Raises:
        UsageError: `path` is something else, or cannot be written.
    """
    replaceable = path.is_dir() and ((path / marker).is_file() or not any(path.iterdir()))
    if path.exists() and not replaceable:
        raise UsageError(f"{path}: exists and has no {marker}; name another folder")
    part, old = (path.parent / f".{secrets.token_hex(8)}.{end}" for end in ("part", "old"))
    try:
        part.mkdir(parents=True)
        yield part
        if path.exists():
            path.rename(old)
        part.rename(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for folder in (part, old):
            shutil.rmtree(folder, ignore_errors=True)


def remove_parts(folder: Path) -> None:
    """Remove what processes that were killed while they wrote into `folder` have left there.

    The caller knows that nobody is writing.
    """
    for part in folder.glob(_PART.format("[0-9a-f]" * 16)):
        with suppress(OSError):
            part.unlink()


def open_regular(path: Path, limit: int = sys.maxsize) -> BufferedReader:
    """Open a regular file of bounded size for reading; links are followed.

    A pipe would be waited for and a device read without end: neither is opened. What is checked is
    the file that was opened, whatever happens to its name meanwhile.

    Args:
        path: of the file.
        limit: largest size, bytes.

    Raises:
        OSError: missing, not a regular file, or over `limit`; `strerror` says which.
    """
    _check_regular(path.stat(), path, limit)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = open(os.open(path, flags), "rb")  # noqa: SIM115, PTH123 - the caller closes it
    try:
        _check_regular(os.fstat(file.fileno()), path, limit)
    except OSError:
        file.close()
        raise
    return file


def read_bounded(path: Path, limit: int) -> bytes:
    """Read the whole of a regular file of bounded size.

    Args:
        path: of the file.
        limit: largest size, bytes.

    Raises:
        OSError: as for `open_regular`.
    """
    with open_regular(path, limit) as file:
        # Room is made for what is read: no more than the file says, or a little where it says 0
        limit = min(limit, max(os.fstat(file.fileno()).st_size, _PIECE))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise _too_large(path, limit)
    return content


def _check_regular(state: os.stat_result, path: Path, limit: int) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "not a regular file, but a pipe, socket or device", str(path))
    if state.st_size > limit:
        raise _too_large(path, limit)


def _too_large(path: Path, limit: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {limit:,} bytes, the limit for it", str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file of bounded size.

    Raises:
        RecipeError: missing, too large, or not TOML.
    """
    with os_errors_as(RecipeError, path):
        content = read_bounded(path, MAX_TOML)
    try:
        text = content.decode("utf-8-sig")  # Windows' editors write a mark first
        _check_depth(text)
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one
        raise RecipeError(f"{path}: not a TOML file: {error}") from error


def _check_depth(text: str) -> None:
    """Refuse tables in tables in tables, in time that grows with the length alone."""
    bare = _TEXT.sub("_", text)
    dots = max(part.count(".") for part in _BETWEEN.split(bare))
    brackets = accumulate((c in "[{") - (c in "]}") for c in re.findall(r"[\[\]{}]", bare))
    if max(dots, max(brackets, default=0)) > _MAX_DEPTH:
        raise ValueError(f"more than {_MAX_DEPTH} tables or arrays in one another")
