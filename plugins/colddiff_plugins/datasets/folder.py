"""Pictures of any kind and size from a folder, brought to one shape."""

import logging
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from colddiff_core.contracts.dataset import Split
from colddiff_core.contracts.errors import DatasetError
from colddiff_core.pictures.images import Pixels, read_image, write_image
from colddiff_plugins.datasets._parts import (
    PicturesInParts,
    check_fraction,
    check_size,
    need_two,
    part,
)
from colddiff_plugins.datasets._pictures import Listed, Read, Source, decoded, printable

_log = logging.getLogger(__name__)


class Folder(PicturesInParts):
    """All pictures in a folder and its subfolders, in the order of their paths.

    Each is resized until it covers the square and cropped centrally; it is decoded once and kept
    as uint8, for the next time, too (see `colddiff doctor` for where). Hidden files are passed
    over. A file that is no readable picture is reported by name and skipped.

    Args:
        split: which part; a picture's part depends on its name and `split_seed` alone (unless
            there are very few), so that adding pictures moves none to the other part.
        folder: where the pictures are.
        image_size: side of the square, pixels.
        channels: 1 for grey, 3 for colour.
        test_fraction: share of the pictures that is held out, 0 to 1 (neither end included).
        split_seed: another seed holds out others.

    Raises:
        DatasetError: the folder does not exist, or fewer than two pictures in it can be read.
        ParameterError: a size or share is out of range.
    """

    def __init__(
        self,
        split: Split,
        *,
        folder: Path,
        image_size: int = 64,
        channels: Literal[1, 3] = 3,
        test_fraction: float = 0.1,
        split_seed: int = 0,
    ) -> None:
        check_size(image_size)
        check_fraction(test_fraction)
        source = FolderSource.of(folder, channels)
        pictures = decoded(source, image_size)
        need_two(str(folder), pictures, len(source.listing))
        super().__init__(pictures, part(pictures.names, split, test_fraction, split_seed))

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures; see `Buildable.example_params`."""
        noise = np.random.default_rng(0).integers(0, 256, (12, 20, 24, 3), dtype=np.uint8)
        for k, pixels in enumerate(noise):
            write_image(folder / f"{k:02}.png", pixels)
        return {"folder": folder, "image_size": 16}


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
            raise DatasetError(f"{folder}: no such folder")
        found = sorted(_files(folder), key=lambda item: item.name.split("/"))
        return cls(os.path.realpath(folder), tuple(found), channels, folder)

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """See `Source.opened`."""
        yield self._read

    def _read(self, number: int) -> Pixels:
        return read_image(self.folder / self.listing[number].name, self.channels)


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
