"""A compact U-Net: residual blocks at a few resolutions, each told the level t.

| here | meaning |
|---|---|
| `Block` | norm, SiLU, 3x3 convolution, twice; the level scales and shifts between (FiLM) |
| down, up | 2x2 convolution of stride 2, and its transpose: no pixel is read twice |
| skip | encoder features are added to, not stacked on, the decoder's: half the arithmetic |

    R(x_t, t) = x_t + f(x_t, t)

f starts at zero, so an untrained R returns its input, which for cold diffusion is a fair guess.
"""

import itertools
import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core.contracts.degradation import ImageShape
from colddiff_core.contracts.errors import ParameterError, UsageError
from colddiff_core.contracts.restorer import Restorer

_GROUP = 8  # channels that are normalised together
_MAX_WIDTH = 4096
_MAX_WEIGHTS = 1_000_000_000  # a recipe may come from anybody


class UNet(Restorer):
    """Residual U-Net with additive skips.

    Args:
        image_shape: (C, H, W) of the images that it is trained on.
        channels: width at full resolution, a multiple of 8.
        multipliers: width at each resolution, in units of `channels`; one halving between two.
        blocks: residual blocks at each resolution, on the way down and on the way up.
        attention: let all positions of the lowest resolution see each other.

    Raises:
        ParameterError: the widths are unusable.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        channels: int = 32,
        multipliers: tuple[int, ...] = (1, 2, 4, 8),
        blocks: int = 1,
        attention: bool = False,
    ) -> None:
        super().__init__(image_shape)
        if channels < 1 or channels % _GROUP:
            raise ParameterError(f"channels: expected a multiple of {_GROUP}, got {channels}")
        if not multipliers or min(multipliers) < 1 or max(multipliers) * channels > _MAX_WIDTH:
            raise ParameterError(
                f"multipliers: expected positive integers that keep the width within {_MAX_WIDTH}, "
                f"got {multipliers}"
            )
        if not 1 <= blocks <= 16:
            raise ParameterError(f"blocks: expected 1 to 16, got {blocks}")
        colours = image_shape[0]
        self.factor = self.size_multiple = 2 ** (len(multipliers) - 1)
        widths = [channels * m for m in multipliers]
        weights = sum(2 * blocks * 2 * 9 * w**2 for w in widths)  # of the convolutions, about
        if weights > _MAX_WEIGHTS:
            raise ParameterError(
                f"channels: widths {widths} with {blocks} blocks make {weights:,} weights, "
                f"over the limit of {_MAX_WEIGHTS:,}"
            )
        embedding = 4 * channels
        self.level = LevelEmbedding(embedding)
        self.stem = nn.Conv2d(colours, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.ModuleList(Block(w, embedding) for _ in range(blocks)) for w in widths[:-1]
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in itertools.pairwise(widths)
        )
        middle: list[nn.Module] = [Block(widths[-1], embedding) for _ in range(blocks + 1)]
        if attention:
            middle.insert(1, Attention(widths[-1]))
        self.middle = nn.ModuleList(middle)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2)
            for fine, coarse in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(
            nn.ModuleList(Block(w, embedding) for _ in range(blocks)) for w in widths[:-1]
        )
        self.norm = nn.GroupNorm(widths[0] // _GROUP, widths[0])
        self.head = _zero(nn.Conv2d(widths[0], colours, 3, padding=1))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """R(x_t, t); see `Restorer.forward`.

        Raises:
            UsageError: height or width is not divisible by the downsampling factor.
        """
        if x_t.shape[-2] % self.factor or x_t.shape[-1] % self.factor:
            raise UsageError(
                f"unet: expected a height and width divisible by {self.factor}, "
                f"got {x_t.shape[-2]}x{x_t.shape[-1]}"
            )
        level = self.level(t).to(x_t.dtype)
        h = self.stem(x_t)
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
        return x_t + self.head(F.silu(self.norm(h)))  # type: ignore[no-any-return]


class LevelEmbedding(nn.Module):
    """Sines and cosines of the level, then a small network: (B,) int64 to (B, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 8
        wavelengths = torch.exp(torch.arange(half) * (-math.log(10_000) / half))
        self.register_buffer("frequency", wavelengths, persistent=False)
        self.frequency: Tensor
        self.mlp = nn.Sequential(nn.Linear(2 * half, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """Embed the levels."""
        angle = t[:, None].to(self.frequency.dtype) * self.frequency
        return F.silu(self.mlp(torch.cat([angle.sin(), angle.cos()], dim=1)))


class Block(nn.Module):
    """h + conv(silu(scale · norm(conv(silu(norm(h)))) + shift))."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(width // _GROUP, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * width)
        self.norm2 = nn.GroupNorm(width // _GROUP, width)
        self.conv2 = _zero(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, h: Tensor, level: Tensor) -> Tensor:
        """(B, width, H, W) and (B, embedding) to (B, width, H, W)."""
        scale, shift = self.film(level)[:, :, None, None].chunk(2, dim=1)
        y = self.conv1(F.silu(self.norm1(h)))
        y = self.norm2(y) * (1 + scale) + shift
        return h + self.conv2(F.silu(y))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """h + the self-attention of its positions, in heads of 32 channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // 32)
        self.norm = nn.GroupNorm(width // _GROUP, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = _zero(nn.Conv2d(width, width, 1))

    def forward(self, h: Tensor, level: Tensor) -> Tensor:  # noqa: ARG002 - called as a Block is
        """(B, width, H, W) to the same."""
        _, width, height, breadth = h.shape
        q, k, v = (
            self.qkv(self.norm(h))
            .reshape(-1, 3, self.heads, width // self.heads, height * breadth)
            .mT.unbind(1)
        )
        y = F.scaled_dot_product_attention(q, k, v).mT.reshape(-1, width, height, breadth)
        return h + self.out(y)  # type: ignore[no-any-return]


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
