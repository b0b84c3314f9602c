"""Restore images in tiles: overlapping, blended, in memory that does not grow. Imports no torch.

| here | meaning |
|---|---|
| `tile` | side of the tiles, where the image is larger |
| `overlap` | pixels that neighbours share at least |
| `margin` | a quarter of it, which is thrown away: there a tile knows least of its surroundings |

Between the margins the weights of neighbours change gradually. At the border of the image nothing
is thrown away: a tile that ends there ends where the whole does. Lines are returned as soon as no
later tile touches them, so that the numbers held are a strip of the height of a tile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.model import Images
from colddiff_core.pictures.batches import Pixels, from_batch

Crop = Callable[[slice, slice], Images]
"""Rows and columns of an image as (C, h, w) float32 in [-1, 1]."""


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Attributes:
        size: (height, width) of the image.
        tile: (height, width) of a tile.
        overlap: pixels that neighbours share at least.
        grid: tiles start at multiples of it.
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    overlap: int
    grid: int = 1

    def __post_init__(self) -> None:
        """Check the sides and the overlap.

        Raises:
            UsageError: it is negative, or leaves no step from tile to tile; or the tiles are small.
        """
        most = min(self.tile) - self.grid
        if most < 0:
            raise UsageError(f"tile: expected {self.grid} pixels or more, got {min(self.tile)}")
        if not 0 <= self.overlap <= most:
            raise UsageError(
                f"overlap: expected 0 to {most} pixels for tiles of "
                f"{self.tile[0]}x{self.tile[1]}, got {self.overlap}"
            )

    def spans(self, axis: int) -> list[slice]:
        """Where the tiles lie along an axis; the last one ends with the image."""
        length, side = self.size[axis], self.tile[axis]
        step = (side - self.overlap) // self.grid * self.grid
        last = -(-max(length - side, 0) // self.grid) * self.grid
        starts = [*range(0, last, step), last]
        return [slice(start, min(start + side, length)) for start in starts]


def restore_tiled(
    restore: Callable[[Images], Images],
    crop: Crop,
    tiling: Tiling,
    *,
    channels: int,
    batch_size: int = 1,
    on_pixels: Callable[[int], None] | None = None,
) -> Pixels:
    """Restore a large image.

    Args:
        restore: (B, C, h, w) tiles to the same, restored.
        crop: reads the degraded image.
        tiling: how to cut it.
        channels: C.
        batch_size: tiles of one size restored together.
        on_pixels: called with how many pixels of the result are done since the last call.

    Returns:
        (H, W, C) uint8, blended and clipped.
    """
    height, width = tiling.size
    result = np.empty((height, width, channels), np.uint8)
    top = 0
    for strip in _strips(restore, crop, tiling, channels, batch_size):
        rows = from_batch(strip[None])[0]
        result[top : top + len(rows)] = rows
        top += len(rows)
        if on_pixels is not None:
            on_pixels(len(rows) * width)
    return result


def sample_tiles(crop: Crop, tiling: Tiling) -> Images:
    """A few tiles, up to 3 by 3 spread over the image, to find out what all have in common.

    Args:
        crop: reads the degraded image.
        tiling: how to cut it.

    Returns:
        (B, C, h, w), of the size of the smallest of them.
    """
    rows, columns = (
        [spans[k] for k in sorted({k * (len(spans) - 1) // 2 for k in range(3)})]
        for spans in (tiling.spans(0), tiling.spans(1))
    )
    tiles = [crop(down, across) for down in rows for across in columns]
    height, width = (min(tile.shape[axis] for tile in tiles) for axis in (1, 2))
    return np.stack([tile[:, :height, :width] for tile in tiles])


def _strips(
    restore: Callable[[Images], Images], crop: Crop, tiling: Tiling, channels: int, batch_size: int
) -> Iterator[Images]:
    """The finished lines, (C, rows, W), from top to bottom."""
    rows, columns = tiling.spans(0), tiling.spans(1)
    across = [_weights(span, columns, tiling.overlap) for span in columns]
    # a line of weights above the channels
    height = min(tiling.tile[0], tiling.size[0])
    total = np.zeros((channels + 1, height, tiling.size[1]), np.float32)
    for k, down in enumerate(rows):
        weight_down = _weights(down, rows, tiling.overlap)
        lines = down.stop - down.start
        for some in _alike(columns, batch_size):
            tiles = restore(np.stack([crop(down, columns[c]) for c in some]))
            for c, tile in zip(some, tiles, strict=True):
                weight = np.outer(weight_down, across[c])
                total[:-1, :lines, columns[c]] += tile * weight
                total[-1, :lines, columns[c]] += weight
        done = (rows[k + 1].start if k + 1 < len(rows) else down.stop) - down.start
        yield total[:-1, :done] / total[-1, :done]
        total[:, : lines - done] = total[:, done:lines].copy()
        total[:, lines - done :] = 0


def _alike(spans: list[slice], batch_size: int) -> Iterator[list[int]]:
    """Numbers of neighbouring spans of one length, `batch_size` at most."""
    some: list[int] = []
    for k, span in enumerate(spans):
        if some and (len(some) == batch_size or _length(span) != _length(spans[some[0]])):
            yield some
            some = []
        some.append(k)
    yield some


def _length(span: slice) -> int:
    return int(span.stop - span.start)


def _weights(span: slice, spans: list[slice], overlap: int) -> NDArray[np.float32]:
    """Weights along a tile: 0 in its margins, rising between, 1 where it is alone."""
    margin = overlap // 4
    place = np.arange(_length(span))
    weight = np.ones(_length(span))
    if span != spans[0]:
        weight *= _rise((place - margin + 1) / (overlap - 2 * margin + 1))
    if span != spans[-1]:
        weight *= _rise((place[::-1] - margin + 1) / (overlap - 2 * margin + 1))
    return weight.astype(np.float32)


def _rise(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 0 to 1, without a kink at either end."""
    clipped: NDArray[np.float64] = np.clip(x, 0, 1)
    return np.asarray(np.sin(clipped * np.pi / 2) ** 2)
