"""Restore images larger than a model takes: overlapping tiles, blended. Imports no torch.

The tiles have the model's own size. Where two overlap, their weights fall towards the edges,
where a tile knows least of its surroundings. Lines are given out as soon as no later tile
touches them, so that the numbers held are a strip of the height of a tile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.locality import Locality
from colddiff_core.pictures.images import Pixels, from_batch

Images = NDArray[np.float32]
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
        """Check the overlap.

        Raises:
            UsageError: it is negative, or leaves no step from tile to tile.
        """
        most = min(self.tile) - self.grid
        if not 0 <= self.overlap <= most:
            raise UsageError(
                f"overlap: expected 0 to {most} pixels for tiles of "
                f"{self.tile[0]}x{self.tile[1]}, got {self.overlap}"
            )

    def starts(self, axis: int) -> list[int]:
        """Where the tiles begin along an axis; the last may stand over the image."""
        length, side = self.size[axis], self.tile[axis]
        step = (side - self.overlap) // self.grid * self.grid
        last = -(-max(length - side, 0) // self.grid) * self.grid
        return [*range(0, last, step), last]


def default_overlap(tile: tuple[int, int], locality: Locality) -> int:
    """A quarter of a tile, or as far as the degradation reaches, up to a half."""
    side = min(tile)
    wanted = min(side // 2, max(side // 4, locality.reach))
    return min(wanted, side - locality.grid)


def restore_tiled(
    restore: Callable[[Images], Images], crop: Crop, tiling: Tiling, *, batch_size: int = 16
) -> Pixels:
    """Restore a large image.

    Args:
        restore: (B, C, h, w) tiles to the same, restored.
        crop: reads the degraded image; what lies beyond its border is mirrored.
        tiling: how to cut it.
        batch_size: tiles restored together.

    Returns:
        (H, W, C) uint8, blended and clipped.
    """
    strips = [from_batch(strip[None])[0] for strip in _strips(restore, crop, tiling, batch_size)]
    return np.concatenate(strips)


def sample_tiles(crop: Crop, tiling: Tiling) -> Images:
    """A few tiles, up to 3 by 3 spread over the image, to find out what all have in common.

    Args:
        crop: reads the degraded image; what lies beyond its border is mirrored.
        tiling: how to cut it.

    Returns:
        (B, C, h, w).
    """
    tops, lefts = (
        sorted({starts[k * (len(starts) - 1) // 2] for k in range(3)})
        for starts in (tiling.starts(0), tiling.starts(1))
    )
    return np.stack([_mirrored(crop, tiling, top, left) for top in tops for left in lefts])


def _strips(
    restore: Callable[[Images], Images], crop: Crop, tiling: Tiling, batch_size: int
) -> Iterator[Images]:
    """The finished lines, (C, rows, W), from top to bottom."""
    (height, width), (h, w) = tiling.size, tiling.tile
    tops, lefts = tiling.starts(0), tiling.starts(1)
    weight = np.outer(_ramp(h, tiling.overlap), _ramp(w, tiling.overlap))
    total: Images | None = None
    for top, below in zip(tops, [*tops[1:], height], strict=True):
        for k in range(0, len(lefts), batch_size):
            some = lefts[k : k + batch_size]
            tiles = np.stack([_mirrored(crop, tiling, top, left) for left in some])
            for left, tile in zip(some, restore(tiles), strict=True):
                if total is None:  # a line of weights above the channels
                    total = np.zeros((len(tile) + 1, h, lefts[-1] + w), np.float32)
                total[:-1, :, left : left + w] += tile * weight
                total[-1, :, left : left + w] += weight
        assert total is not None  # noqa: S101 - there is a tile in every row
        done = min(below, height) - top
        yield total[:-1, :done, :width] / total[-1, :done, :width]
        shift = min(below - top, h)
        total[:, : h - shift] = total[:, shift:].copy()
        total[:, h - shift :] = 0


def _mirrored(crop: Crop, tiling: Tiling, top: int, left: int) -> Images:
    """A tile, with what lies beyond the image mirrored."""
    (height, width), (h, w) = tiling.size, tiling.tile
    inside = crop(slice(top, min(top + h, height)), slice(left, min(left + w, width)))
    beyond = ((0, 0), (0, h - inside.shape[1]), (0, w - inside.shape[2]))
    return np.pad(inside, beyond, mode="symmetric") if any(map(sum, beyond)) else inside


def _ramp(side: int, overlap: int) -> NDArray[np.float32]:
    """Weights along a tile: up over the overlap, 1, and down again; those of neighbours add to 1.

    The square of a sine gives the very edge, the worst of a tile, less than a straight line does.
    """
    from_edge = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1
    rise = np.minimum(1, from_edge / (overlap + 1))
    return np.asarray(np.sin(rise * np.pi / 2) ** 2, dtype=np.float32)
