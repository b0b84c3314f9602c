"""What the U-Nets share: resolutions with additive skips, the level's embedding, limits of size."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import ParameterError, UsageError

GROUP = 8  # channels that are normalised together, and that processors compute together
_MAX_WIDTH = 4096
_MAX_WEIGHTS = 1_000_000_000  # a recipe may come from anybody


class Pyramid(nn.Module):
    """Blocks at a few resolutions, down and up again; one more block at the coarsest.

    Args:
        widths: channels at each resolution, the finest first.
        blocks: how many at each resolution, on the way down and on the way up.
        block: makes a block of a width, which is called as block(h, level).
    """

    def __init__(
        self, widths: Sequence[int], blocks: int, block: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            nn.ModuleList(block(w) for _ in range(blocks)) for w in widths[:-1]
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in itertools.pairwise(widths)
        )
        self.middle = nn.ModuleList(block(widths[-1]) for _ in range(blocks + 1))
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2)
            for fine, coarse in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(nn.ModuleList(block(w) for _ in range(blocks)) for w in widths[:-1])

    def forward(self, h: Tensor, level: Tensor) -> Tensor:
        """(B, widths[0], H, W) and the embedded levels to (B, widths[0], H, W)."""
        skips = []
        for stage, shrink in zip(self.down, self.shrink, strict=True):
            for block in cast(nn.ModuleList, stage):
                h = block(h, level)
            skips.append(h)
            h = shrink(h)
        for block in self.middle:
            h = block(h, level)
        for stage, grow, skip in zip(
            reversed(self.up), reversed(self.grow), reversed(skips), strict=True
        ):
            h = grow(h) + skip
            for block in cast(nn.ModuleList, stage):
                h = block(h, level)
        return h


class LevelEmbedding(nn.Module):
    """Sines and cosines of the level, then a small network: (B,) int64 to (B, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 8
        wavelengths = torch.exp(torch.arange(half) * (-math.log(10_000) / half))
        self.frequency = nn.Buffer(wavelengths, persistent=False)
        self.mlp = nn.Sequential(nn.Linear(2 * half, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """Embed the levels."""
        angle = t[:, None].to(self.frequency.dtype) * self.frequency
        return F.silu(self.mlp(torch.cat([angle.sin(), angle.cos()], dim=1)))


def zero(layer: nn.Conv2d) -> nn.Conv2d:
    """A convolution that gives zeros until it has learnt."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def checked_widths(channels: int, multipliers: Sequence[int], blocks: int) -> list[int]:
    """The channels at each resolution.

    Raises:
        ParameterError: a parameter is unusable, or all together make too large a network.
    """
    if channels < 1 or channels % GROUP:
        raise ParameterError(f"channels: expected a multiple of {GROUP}, got {channels}")
    if not multipliers or min(multipliers) < 1 or max(multipliers) * channels > _MAX_WIDTH:
        raise ParameterError(
            f"multipliers: expected positive integers that keep the width within {_MAX_WIDTH}, "
            f"got {multipliers}"
        )
    if not 1 <= blocks <= 16:
        raise ParameterError(f"blocks: expected 1 to 16, got {blocks}")
    widths = [channels * m for m in multipliers]
    weights = sum(2 * blocks * 2 * 9 * w**2 for w in widths)  # of the convolutions, about
    if weights > _MAX_WEIGHTS:
        raise ParameterError(
            f"channels: widths {widths} with {blocks} blocks make {weights:,} weights, "
            f"over the limit of {_MAX_WEIGHTS:,}"
        )
    return widths


def expect_multiple(x: Tensor, multiple: int, name: str) -> None:
    """Check the height and width of (B, C, H, W) images.

    Raises:
        UsageError: one is not divisible.
    """
    if x.shape[-2] % multiple or x.shape[-1] % multiple:
        raise UsageError(
            f"{name}: expected a height and width divisible by {multiple}, "
            f"got {x.shape[-2]}x{x.shape[-1]}"
        )
