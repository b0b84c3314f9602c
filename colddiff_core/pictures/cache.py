"""Where things are kept that can be made again; whoever needs the room may delete the folder."""

import os
import sys
from pathlib import Path

from colddiff_core.contracts.errors import UsageError

CACHE = "COLDDIFF_CACHE"
"""Environment variable that names another folder."""

_NAME = "colddiff"


def cache_folder() -> Path:
    """`$COLDDIFF_CACHE`, else the usual place of the platform; it need not exist.

    Raises:
        UsageError: nothing says where it is, as for a user without a home.
    """
    chosen = os.environ.get(CACHE)
    return Path(chosen).absolute() if chosen else _usual() / _NAME


def _usual() -> Path:
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
        if sys.platform == "darwin":
            return Path.home() / "Library/Caches"
        said = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return said if said.is_absolute() else Path.home() / ".cache"  # as the standard has it
    except RuntimeError:
        raise UsageError(f"there is no home folder for a cache; set {CACHE} to a folder") from None
