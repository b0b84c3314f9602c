"""Gaussian masks as a table over the level and the squared distance from the centre.

| here | in the paper (arXiv 2208.09392, section 4.2 and appendix) |
|---|---|
| `std_i` | β_i, the standard deviation of the mask of step i = 0…T-1, pixels |
| `squared` | r² = (row - row of the centre)² + (column - column of the centre)² |
| `kept[t]` | what t masks leave of a pixel: Π_{i<t} (1 - exp(-r² / 2β_i²)) |

A mask depends on r² alone, which takes far fewer values than there are pixels (1,621 for the
16,384 of a 128x128 image), and the same table serves every centre. Where all T masks together leave
a pixel as it is, to the last bit of float32, distances are not told apart: the table of a large
image is no larger than its masks.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from colddiff_core import Context, ImageShape, ParameterError

MAX_ENTRIES = 50_000_000
"""Largest table that is made: a recipe may come from anybody."""


def mask_stds(std: float, std_step: float, num_steps: int) -> Tensor:
    """(T,) float64: std + i * std_step.

    Raises:
        ParameterError: one of them is not positive.
    """
    std_i = std + std_step * torch.arange(num_steps, dtype=torch.float64)
    if not (std_i.min() > 0 and std_i.isfinite().all()):
        raise ParameterError(
            f"std: every step needs a positive one, got {std_i.min():g} to {std_i.max():g}"
        )
    return std_i


class RadialTable:
    """What masks of some widths leave of a pixel, by its distance from their centre.

    Args:
        std_i: (T,) float64, see `mask_stds`.
        random: whether the centre may lie anywhere in the image, or one row or column outside;
            else it lies in the middle, at (H // 2 - 1, W // 2 - 1).
    """

    def __init__(self, std_i: Tensor, *, random: bool) -> None:
        self._std_i = std_i
        self._random = random
        # T exp(-r² / 2β²) < 2^-25, half of float32's last bit
        invisible = math.log(len(std_i)) + 25 * math.log(2)
        self._limit = math.ceil(math.sqrt(2 * invisible) * float(std_i.max())) + 1  # pixels

    def check(self, image_shape: ImageShape) -> None:
        """Refuse sizes for which the table would be over `MAX_ENTRIES`.

        Raises:
            ParameterError: it would.
        """
        a, b = self._reach(*image_shape[1:])
        if len(self._std_i) * (a + 1) * (b + 1) / 2 > MAX_ENTRIES:
            raise ParameterError(
                f"{len(self._std_i)} masks of up to {a}x{b} pixels take a table of over "
                f"{MAX_ENTRIES:,} numbers; use fewer steps, a smaller std or smaller images"
            )

    def make(self, height: int, width: int) -> tuple[Tensor, ...]:
        """Make the tables of a size.

        Returns:
            `kept`, (T + 1, n) float64, and where its columns belong: for masks in the middle
            `index`, (H, W) int64; for others `rank`, (a + 1, b + 1) int64, the column for a pixel
            so many rows and columns away, or more where there are no more, then the numbers of
            rows and columns.
        """
        a, b = self._reach(height, width)
        rows, columns = (torch.arange(n + 1) ** 2 for n in (a, b))
        squared = (rows[:, None] + columns).clamp(max=self._limit**2)
        squared, rank = torch.unique(squared, return_inverse=True)
        steps = -torch.expm1(-((squared.double().sqrt() / self._std_i[:, None]) ** 2) / 2)
        kept = torch.cat([torch.ones_like(steps[:1]), torch.cumprod(steps, dim=0)])
        if self._random:
            return kept, rank, torch.arange(height), torch.arange(width)
        down, across = (self._apart(torch.arange(n) - (n // 2 - 1), n) for n in (height, width))
        return kept, rank[down[:, None], across]

    def spread(self, values: Tensor, places: Sequence[Tensor], context: Context) -> Tensor:
        """Look up each pixel's value.

        Args:
            values: (B, n), one row of a table for each image.
            places: where they belong, as `make` returns it.
            context: with the `center` of random masks, (B, 2) int64: row, column; within reach,
                or indexing fails.

        Returns:
            (B, 1, H, W).
        """
        if not self._random:
            (index,) = places
            return values.index_select(1, index.flatten()).reshape(-1, 1, *index.shape)
        rank, rows, columns = places
        down = self._apart(rows - context["center"][:, :1], len(rows))
        across = self._apart(columns - context["center"][:, 1:], len(columns))
        index = rank[down[:, :, None], across[:, None, :]]
        return values.gather(1, index.flatten(1)).reshape(-1, 1, *index.shape[1:])

    def around(self, values: Tensor, rank: Tensor, size: Sequence[int]) -> Tensor:
        """The values at all distances within an image from a centre, for sums over many centres.

        Args:
            values: (B, n), one row of a table for each image.
            rank: as `make` returns it.
            size: (H, W) of the images.

        Returns:
            (B, 2 H + 1, 2 W + 1). As in a Fourier transform, index k stands for k rows or columns
            behind the centre, and -k for k before it.
        """
        rows, columns = (
            self._apart(torch.arange(-n, n + 1, device=rank.device), n).roll(n + 1) for n in size
        )
        picked = rank[rows[:, None], columns]
        return values[:, picked.flatten()].reshape(-1, *picked.shape)

    def _apart(self, offsets: Tensor, most: int) -> Tensor:
        if most <= self._limit:
            return offsets.abs()
        # float bounds: torch.onnx sorts a graph wrongly where integers are clamped twice
        return offsets.abs().clamp(max=float(self._limit)).long()

    def _reach(self, height: int, width: int) -> tuple[int, int]:
        """How many rows and columns away from a centre distances are told apart."""
        sides = (height, width) if self._random else (height - height // 2, width - width // 2)
        return min(sides[0], self._limit), min(sides[1], self._limit)
