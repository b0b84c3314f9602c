"""Opening a picture file, which is hostile until proven otherwise. Nothing is decoded here.

It is a regular file of bounded size, of a format whose decoder is Pillow's own; its pixels, its
sides and the scans of a JPEG are bounded before they are decoded. Of a TIFF, the first page that
is no reduced image is chosen.
"""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from PIL import Image, TiffImagePlugin, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from colddiff_core.contracts.errors import ImageError, UsageError
from colddiff_core.disk import open_regular

MAX_PIXELS = 64_000_000
"""Largest picture that is decoded, width times height, where `LIMIT` does not say otherwise."""

LIMIT = "COLDDIFF_MAX_PIXELS"
"""Environment variable that sets another limit."""

MAX_SIDE = 65_535
"""Longest side in pixels; as each row takes memory of its own. A thousandth of a higher limit."""

MAX_SCANS = 100
"""Most passes over its pixels that a JPEG file may ask for; encoders write 10 or so."""

CONVERT = "convert it to 8 or 16 bits a channel, grey or RGB"
"""What errors advise."""

_FORMATS = {
    *("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "PSD", "QOI", "TGA"),
    *("TIFF", "WEBP"),
}
_MAX_BYTES = 2_000_000_000
_MOST_SEGMENTS = 10_000  # of a JPEG file; Pillow takes microseconds for each
_MOST_JUNK = 65_536  # bytes between them, likewise
_MOST_PAGES = 32  # of a TIFF file, until one is no reduced image
_SUBFILE, _REDUCED_OR_MASK = 254, 0b101

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # but for stuffing and restarts
_END, _SCAN = 0xD9, 0xDA

# Pillow knows 16 bits with white as zero in the other byte order only; `decoding` inverts both
TiffImagePlugin.OPEN_INFO.setdefault((b"MM", 0, (1,), 1, (16,), ()), ("I;16B", "I;16B"))


def max_pixels() -> int:
    """Largest picture that is decoded, width times height.

    Raises:
        UsageError: `LIMIT` is set to something else than a number of pixels.
    """
    said = os.environ.get(LIMIT) or str(MAX_PIXELS)
    if not re.fullmatch(r"[1-9][0-9_]{0,15}", said):
        raise UsageError(f"{LIMIT}={said}: expected a number of pixels, e.g. 200000000")
    return int(said)


@contextmanager
def opened(source: Path | bytes, name: str) -> Iterator[ImageFile]:
    """Open a picture; whatever goes wrong, with decoding as well, is an ImageError.

    Args:
        source: the file, or what it would hold.
        name: begins the messages of errors.

    Raises:
        ImageError: missing, not a picture that is read, damaged, or over a limit.
    """
    limit = max_pixels()
    if limit > (Image.MAX_IMAGE_PIXELS or limit):
        Image.MAX_IMAGE_PIXELS = limit  # raised on purpose, so that Pillow does not refuse
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is refused below
            with _bounded(source) as file, identified(_checked(file)) as picture:
                if isinstance(picture, TiffImagePlugin.TiffImageFile):
                    _turn_to_full_page(picture)
                _check_size(picture, limit)
                yield picture
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture that can be read") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name}: {_too_large('its size', limit)}") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: a folder, not a picture") from None
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        reason = getattr(error, "strerror", None) or f"cannot be decoded: {error}"
        raise ImageError(f"{name}: {reason}") from None


def identified(file: IO[bytes]) -> ImageFile:
    """The picture in a file, of one of the formats that are read."""
    Image.init()
    try:
        return Image.open(file, formats=[name for name in Image.OPEN if name in _FORMATS])
    except UnidentifiedImageError:
        file.seek(0)
        start = file.read(8)
        if start[:4] not in (b"II*\0", b"MM\0*"):
            raise
    tags = TiffImagePlugin.ImageFileDirectory_v2(start)
    file.seek(tags.next)
    tags.load(file)
    raise ImageError(f"a TIFF of {described(tags)} is not read; {CONVERT}")


def described(tags: TiffImagePlugin.ImageFileDirectory_v2) -> str:
    """What a TIFF says of its numbers."""
    kinds = {1: "unsigned integers", 2: "signed integers", 3: "floating-point numbers"}
    bits = " + ".join(map(str, tags.get(258, (1,))))
    kind = tags.get(339, (1,))[0]
    return f"{bits} bits, {kinds.get(kind, f'sample format {kind}')}"


def _bounded(source: Path | bytes) -> IO[bytes]:
    return open_regular(source, _MAX_BYTES) if isinstance(source, Path) else BytesIO(source)


def _checked(file: IO[bytes]) -> IO[bytes]:
    """The file, or what it holds where that had to be read."""
    start = file.read(2)
    if start != b"\xff\xd8":
        return file
    content = start + file.read()
    _check_jpeg(content)
    return BytesIO(content)


def _check_jpeg(content: bytes) -> None:
    place, scans, segments = 2, 0, 0
    while match := _MARKER.search(content, place):
        kind = content[match.start() + 1]
        if kind == _END:
            return
        segments += 1
        if segments > _MOST_SEGMENTS or (not scans and match.start() - place > _MOST_JUNK):
            raise ImageError("not an ordinary JPEG file: too much beside the picture")
        scans += kind == _SCAN
        if scans > MAX_SCANS:
            raise ImageError(f"a JPEG file of more than {MAX_SCANS} scans; save it anew")
        place = match.end() + int.from_bytes(content[match.end() : match.end() + 2], "big")


def _turn_to_full_page(picture: TiffImagePlugin.TiffImageFile) -> None:
    for page in range(_MOST_PAGES):
        try:
            picture.seek(page)
        except EOFError:
            break
        if not picture.tag_v2.get(_SUBFILE, 0) & _REDUCED_OR_MASK:
            return
    raise ImageError("holds a reduced image alone, not the full one; convert it to PNG or TIFF")


def _check_size(picture: ImageFile, limit: int) -> None:
    width, height = picture.size
    if width * height > limit:
        raise ImageError(_too_large(f"{width}x{height}", limit))
    if max(width, height) > max(MAX_SIDE, limit // 1000):
        raise ImageError(_too_large(f"{width}x{height}, with such a side,", limit))


def _too_large(size: str, limit: int) -> str:
    return (
        f"{size} is over the limit of {limit / 1e6:g} megapixels and "
        f"{max(MAX_SIDE, limit // 1000):,} pixels a side; to read it, set {LIMIT} higher"
    )
