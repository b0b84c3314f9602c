"""Pictures as arrays: resized, laid out, and as float32 batches in [-1, 1]. Imports no torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.uint8]
"""(H, W, C) uint8, C = 1 (grey) or 3 (red, green, blue)."""


def fit(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize so that the picture covers height x width, and crop it centrally to that."""
    if pixels.shape[:2] == (height, width):
        return pixels
    picture = to_pillow(pixels)
    covered = ImageOps.fit(picture, (width, height), method=Image.Resampling.BICUBIC)
    return np.asarray(covered).reshape(height, width, pixels.shape[2])


def to_channels(pixels: Pixels, channels: int) -> Pixels:
    """Convert to grey (1) or colour (3), if it is not that already."""
    if channels == pixels.shape[2]:
        return pixels
    array = np.asarray(to_pillow(pixels).convert("L" if channels == 1 else "RGB"))
    return array.reshape(*pixels.shape[:2], channels)


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


def to_pillow(pixels: Pixels) -> Image.Image:
    """The same picture as Pillow has it."""
    return Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
