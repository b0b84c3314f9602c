"""What a user knows about pictures that are degraded already, from the options of `restore`."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts.errors import ImageError, UsageError
from colddiff_core.pictures.images import Pixels, fit, read_image, to_batch

ImageShape = tuple[int, int, int]


def read_hints(
    image_shape: ImageShape,
    *,
    mask: Path | None,
    endpoint: Path | None,
    color: str | None,
    resize: bool,
) -> Mapping[str, NDArray[np.float32]]:
    """Read the hints that were given.

    Args:
        image_shape: (C, H, W) of the model.
        mask: a picture, white where the pictures are missing.
        endpoint: the picture that they turned into.
        color: the colour that they faded to, `#rrggbb`.
        resize: bring mask and endpoint to the model's size, as is done with the pictures.

    Returns:
        What `Degradation.estimate_context` takes, as arrays with a batch axis of 1.

    Raises:
        UsageError: a picture cannot be read or has another size, a mask is all black, or a colour
            is none.
    """
    channels = image_shape[0]
    hints: dict[str, NDArray[np.float32]] = {}
    if mask is not None:
        white = _read("--mask", mask, 1, image_shape, resize)
        if not white.any():
            raise ImageError(f"--mask {mask}: is all black; white marks what is missing")
        hints["mask"] = (to_batch([white]) + 1) / np.float32(2)
    if endpoint is not None:
        hints["endpoint"] = to_batch([_read("--endpoint", endpoint, channels, image_shape, resize)])
    if color is not None:
        hints["color"] = to_batch([_color(color, channels)])
    return hints


def _read(option: str, path: Path, channels: int, image_shape: ImageShape, resize: bool) -> Pixels:
    _, height, width = image_shape
    pixels = read_image(path, 1 if channels == 1 else 3)
    if resize:
        return fit(pixels, height, width)
    if pixels.shape[:2] != (height, width):
        raise ImageError(
            f"{option} {path}: is {pixels.shape[0]}x{pixels.shape[1]} (height x width), the "
            f"pictures are {height}x{width}; --resize brings all of them to that size"
        )
    return pixels


def _color(text: str, channels: int) -> Pixels:
    """One pixel of the colour, (1, 1, C)."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise UsageError(f"--color {text!r}: expected '#rrggbb' in hexadecimal, e.g. '#ff8000'")
    pixel = np.frombuffer(bytes.fromhex(text[1:]), np.uint8).reshape(1, 1, 3)
    if channels == 1 and len(set(pixel.flat)) > 1:
        raise UsageError(f"--color {text}: the model's pictures are grey; e.g. '#808080'")
    return pixel[:, :, :channels]
