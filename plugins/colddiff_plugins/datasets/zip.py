"""Pictures of any kind and size from a zip file, brought to one shape; nothing is unpacked on disk.

An archive is hostile until proven otherwise. What its directory says of a member, its size above
all, is not relied upon: reading stops at a limit, and a member that is not what it should be is
one that cannot be read, like a file that is no picture.
"""

import io
import os
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from colddiff_core import DatasetError, ImageError, Picture, read_picture
from colddiff_core.disk import open_regular, os_errors_as
from colddiff_plugins.datasets._parts import Numbers, PictureDataset
from colddiff_plugins.datasets._pictures import Listed, Read, Source

_MAX_BYTES = 100_000_000  # of a picture, and of the directory: of a million members or so
_READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # of the others Python bounds no output
_ENCRYPTED = 0x1


@dataclass(eq=False, repr=False, kw_only=True)
class Zip(PictureDataset):
    """All pictures in a zip file, in the order of their paths; the same as those of the folder.

    Each is resized until it covers the square and cropped centrally; it is decoded once and kept
    as uint8, for the next time, too. Hidden files are passed over. A member that is no readable
    picture is reported by name and skipped; so is one that is encrypted, damaged, of a size that
    no picture has or of a name that leads out of a folder, and the second of one name.

    Args:
        file: the zip file.

    Raises:
        DatasetError: it is no zip file, or fewer than two pictures in it can be read.
        ParameterError: a size or share is out of range.
    """

    file: Path

    def _load(self) -> tuple[NDArray[np.uint8], Numbers]:
        return self._divided(ZipSource.of(self.file, self.channels))

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures; see `Buildable.example_params`."""
        params = super().example_params(folder)
        with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
            for path in sorted(folder.glob("*.png")):
                archive.write(path, path.name)
        return {"file": folder / "pictures.zip", **params}


@dataclass(frozen=True)
class ZipSource(Source):
    """The members of a zip file.

    Attributes:
        file: as it was named.
    """

    file: Path

    @classmethod
    def of(cls, file: Path, channels: Literal[1, 3]) -> "ZipSource":
        """List a zip file: its members that are not hidden, in the order of paths.

        Args:
            file: the zip file.
            channels: 1 to read pictures as grey, 3 as colour.

        Raises:
            DatasetError: it is no zip file.
        """
        with _opened(file) as archive:
            state = file.stat()
            archived = f"{state.st_size} {state.st_mtime_ns}"  # a member's own words are only words
            listing = [
                Listed(name, f"{archived} {member.CRC} {member.file_size}")
                for name, member in _members(archive)
            ]
        return cls(os.path.realpath(file), tuple(listing), channels, file)

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """See `Source.opened`."""
        with _opened(self.file) as archive:
            members = _members(archive)
            names = [name for name, _ in members]
            if names != [item.name for item in self.listing]:
                raise DatasetError(f"{self.file}: changes while it is read")
            repeated = {k for k in range(1, len(names)) if names[k] == names[k - 1]}
            one_at_a_time = Lock()

            def read(number: int) -> Picture:
                name, member = members[number]
                where = f"{self.file}: {name}"
                if number in repeated:
                    raise ImageError(f"{where}: the name of more than one member")
                with one_at_a_time:
                    content = _content(archive, member, where)
                return read_picture(content, self.channels, name=where)

            yield read


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    if file.is_dir():
        raise DatasetError(
            f'{file}: a folder; instead of the file, write name = "folder" and folder = "{file}"'
        )
    with os_errors_as(DatasetError, file):
        raw = open_regular(file).detach()
    with _Bounded(raw) as bounded:
        try:
            archive = zipfile.ZipFile(bounded)
        except Exception as error:  # a damaged directory raises many kinds
            raise DatasetError(f"{file}: not a zip file that can be read: {error}") from None
        with archive:
            yield archive


class _Bounded(io.BufferedReader):
    """A file of which nobody reads a lot at a time, whatever a header says."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_BYTES + 1:
            raise zipfile.BadZipFile(f"a directory of more than {_MAX_BYTES:,} bytes")
        return super().read(size)


def _members(archive: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Those that are not hidden, in the order of paths, by name."""
    found = [
        (PurePosixPath(member.filename), member)
        for member in archive.infolist()
        if not member.is_dir()
    ]
    return [
        (path.as_posix(), member)
        for path, member in sorted(found, key=lambda item: item[0].parts)
        if not any(_hides(part) for part in path.parts)
    ]


def _hides(part: str) -> bool:
    return part == "__MACOSX" or (part.startswith(".") and part != "..")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> bytes:
    """What a member holds.

    Raises:
        ImageError: begins with `where` and says why it is not read.
    """
    if fault := _fault(member):
        raise ImageError(f"{where}: {fault}")
    try:
        with archive.open(member) as file:
            content = file.read(_MAX_BYTES + 1)
    except Exception as error:  # damaged members raise many kinds
        raise ImageError(f"{where}: cannot be unpacked: {error or type(error).__name__}") from None
    if len(content) > _MAX_BYTES:
        raise ImageError(f"{where}: holds more than {_MAX_BYTES:,} bytes")
    return content


def _fault(member: zipfile.ZipInfo) -> str | None:
    """Why a member is not even opened."""
    parts = member.filename.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or parts[0].endswith(":"):
        return "a name that leads out of the archive"
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in member.orig_filename):
        return "a name with control characters"
    if member.flag_bits & _ENCRYPTED:
        return "encrypted"
    if member.compress_type not in _READ:
        return f"compressed by method {member.compress_type}; stored and deflated ones are read"
    if member.file_size > _MAX_BYTES:
        return f"holds more than {_MAX_BYTES:,} bytes"
    return None
