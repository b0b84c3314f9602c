"""Decoded pictures on disk, in the folder of the cache: an array, and beside it what it is of.

The name of an entry is made of everything that its content depends on, so that processes that
write it at the same time write the same. The array comes first and what it is of last; both are
renamed to where they belong when they are whole.
"""

import hashlib
import json
import logging
import math
import os
import shutil
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from pydantic import TypeAdapter

from colddiff_core import UsageError, atomic_path
from colddiff_core.disk import open_regular, os_errors_as, read_bounded, write_atomically
from colddiff_core.pictures.cache import CACHE, cache_folder
from colddiff_core.pictures.opening import max_pixels

_FORMAT = 2  # with another number, nothing that was kept before is taken
_SPARE = 1 << 28  # bytes left free on the disk, for everybody else
_ABANDONED = 24 * 3600  # seconds since a process last wrote to a file that was never finished

MAX_REASONS = 100
"""Most pictures that are named when they are skipped."""
_MAX_ABOUT = 100_000_000  # bytes, where all of ten million pictures are skipped

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Losses:
    """What is not in the pixels of some pictures.

    Attributes:
        skipped: places in the listing of those that could not be read, ascending.
        reasons: why, for the first hundred; each begins with the picture's name.
        notes: what is not in the pixels of the others, and of how many of them.
    """

    skipped: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    def add(self, more: "Losses") -> None:
        """Take in those of another batch."""
        self.skipped.extend(more.skipped)
        self.reasons.extend(more.reasons[: MAX_REASONS - len(self.reasons)])
        for note, count in more.notes.items():
            self.notes[note] = self.notes.get(note, 0) + count


@dataclass(frozen=True)
class Stored:
    """Pictures of one shape, in the order of their listing.

    Attributes:
        pixels: (n, C, H, W) uint8, of those that could be read; contiguous.
        losses: the others, and what is not in the pixels.
    """

    pixels: NDArray[np.uint8]
    losses: Losses


_LOSSES = TypeAdapter(Losses)
_ABOUT = TypeAdapter(tuple[int, Losses])  # with a checksum of the pixels and the losses


@dataclass(frozen=True)
class Entry:
    """Where the pictures of one listing are kept.

    Attributes:
        folder: in the cache.
        shape: (N, C, H, W): how many are listed, and what each is brought to.
        name: of the files, but for their endings.
    """

    folder: Path
    shape: tuple[int, int, int, int]
    name: str

    @classmethod
    def of(
        cls, place: str, listing: Iterable[tuple[str, str]], shape: tuple[int, int, int, int]
    ) -> "Entry":
        """Find the place in the cache for pictures.

        Args:
            place: names their source; an older entry of the same place gives way.
            listing: name and stamp of each.
            shape: (N, C, H, W).

        Raises:
            UsageError: there is no folder for a cache.
        """
        content = hashlib.sha256(json.dumps([_FORMAT, PIL.__version__, max_pixels()]).encode())
        for item in listing:
            content.update(json.dumps(item).encode())
        of_place = hashlib.sha256(json.dumps([place, shape[1:]]).encode())
        name = f"{of_place.hexdigest()[:16]}-{content.hexdigest()}"
        return cls(cache_folder() / "pictures", shape, name)

    @property
    def pixels(self) -> Path:
        """Their bytes."""
        return self.folder / f"{self.name}.u8"

    @property
    def about(self) -> Path:
        """What it is of."""
        return self.folder / f"{self.name}.json"

    def load(self) -> Stored | None:
        """The pictures, mapped from the file; None if they are not there or damaged."""
        try:
            kept = self._read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            kept = None
        if kept is None:
            _log.warning("%s: damaged, decoding again", self.pixels)
        return kept

    def _read(self) -> Stored | None:
        crc32, losses = _ABOUT.validate_json(read_bounded(self.about, _MAX_ABOUT))
        shape = (self.shape[0] - len(losses.skipped), *self.shape[1:])
        with open_regular(self.pixels) as file:
            if os.fstat(file.fileno()).st_size != math.prod(shape):
                return None
            mapped = np.memmap(file, np.uint8, "r", shape=shape) if shape[0] else np.empty(shape)
            pixels = np.asarray(mapped, np.uint8)
        whole = zlib.crc32(_LOSSES.dump_json(losses), zlib.crc32(pixels.data)) == crc32
        return Stored(pixels, losses) if whole else None

    def write(self, batches: Iterable[Stored]) -> None:
        """Keep pictures, and forget those of an older listing of the same place.

        Raises:
            UsageError: the folder cannot be written, or there is no room for them.
        """
        self._make_room()
        crc32, losses = 0, Losses()
        with atomic_path(self.pixels) as part, part.open("wb") as file:
            for batch in batches:
                file.write(batch.pixels.data)
                crc32 = zlib.crc32(batch.pixels.data, crc32)
                losses.add(batch.losses)
        crc32 = zlib.crc32(_LOSSES.dump_json(losses), crc32)
        write_atomically(self.about, _ABOUT.dump_json((crc32, losses)))
        self._forget_older()

    def _make_room(self) -> None:
        needed = math.prod(self.shape) + _SPARE
        with os_errors_as(UsageError, f"{self.folder}: cannot be written"):
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise UsageError(
                f"{self.folder}: has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are "
                f"needed; set {CACHE} to a folder with more room"
            )

    def _forget_older(self) -> None:
        older = set(self.folder.glob(f"{self.name.partition('-')[0]}-*"))
        long_ago = time.time() - _ABANDONED
        with suppress(OSError):  # another process has been here, or still reads it
            for path in older - {self.pixels, self.about}:
                path.unlink()
            for part in self.folder.glob(".*.part"):
                if part.stat().st_mtime < long_ago:
                    part.unlink()
