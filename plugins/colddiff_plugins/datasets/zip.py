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

from colddiff_core.contracts.dataset import Split
from colddiff_core.contracts.errors import DatasetError, ImageError
from colddiff_core.pictures.images import Pixels, decode_image
from colddiff_plugins.datasets._parts import (
    PicturesInParts,
    check_fraction,
    check_size,
    need_two,
    part,
)
from colddiff_plugins.datasets._pictures import Listed, Read, Source, decoded
from colddiff_plugins.datasets.folder import Folder

_MAX_BYTES = 100_000_000  # of a picture, and of the directory: of a million members or so
_READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # of the others Python bounds no output
_ENCRYPTED = 0x1


class Zip(PicturesInParts):
    """All pictures in a zip file, in the order of their paths; the same as those of the folder.

    Each is resized until it covers the square and cropped centrally; it is decoded once and kept
    as uint8, for the next time, too. Hidden files are passed over. A member that is no readable
    picture is reported by name and skipped; so is one that is encrypted, damaged, of a size that
    no picture has or of a name that leads out of a folder, and the second of one name.

    Args:
        split: which part; a picture's part depends on its name and `split_seed` alone (unless
            there are very few), so that adding pictures moves none to the other part.
        file: the zip file.
        image_size: side of the square, pixels.
        channels: 1 for grey, 3 for colour.
        test_fraction: share of the pictures that is held out, 0 to 1 (neither end included).
        split_seed: another seed holds out others.

    Raises:
        DatasetError: it is no zip file, or fewer than two pictures in it can be read.
        ParameterError: a size or share is out of range.
    """

    def __init__(
        self,
        split: Split,
        *,
        file: Path,
        image_size: int = 64,
        channels: Literal[1, 3] = 3,
        test_fraction: float = 0.1,
        split_seed: int = 0,
    ) -> None:
        check_size(image_size)
        check_fraction(test_fraction)
        source = ZipSource.of(file, channels)
        pictures = decoded(source, image_size)
        need_two(str(file), pictures, len(source.listing))
        super().__init__(pictures, part(pictures.names, split, test_fraction, split_seed))

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures; see `Buildable.example_params`."""
        Folder.example_params(folder)
        with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
            for path in sorted(folder.glob("*.png")):
                archive.write(path, path.name)
        return {"file": folder / "pictures.zip", "image_size": 16}


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

            def read(number: int) -> Pixels:
                name, member = members[number]
                where = f"{self.file}: {name}"
                if number in repeated:
                    raise ImageError(f"{where}: the name of more than one member")
                with one_at_a_time:
                    content = _content(archive, member, where)
                return decode_image(content, where, self.channels)

            yield read


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        if not file.is_file():  # a pipe would be waited for
            raise DatasetError(f"{file}: no such file")
        raw = file.open("rb", buffering=0)
    except OSError as error:
        raise DatasetError(f"{file}: {error.strerror}") from error
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
