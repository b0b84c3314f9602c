"""Picture files read: 8-bit pixels, and what the file holds besides them."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

from colddiff_core.contracts.errors import ImageError
from colddiff_core.pictures.batches import Pixels, to_channels
from colddiff_core.pictures.decoding import Alpha, check_numbers, decoded, is_grey, losses
from colddiff_core.pictures.opening import opened

Channels = Literal[1, 3]

_ONE_TONE = 32  # levels that what is of one tone may vary by, as JPEG leaves it

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Header:
    """What a picture file says before it is decoded.

    Attributes:
        format: in Pillow's words, e.g. "PNG".
        height: of the upright picture, pixels.
        width: likewise.
        channels: 1 for grey, 3 for colour.
    """

    format: str
    height: int
    width: int
    channels: Channels


@dataclass(frozen=True)
class Picture:
    """A picture file, read.

    Attributes:
        pixels: upright, without alpha.
        alpha: (H, W) uint8, 255 where it is opaque; None for a picture that is so everywhere.
        format: of the file, in Pillow's words, e.g. "PNG".
        notes: what of the file is not in `pixels`, for whoever reads them alone.
    """

    pixels: Pixels = field(repr=False)
    alpha: Alpha | None = field(repr=False)
    format: str
    notes: tuple[str, ...]


def picture_header(path: Path) -> Header:
    """Read what a picture file says of itself; it is not decoded, unless it has a palette.

    A PNG file that says behind its pixels alone how it is turned has the size it is stored in.

    Raises:
        ImageError: not a picture that can be read, or over a limit.
    """
    with opened(path, str(path)) as picture:
        check_numbers(picture)
        channels: Channels = 1 if is_grey(picture) else 3
        height, width = picture.height, picture.width
        if _is_on_its_side(picture):
            height, width = width, height
        return Header(picture.format or "", height, width, channels)


def read_picture(
    source: Path | bytes, channels: Channels | None = None, *, name: str | None = None
) -> Picture:
    """Read a picture: upright, 8 bits a channel, from black, 0, to white, 255.

    Args:
        source: the file, or what it would hold.
        channels: convert to grey (1) or colour (3); None keeps what the file has.
        name: begins the messages of errors; by default the path.

    Raises:
        ImageError: not a picture that can be read, damaged, over a limit, or it does not say what
            its numbers mean.
    """
    with opened(source, name or str(source)) as picture:
        notes = [*_notes(picture), *losses(picture)]
        pixels, alpha = decoded(picture)
        if alpha is not None and alpha.min() == 255:
            alpha = None
        if alpha is not None:
            notes.append("transparency is not kept: what is under it is taken as opaque")
        if channels is not None:
            pixels = to_channels(pixels, channels)
        return Picture(pixels, alpha, picture.format or "", tuple(notes))


def read_image(path: Path, channels: Channels | None = None) -> Pixels:
    """Read the pixels of a picture alone, and log a warning of what is not in them.

    See `read_picture`.
    """
    picture = read_picture(path, channels)
    for note in picture.notes:
        _log.warning("%s: %s", path, note)
    return picture.pixels


def read_mask(path: Path) -> Pixels:
    """Read a mask: white, or drawn with an opaque brush on a transparent layer, what is missing.

    Returns:
        (H, W, 1) uint8, 255 where the picture is missing and 0 where it is not.

    Raises:
        ImageError: as for `read_picture`; or it marks nothing, or everything, or does not say
            which part of it counts.
    """
    picture = read_picture(path, 1)
    mask = picture.pixels
    if picture.alpha is not None:
        brush = mask[picture.alpha == 255]
        if brush.size and np.ptp(brush) > _ONE_TONE:
            raise ImageError(
                f"{path}: transparent in places and of several colours elsewhere; a mask is white "
                f"where the picture is missing and black elsewhere, or one colour on transparency"
            )
        mask = picture.alpha[:, :, None]
    if np.ptp(mask) <= _ONE_TONE:
        tone = "black" if mask.max() < 64 else "white" if mask.min() > 191 else "grey"
        raise ImageError(
            f"{path}: is all {tone}; white marks what is missing, black what is there to go by"
        )
    return mask


def software_of(path: Path) -> str | None:
    """What made a picture file, if it says so; None for what is no picture."""
    try:
        with opened(path, str(path)) as picture:
            said = picture.info.get("Software")
            return said if isinstance(said, str) else None
    except ImageError:
        return None


def _is_on_its_side(picture: ImageFile) -> bool:
    if picture.format == "TIFF":  # whose size Pillow has turned
        return False
    # For PNG the plugin's own would decode, to see what is said behind the pixels
    exif = Image.Image.getexif(picture) if picture.format == "PNG" else picture.getexif()
    return exif.get(ExifTags.Base.Orientation) in (5, 6, 7, 8)


def _notes(picture: ImageFile) -> Iterator[str]:
    if picture.tell():
        yield f"page {picture.tell() + 1} is read; those before it are reduced images"
    elif getattr(picture, "is_animated", False):
        yield "the first of its pages or frames is read alone"
    profile = picture.info.get("icc_profile", b"")
    if profile and b"sRGB" not in profile.replace(b"\0", b""):
        yield "its colour profile is not applied: colours are taken as sRGB"
