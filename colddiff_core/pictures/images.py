"""Pictures in and out: files, uint8 arrays and float32 batches in [-1, 1]. Imports no torch.

A picture file is hostile until proven otherwise: its size is bounded before it is decoded, and
formats that Pillow hands to another program are not read.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from colddiff_core.contracts.errors import ImageError
from colddiff_core.disk import write_atomically

MAX_PIXELS = 64_000_000
"""Largest picture that is decoded, width times height."""

MAX_SIDE = {".gif": 65_535, ".webp": 16_383}
"""Endings of animations, and the longest side in pixels that the format can say."""

SOFTWARE = "colddiff"
"""What pictures that are written here say of their maker."""

_RUN_A_PROGRAM = {"EPS", "WMF"}  # Pillow gives these to Ghostscript or to the system
_FITTED_SIDE = 128  # k-means over a whole photograph takes seconds

Pixels = NDArray[np.uint8]
"""(H, W, C) uint8, C = 1 (grey) or 3 (red, green, blue)."""


def read_image(path: Path, channels: Literal[1, 3] | None = None) -> Pixels:
    """Decode a picture file: upright, without its alpha channel, 8 bits a channel.

    Args:
        path: the file.
        channels: convert to grey (1) or colour (3); None keeps what the file has.

    Raises:
        ImageError: not a picture that Pillow reads, damaged, or over `MAX_PIXELS`.
    """
    return _decoded(path, str(path), channels)


def decode_image(content: bytes, name: str, channels: Literal[1, 3] | None = None) -> Pixels:
    """Decode the content of a picture file, as `read_image` does.

    Args:
        content: what the file would hold.
        name: begins the messages of errors.
        channels: convert to grey (1) or colour (3); None keeps what the file has.

    Raises:
        ImageError: not a picture that Pillow reads, damaged, or over `MAX_PIXELS`.
    """
    return _decoded(BytesIO(content), name, channels)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture file, upright; it is not decoded.

    Raises:
        ImageError: not a picture that Pillow reads, or over `MAX_PIXELS`.
    """
    with _opened(path, str(path)) as picture:
        on_its_side = picture.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
        height, width = picture.height, picture.width
        return (width, height) if on_its_side else (height, width)


def _decoded(file: Path | BytesIO, name: str, channels: Literal[1, 3] | None) -> Pixels:
    with _opened(file, name) as picture:
        return _to_pixels(ImageOps.exif_transpose(picture), channels)


@contextmanager
def _opened(file: Path | BytesIO, name: str) -> Iterator[Image.Image]:
    """Let a picture be read; whatever goes wrong is an ImageError."""
    Image.init()
    formats = [known for known in Image.OPEN if known not in _RUN_A_PROGRAM]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what the size check below refuses
            with Image.open(file, formats=formats) as picture:
                _check_size(name, picture)
                yield picture
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture that can be read") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: a folder, not a picture") from None
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise ImageError(f"{name}: cannot be decoded: {error}") from None


def _check_size(name: str, picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {picture.width}x{picture.height} is over the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels"
        )


def _to_pixels(picture: Image.Image, channels: int | None) -> Pixels:
    if picture.mode.startswith(("I", "F")):  # 16 bits or more: Pillow would clip, not scale
        values = np.asarray(picture).astype(np.float64)
        top = 65535.0 if picture.mode.startswith("I") else 1.0
        picture = Image.fromarray((np.clip(values / top, 0, 1) * 255 + 0.5).astype(np.uint8))
    if picture.mode == "P":  # what optimisers make of grey pictures, too
        colours = np.asarray(picture.convert("RGB"))
        grey_palette = bool((colours == colours[:, :, :1]).all())
        picture = Image.fromarray(colours[:, :, 0] if grey_palette else colours)
    grey = picture.mode in ("1", "L", "LA", "La")
    wanted = channels or (1 if grey else 3)
    array = np.asarray(picture.convert("L" if wanted == 1 else "RGB"))
    return array.reshape(picture.height, picture.width, wanted)


