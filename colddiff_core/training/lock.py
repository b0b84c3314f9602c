"""One run in a folder at a time, by a lock that ends with the process that holds it."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import os_errors_as

LOCK = ".lock"
_ATTEMPTS = 5  # somebody who only looks holds the lock for a moment
_PAUSE = 0.05  # seconds

_log = logging.getLogger(__name__)

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make `folder` if need be and hold it; an empty folder that was made for it goes again.

    Raises:
        UsageError: another process holds it, or it cannot be made or written to.
    """
    made = not folder.exists()
    with os_errors_as(UsageError, f"{folder}: cannot be made a folder"):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    with os_errors_as(UsageError, f"{folder}: cannot be written to"):
        file = _acquire(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(file)
        if made:
            with suppress(OSError):
                folder.rmdir()


def is_locked(folder: Path) -> bool:
    """Whether a process that is alive holds `folder`."""
    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        _try_lock(file)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(file)


def _acquire(path: Path) -> int:
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _try_lock(file)
        except (BlockingIOError, PermissionError):  # PermissionError is how Windows says it
            os.close(file)
            continue
        except OSError as error:  # some network file systems have no locks
            _log.warning("%s: cannot be locked (%s): start no second run", path, error.strerror)
            return file
        # The holder before may have removed the file between our opening and locking it
        if path.exists() and os.fstat(file).st_ino == path.stat().st_ino:
            return file
        os.close(file)
    raise UsageError(
        f"{path.parent}: another process is training in it; wait for it, or name another folder"
    )
