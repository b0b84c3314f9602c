"""What a user knows about pictures that are degraded already."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.model import Images
from colddiff_core.pictures.batches import Pixels, fit, to_batch
from colddiff_core.pictures.reading import read_image, read_mask


@dataclass(frozen=True)
class PictureHints:
    """What is known of the degradation of some pictures.

    Attributes:
        mask: a picture, white where the pictures are missing.
        endpoint: the picture, or noise, that they turned into.
        color: the colour that they faded to, `#rrggbb`.
    """

    mask: Path | None = None
    endpoint: Path | None = None
    color: str | None = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return bool(self.files) or self.color is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """The pictures among them."""
        return tuple(path for path in (self.mask, self.endpoint) if path is not None)


def read_hints(
    image_shape: tuple[int, int, int], hints: PictureHints, *, resize: bool
) -> Mapping[str, Images]:
    """Read the hints that were given.

    Args:
        image_shape: (C, H, W) of the model.
        hints: what is known.
        resize: bring mask and endpoint to the model's size, as is done with the pictures.

    Returns:
        What `Degradation.estimate_context` takes, as arrays with a batch axis of 1.

    Raises:
        UsageError: a picture cannot be read, a mask is all black or all white, or a colour is
            none.
    """
    channels, height, width = image_shape
    found: dict[str, Images] = {}

    def batch(pixels: Pixels) -> Images:
        return to_batch([fit(pixels, height, width) if resize else pixels])

    if hints.mask is not None:
        found["mask"] = (batch(read_mask(hints.mask)) + 1) / np.float32(2)
    if hints.endpoint is not None:
        found["endpoint"] = batch(read_image(hints.endpoint, 1 if channels == 1 else 3))
    if hints.color is not None:
        found["color"] = to_batch([_color(hints.color, channels)])
    return found


def _color(text: str, channels: int) -> Pixels:
    """One pixel of the colour, (1, 1, C)."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise UsageError(f"--color {text!r}: expected '#rrggbb' in hexadecimal, e.g. '#ff8000'")
    pixel = np.frombuffer(bytes.fromhex(text[1:]), np.uint8).reshape(1, 1, 3)
    if channels == 1 and len(set(pixel.flat)) > 1:
        raise UsageError(f"--color {text}: the model's pictures are grey; e.g. '#808080'")
    return pixel[:, :, :channels]
