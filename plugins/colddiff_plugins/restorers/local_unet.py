"""A U-Net for photographs: a pixel of its result depends on its neighbourhood alone.

| here | meaning |
|---|---|
| `Block` | SiLU, 3x3 convolution, batch normalisation, twice; the level scales and shifts between |
| unshuffle | squares of pixels become channels, so that no convolution runs at full resolution |
| `reach` | the radius of the receptive field: beyond it, tiles agree with the whole |

    R(x_t, t) = x_t + f(x_t, t)

f starts at zero. Batch normalisation takes its statistics from the batch in training only;
restoring, it is a fixed scale and shift of the convolution before it, and becomes part of that
convolution in an exported file.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import ImageShape, ParameterError, Restorer
from colddiff_plugins.restorers.pyramid import (
    LevelEmbedding,
    Pyramid,
    checked_widths,
    expect_multiple,
    zero,
)

_EMBEDDING = 128
_MAX_UNSHUFFLE = 8  # pixels


class LocalUNet(Restorer):
    """Residual U-Net without statistics over the image; for images of any size.

    In training, each process and each part of an accumulated batch is normalised by its own
    images, so let it have eight or more of them.

    Args:
        image_shape: (C, H, W) of the images that it is trained on.
        channels: width at the finest resolution, a multiple of 8.
        multipliers: width at each resolution, in units of `channels`; one halving between two.
        blocks: residual blocks at each resolution, on the way down and on the way up.
        unshuffle: side of the squares of pixels that become channels, 1 to 8 pixels.

    Raises:
        ParameterError: the widths or the squares are unusable.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        channels: int = 64,
        multipliers: tuple[int, ...] = (1, 2),
        blocks: int = 1,
        unshuffle: int = 2,
    ) -> None:
        super().__init__(image_shape)
        widths = checked_widths(channels, multipliers, blocks)
        if not 1 <= unshuffle <= _MAX_UNSHUFFLE:
            raise ParameterError(f"unshuffle: expected 1 to {_MAX_UNSHUFFLE}, got {unshuffle}")
        self.unshuffle = unshuffle
        self.size_multiple: int = unshuffle * 2 ** (len(widths) - 1)
        self.reach: int = _reach(unshuffle, len(widths), blocks)
        values = image_shape[0] * unshuffle**2
        self.level = LevelEmbedding(_EMBEDDING)
        self.stem = nn.Conv2d(values, widths[0], 3, padding=1)
        self.pyramid = Pyramid(widths, blocks, Block)
        self.head = zero(nn.Conv2d(widths[0], values, 3, padding=1))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """R(x_t, t); see `Restorer.forward`.

        Raises:
            UsageError: height or width is not divisible by `size_multiple`.
        """
        expect_multiple(x_t, self.size_multiple, "local-unet")
        h = self.stem(F.pixel_unshuffle(x_t, self.unshuffle))
        h = self.pyramid(h, self.level(t).to(x_t.dtype))
        return x_t + F.pixel_shuffle(self.head(F.silu(h)), self.unshuffle)


class Block(nn.Module):
    """h + norm(conv(silu(scale · norm(conv(silu(h))) + shift)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.film = nn.Linear(_EMBEDDING, 2 * width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, h: Tensor, level: Tensor) -> Tensor:
        """(B, width, H, W) and (B, 128) to (B, width, H, W)."""
        scale, shift = self.film(level)[:, :, None, None].chunk(2, dim=1)
        y = self.norm1(self.conv1(F.silu(h))) * (1 + scale) + shift
        return h + self.norm2(self.conv2(F.silu(y)))  # type: ignore[no-any-return]


def _reach(unshuffle: int, resolutions: int, blocks: int) -> int:
    """The largest distance between a pixel of the result and one that it depends on, pixels.

    It is followed backwards: a 3x3 convolution widens an interval by one, a doubling of the
    resolution halves its ends, a halving makes two of each. Where a pixel lies in its square of
    `unshuffle`, and in the squares of the halvings, matters, so all places are tried.
    """
    steps = [unshuffle, *[2] * (resolutions - 1)]  # between two resolutions, the finest first
    convolutions = [0, *[2 * blocks] * (resolutions - 1)]  # at each, but for the coarsest
    convolutions[1:2] = [n + 1 for n in convolutions[1:2]]  # the stem, and the head
    coarsest = 2 * (blocks + 1) + (2 if resolutions == 1 else 0)
    return max(
        _distance(place, steps, convolutions, coarsest)
        for place in range(unshuffle * 2 ** (resolutions - 1))
    )


def _distance(place: int, steps: Sequence[int], convolutions: Sequence[int], coarsest: int) -> int:
    first = last = place
    for step, n in zip(steps, convolutions, strict=True):
        first, last = (first - n) // step, (last + n) // step
    first, last = first - coarsest, last + coarsest
    for step, n in zip(reversed(steps), reversed(convolutions), strict=True):
        first, last = first * step - n, last * step + step - 1 + n
    return max(place - first, last - place)
