"""Pictures of any kind and size from a folder, brought to one shape."""

import logging
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from colddiff_core import DatasetError, Picture, read_picture
from colddiff_plugins.datasets._parts import Numbers, PictureDataset
from colddiff_plugins.datasets._pictures import Listed, Read, Source, printable

_log = logging.getLogger(__name__)


@dataclass(eq=False, repr=False, kw_only=True)
class Folder(PictureDataset):
    """All pictures in a folder and its subfolders, in the order of their paths.

    Each is resized until it covers the square and cropped centrally; it is decoded once and kept
    as uint8, for the next time, too (see `colddiff doctor` for where). Hidden files are passed
    over. A file that is no readable picture is reported by name and skipped.

    Args:
        folder: where the pictures are.

    Raises:
        DatasetError: the folder does not exist, or fewer than two pictures in it can be read.
        ParameterError: a size or share is out of range.
    """

    folder: Path

    def _load(self) -> tuple[NDArray[np.uint8], Numbers]:
        return self._divided(FolderSource.of(self.folder, self.channels))

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures; see `Buildable.example_params`."""
        return {"folder": folder, **super().example_params(folder)}


@dataclass(frozen=True)
class FolderSource(Source):
    """The files in a folder and below.

    Attributes:
        folder: as it was named.
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path, channels: Literal[1, 3]) -> "FolderSource":
        """List a folder: its files and those below that are not hidden, in the order of paths.

        Args:
            folder: where to look.
            channels: 1 to read pictures as grey, 3 as colour.

        Raises:
            DatasetError: the folder does not exist.
        """
        if not folder.is_dir():
            raise DatasetError(f"{folder}: {_instead(folder)}")
        found = sorted(_files(folder), key=lambda item: item.name.split("/"))
        return cls(os.path.realpath(folder), tuple(found), channels, folder)

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """See `Source.opened`."""
        yield self._read

    def _read(self, number: int) -> Picture:
        return read_picture(self.folder / self.listing[number].name, self.channels)


def _instead(path: Path) -> str:
    if path.is_file() and zipfile.is_zipfile(path):
        return f'a zip file; instead of the folder, write name = "zip" and file = "{path}"'
    return "a file, not a folder" if path.is_file() else "no such folder"


def _files(folder: Path) -> Iterator[Listed]:
    waiting = [(str(folder), "")]
    while waiting:
        place, within = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            _log.warning("skipped %s: %s", printable(place), error.strerror)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, f"{within}{entry.name}/"))
                continue
            with suppress(OSError):  # it is gone already, or a link to nowhere
                state = entry.stat()
                if stat.S_ISREG(state.st_mode):
                    stamp = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
                    yield Listed(f"{within}{entry.name}", stamp)
