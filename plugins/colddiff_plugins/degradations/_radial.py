"""Gaussian masks as a table over the level and the squared distance from the centre.

| here | in the paper (arXiv 2208.09392, section 4.2 and appendix) |
|---|---|
| `std_i` | β_i, the standard deviation of the mask of step i = 0…T-1, pixels |
| `squared` | r² = (row - row of the centre)² + (column - column of the centre)² |
| `kept[t]` | what t masks leave of a pixel: Π_{i<t} (1 - exp(-r² / 2β_i²)) |

A mask depends on r² alone, which takes far fewer values than there are pixels (1,621 for the
16,384 of a 128x128 image), and the same table serves every centre.
"""

import torch
from torch import Tensor, nn

from colddiff_core.contracts.errors import ParameterError

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


def kept(std_i: Tensor, squared: Tensor) -> Tensor:
    """(T + 1, n) float64: row t holds the product of the first t masks at n squared distances.

    Raises:
        ParameterError: the table would be over `MAX_ENTRIES`.
    """
    if len(std_i) * len(squared) > MAX_ENTRIES:
        raise ParameterError(
            f"num_steps: {len(std_i)} masks of {len(squared)} distances take a table of over "
            f"{MAX_ENTRIES:,} numbers; use fewer steps or smaller images"
        )
    steps = -torch.expm1(-((squared.sqrt() / std_i[:, None]) ** 2) / 2)
    return torch.cat([torch.ones_like(steps[:1]), torch.cumprod(steps, dim=0)])


class RadialIndex(nn.Module):
    """Spreads rows of a table over squared distances to images.

    Args:
        height: H of the images.
        width: W of the images.
        reach: the largest distance of a pixel from a centre, in rows and in columns.
    """

    def __init__(self, height: int, width: int, reach: tuple[int, int]) -> None:
        super().__init__()
        rows, columns = (torch.arange(n + 1) ** 2 for n in reach)
        squared, rank = torch.unique(rows[:, None] + columns, return_inverse=True)
        self.register_buffer("_rank", rank, persistent=False)
        self.register_buffer("_row", torch.arange(height), persistent=False)
        self.register_buffer("_column", torch.arange(width), persistent=False)
        self._rank: Tensor
        self._row: Tensor
        self._column: Tensor
        self.register_buffer("squared", squared.double(), persistent=False)
        self.squared: Tensor
        """(n,): the squared distances that occur, which the columns of a table stand for."""

    def forward(self, values: Tensor, center: Tensor) -> Tensor:
        """Look up each pixel's value.

        Args:
            values: (B, n), one row of the table for each image.
            center: (B, 2) or (1, 2) int64: row, column; within reach, or indexing fails.

        Returns:
            (B, 1, H, W).
        """
        rows = (self._row - center[:, :1]).abs()
        columns = (self._column - center[:, 1:]).abs()
        rank = self._rank[rows[:, :, None], columns[:, None, :]]
        index = rank.flatten(1).expand(values.shape[0], -1)
        return values.gather(1, index).reshape(-1, 1, *rank.shape[1:])

    def around(self, values: Tensor) -> Tensor:
        """The values at all distances within reach from a centre, for sums over many centres.

        Args:
            values: (B, n), one row of the table for each image.

        Returns:
            (B, 2 a + 1, 2 b + 1) for a reach of (a, b). As in a Fourier transform, index k stands
            for k rows or columns behind the centre, and -k for k before it.
        """
        rows, columns = (torch.arange(-(n - 1), n).abs().roll(n) for n in self._rank.shape)
        rank = self._rank[rows[:, None], columns]
        return values[:, rank.flatten()].reshape(-1, *rank.shape)


def middle(height: int, width: int) -> tuple[Tensor, tuple[int, int]]:
    """The authors' middle as a (1, 2) centre, and how far a pixel can be from it."""
    center = torch.tensor([[height // 2 - 1, width // 2 - 1]])
    return center, (height - height // 2, width - width // 2)
