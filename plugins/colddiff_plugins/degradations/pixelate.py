"""Pixelation: each step halves the resolution, shown at the full size.

| here | in the paper (arXiv 2208.09392, section 4.3 and appendix) |
|---|---|
| `taps` | the filter of the first halving; every later one is the mean of two |
| `a[t]` | per axis, the n x n matrix "halve t times, then repeat each pixel 2^t times" |

    D(x, t) = A_t x A_tᵀ

The authors interpolate at each step from the image of the step before. That image is constant on
blocks, so whatever the filter, all halvings but the first are plain means of two.
"""

from typing import Literal

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import NO_CONTEXT, Context, Degradation, ImageShape
from colddiff_core.contracts.errors import ParameterError
from colddiff_core.contracts.locality import Locality

_FIRST_HALVING = {
    # torch's cubic (a = -0.75) half-way between the two middle pixels of four
    "bicubic": (-0.09375, 0.59375, 0.59375, -0.09375),
    "bilinear": (0.5, 0.5),
    "area": (0.5, 0.5),
}


class Pixelate(Degradation):
    """Halve height and width at each step and blow the result up again, block by block.

    Args:
        image_shape: (C, H, W) of the images; H and W are divisible by 2^T.
        num_steps: T, the number of halvings.
        filter: how the first halving weighs the pixels; bicubic looks at four a side, without
            antialiasing, bilinear and area at two.

    Raises:
        ParameterError: H or W cannot be halved that often.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        num_steps: int = 3,
        filter: Literal["bicubic", "bilinear", "area"] = "bicubic",  # noqa: A002 - the field's word
    ) -> None:
        super().__init__(image_shape, num_steps)
        _, height, width = image_shape
        possible = min((n & -n).bit_length() - 1 for n in (height, width))
        if num_steps > possible:
            raise ParameterError(
                f"num_steps: a {height}x{width} image can be halved {possible} times, "
                f"not {num_steps}"
            )
        taps = _FIRST_HALVING[filter]
        self.register_buffer("_a_h", _halvings(height, num_steps, taps), persistent=False)
        self.register_buffer("_a_w", _halvings(width, num_steps, taps), persistent=False)
        self._a_h: Tensor
        self._a_w: Tensor

    @property
    def locality(self) -> Locality:
        """The blocks; bicubic looks a pixel beyond them."""
        block = 2**self.num_steps
        return Locality(reach=block, grid=block)

    def forward(
        self,
        x0: Tensor,
        t: Tensor,
        context: Context = NO_CONTEXT,  # noqa: ARG002 - deterministic
    ) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        rows = self._a_h[t][:, None].to(x0.dtype)
        columns = self._a_w[t][:, None].to(x0.dtype)
        return rows @ x0 @ columns.mT


def _halvings(n: int, num_steps: int, taps: tuple[float, ...]) -> Tensor:
    """(T + 1, n, n): A_0 = I, …, A_T."""
    small = torch.eye(n, dtype=torch.float64)
    matrices = [small]
    for step in range(num_steps):
        small = _halve(small, taps if step == 0 else (0.5, 0.5))
        matrices.append(small.repeat_interleave(2 ** (step + 1), dim=0))
    return torch.stack(matrices).float()


def _halve(rows: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Weigh the rows around each pair; beyond the border the edge row is repeated."""
    first = torch.arange(0, len(rows), 2) + 1 - len(taps) // 2
    return torch.stack(
        [tap * rows[(first + k).clamp(0, len(rows) - 1)] for k, tap in enumerate(taps)]
    ).sum(0)