def fit(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize so that the picture covers height x width, and crop it centrally to that."""
    if pixels.shape[:2] == (height, width):
        return pixels
    picture = _to_picture(pixels)
    covered = ImageOps.fit(picture, (width, height), method=Image.Resampling.BICUBIC)
    return np.asarray(covered).reshape(height, width, pixels.shape[2])


def to_batch(pictures: Sequence[Pixels]) -> NDArray[np.float32]:
    """(H, W, C) uint8 pictures of one shape to (B, C, H, W) float32 in [-1, 1]."""
    stacked = np.stack(pictures).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(stacked, dtype=np.float32) / np.float32(255) * 2 - 1


def from_batch(batch: NDArray[Any]) -> list[Pixels]:
    """(B, C, H, W) in [-1, 1], clipped, to (H, W, C) uint8 pictures."""
    levels = np.clip((batch.transpose(0, 2, 3, 1) + 1) / 2, 0, 1) * 255
    return list(np.rint(levels).astype(np.uint8))


def tile(rows: Sequence[Sequence[Pixels]], *, gap: int = 2, zoom: int = 1) -> Pixels:
    """Lay pictures of one shape out in rows on white, `gap` pixels apart, enlarged `zoom` times."""
    height, width, channels = rows[0][0].shape
    h, w = height * zoom, width * zoom
    columns = max(len(row) for row in rows)
    sheet = np.full(
        (len(rows) * (h + gap) - gap, columns * (w + gap) - gap, channels), 255, dtype=np.uint8
    )
    for r, row in enumerate(rows):
        for c, pixels in enumerate(row):
            big = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
            top, left = r * (h + gap), c * (w + gap)
            sheet[top : top + h, left : left + w] = big
    return sheet


def write_image(path: Path, pixels: Pixels) -> None:
    """Write a PNG file, whole or not at all, that says which software made it."""
    write_atomically(path, encode_png(pixels))


def encode_png(pixels: Pixels) -> bytes:
    """The content of a PNG file."""
    buffer, info = BytesIO(), PngInfo()
    info.add_text("Software", SOFTWARE)
    _to_picture(pixels).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def software_of(path: Path) -> str | None:
    """What made a picture file, if it says so; None for what is no picture."""
    try:
        with _opened(path, str(path)) as picture:
            said = picture.info.get("Software")
            return said if isinstance(said, str) else None
    except ImageError:
        return None


def write_animation(path: Path, frames: Iterable[Pixels], milliseconds: Sequence[int]) -> None:
    """Write an animated GIF or WebP file that repeats for ever, whole or not at all.

    Args:
        path: ends in .gif or .webp.
        frames: pictures of one shape, as many as `milliseconds`.
        milliseconds: how long each is shown; GIF counts in tens.

    Raises:
        ImageError: another ending, or the frames are too large for the format.
    """
    ending = path.suffix.lower()
    if ending not in MAX_SIDE:
        raise ImageError(f"{path}: expected a name that ends in {' or '.join(MAX_SIDE)}")
    encode = _to_palette if ending == ".gif" else _to_picture
    pictures = (encode(_fitting(path, frame, MAX_SIDE[ending])) for frame in frames)
    buffer = BytesIO()
    next(pictures).save(
        buffer,
        format=ending[1:],
        save_all=True,
        append_images=pictures,
        duration=list(milliseconds),
        loop=0,
        quality=90,
        optimize=False,  # Pillow would shift the tones of grey GIF frames that use less than all
    )
    write_atomically(path, buffer.getvalue())


def _fitting(path: Path, frame: Pixels, limit: int) -> Pixels:
    height, width, _ = frame.shape
    if max(height, width) > limit:
        raise ImageError(
            f"{path}: frames of {width}x{height} are too large for the format, which holds up to "
            f"{limit} pixels a side"
        )
    return frame


def _to_picture(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)


def _to_palette(pixels: Pixels) -> Image.Image:
    """Give the frame 256 colours of its own; grey has no more than that."""
    picture = _to_picture(pixels)
    if picture.mode == "L":
        return picture
    small = picture.copy()
    small.thumbnail((_FITTED_SIDE, _FITTED_SIDE))
    colors = small.quantize(256, kmeans=1)
    return picture.quantize(palette=colors, dither=Image.Dither.FLOYDSTEINBERG)
