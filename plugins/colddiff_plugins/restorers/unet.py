"""A compact U-Net: residual blocks at a few resolutions, each told the level t.

| here | meaning |
|---|---|
| `Block` | norm, SiLU, 3x3 convolution, twice; the level scales and shifts between (FiLM) |
| down, up | 2x2 convolution of stride 2, and its transpose: no pixel is read twice |
| skip | encoder features are added to, not stacked on, the decoder's: half the arithmetic |

    R(x_t, t) = x_t + f(x_t, t)

f starts at zero, so an untrained R returns its input, which for cold diffusion is a fair guess.
"""

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import ImageShape, Restorer
from colddiff_plugins.restorers.pyramid import (
    GROUP,
    LevelEmbedding,
    Pyramid,
    checked_widths,
    expect_multiple,
    zero,
)


class UNet(Restorer):
    """Residual U-Net with additive skips, normalised over the image.

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
        widths = checked_widths(channels, multipliers, blocks)
        colours = image_shape[0]
        self.size_multiple: int = 2 ** (len(widths) - 1)
        embedding = 4 * channels
        self.level = LevelEmbedding(embedding)
        self.stem = nn.Conv2d(colours, widths[0], 3, padding=1)
        self.pyramid = Pyramid(widths, blocks, lambda width: Block(width, embedding))
        if attention:
            self.pyramid.middle.insert(1, Attention(widths[-1]))
        self.norm = nn.GroupNorm(widths[0] // GROUP, widths[0])
        self.head = zero(nn.Conv2d(widths[0], colours, 3, padding=1))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """R(x_t, t); see `Restorer.forward`.

        Raises:
            UsageError: height or width is not divisible by `size_multiple`.
        """
        expect_multiple(x_t, self.size_multiple, "unet")
        h = self.pyramid(self.stem(x_t), self.level(t).to(x_t.dtype))
        return x_t + self.head(F.silu(self.norm(h)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """h + conv(silu(scale · norm(conv(silu(norm(h)))) + shift))."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(width // GROUP, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * width)
        self.norm2 = nn.GroupNorm(width // GROUP, width)
        self.conv2 = zero(nn.Conv2d(width, width, 3, padding=1))

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
        self.norm = nn.GroupNorm(width // GROUP, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = zero(nn.Conv2d(width, width, 1))

    def forward(self, h: Tensor, level: Tensor) -> Tensor:
        """(B, width, H, W) to the same; the level is not looked at."""
        _, width, height, breadth = h.shape
        q, k, v = (
            self.qkv(self.norm(h))
            .reshape(-1, 3, self.heads, width // self.heads, height * breadth)
            .mT.unbind(1)
        )
        y = F.scaled_dot_product_attention(q, k, v).mT.reshape(-1, width, height, breadth)
        return h + self.out(y)  # type: ignore[no-any-return]
