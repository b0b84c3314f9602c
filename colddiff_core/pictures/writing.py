"""Pictures into files: PNG, and animations as GIF and WebP; whole or not at all."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from colddiff_core.contracts.errors import ImageError
from colddiff_core.disk import write_atomically
from colddiff_core.pictures.batches import Pixels, to_pillow

MAX_SIDE = {".gif": 65_535, ".webp": 16_383}
"""Endings of animations, and the longest side in pixels that the format can say."""

SOFTWARE = "colddiff"
"""What pictures that are written here say of their maker."""

_FITTED_SIDE = 128  # k-means over a whole photograph takes seconds


def write_image(path: Path, pixels: Pixels) -> None:
    """Write a PNG file, whole or not at all, that says which software made it."""
    write_atomically(path, encode_png(pixels))


def encode_png(pixels: Pixels) -> bytes:
    """The content of a PNG file."""
    buffer, info = BytesIO(), PngInfo()
    info.add_text("Software", SOFTWARE)
    to_pillow(pixels).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


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
    encode = _to_palette if ending == ".gif" else to_pillow
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


def _to_palette(pixels: Pixels) -> Image.Image:
    """Give the frame 256 colours of its own; grey has no more than that."""
    picture = to_pillow(pixels)
    if picture.mode == "L":
        return picture
    small = picture.copy()
    small.thumbnail((_FITTED_SIDE, _FITTED_SIDE))
    colors = small.quantize(256, kmeans=1)
    return picture.quantize(palette=colors, dither=Image.Dither.FLOYDSTEINBERG)
