"""Read a file of unknown origin once and whole."""

import os
import stat
from pathlib import Path

from colddiff_core.contracts.errors import ModelFileError

MAX_BYTES = 2**31 - 1
"""Largest file: what protobuf can hold."""


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        ModelFileError: missing, no regular file, or over 2 GB.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ModelFileError(f"{path}: is not a regular file")
            if found.st_size > MAX_BYTES:
                raise ModelFileError(f"{path}: is over 2 GB, more than is read")
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error


def _open(path: str, flags: int) -> int:
    # Without O_NONBLOCK the opening of a named pipe waits for somebody to write into it
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
