"""Find the centre of a hole, by trying all of them at once.

| here | meaning |
|---|---|
| `kept` | A(r), what the hole leaves of a pixel at offset r from its centre |
| `mask` | m, 1 where somebody says that the image is missing |
| `variance` | v(r) = A(r)² S + noise², of a pixel of x_t; S, its mean square, stands for x0's |

What is summed over the pixels is a function of the offset from the centre, so that the sums for
all centres are correlations, at the cost of a few Fourier transforms.
"""

import torch
from torch import Tensor

_NOISE = 2 / 255  # of a pixel, on [-1, 1]: a level of 8 bits, since none of them is mid grey itself


def center_of_mask(mask: Tensor, kept: Tensor) -> Tensor:
    """The centre whose hole 1 - A is nearest to a mask: argmin_c Σ_r (m(r) - 1 + A(r - c))².

    Whatever the shape of the mask, that is about its centre of gravity; where the border cuts
    the mask, it is that of the whole hole.

    Args:
        mask: (B, 1, H, W) in [0, 1].
        kept: (B, 2 H + 1, 2 W + 1), from `RadialIndex.around`.

    Returns:
        (B, 2) int64: row -1 to H - 1, column -1 to W - 1.
    """
    m, hole = mask[:, 0].double(), 1 - kept.double()
    return _smallest(_sums(torch.ones_like(m), hole**2) - 2 * _sums(m, hole))


def center_of_hole(x_t: Tensor, kept: Tensor) -> Tensor:
    """The likeliest centre, if the pixels of x0 are normal around mid grey.

    argmin_c Σ_r x_t(r)² / v(r - c) + log v(r - c), summed over the channels as well.

    Args:
        x_t: (B, C, H, W) images in [-1, 1].
        kept: (B, 2 H + 1, 2 W + 1), from `RadialIndex.around`.

    Returns:
        (B, 2) int64: row -1 to H - 1, column -1 to W - 1.
    """
    squares = x_t.double().square()
    energy = squares.mean((1, 2, 3))[:, None, None]
    variance = kept.double() ** 2 * energy + _NOISE**2
    channels = torch.full_like(squares[:, 0], x_t.shape[1])
    return _smallest(_sums(squares.sum(1), 1 / variance) + _sums(channels, variance.log()))


def _sums(image: Tensor, around: Tensor) -> Tensor:
    """(B, H + 1, W + 1): Σ_r image(r) around(r - c) for c from row -1 and column -1 on."""
    sides = around.shape[1:]
    spectrum = torch.fft.rfft2(image, s=sides) * torch.fft.rfft2(around).conj()
    sums: Tensor = torch.fft.irfft2(spectrum, s=sides).roll((1, 1), (1, 2))
    return sums[:, : image.shape[1] + 1, : image.shape[2] + 1]


def _smallest(sums: Tensor) -> Tensor:
    """(B, 2): where the smallest is, counted from -1."""
    place = sums.flatten(1).argmin(1)
    width = sums.shape[2]
    return torch.stack([place // width, place % width], dim=1) - 1
