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

from colddiff_core import NO_CONTEXT, Context, Degradation, ImageShape, Locality, ParameterError

_FIRST_HALVING = {
    # torch's cubic (a = -0.75) half-way between the two middle pixels of four
    "bicubic": (-0.09375, 0.59375, 0.59375, -0.09375),
    "bilinear": (0.5, 0.5),
    "area": (0.5, 0.5),
}


_MOST_HALVINGS = 16  # of 65,536 pixels, one is left


class Pixelate(Degradation):
    """Halve height and width at each step and blow the result up again, block by block.

    Args:
        num_steps: T, the number of halvings.
        filter: how the first halving weighs the pixels; bicubic looks at four a side, without
            antialiasing, bilinear and area at two.

    Raises:
        ParameterError: more halvings than any picture has pixels for.
    """

    def __init__(
        self,
        *,
        num_steps: int = 3,
        filter: Literal["bicubic", "bilinear", "area"] = "bicubic",  # noqa: A002 - the field's word
    ) -> None:
        super().__init__(num_steps)
        if num_steps > _MOST_HALVINGS:
            raise ParameterError(f"num_steps: expected 1 to {_MOST_HALVINGS}, got {num_steps}")
        self._first = _FIRST_HALVING[filter]

    @property
    def locality(self) -> Locality:
        """The blocks; bicubic looks a pixel beyond them."""
        block = 2**self.num_steps
        return Locality(reach=block, grid=block)

    def check(self, image_shape: ImageShape) -> None:
        """Refuse images that cannot be halved so often; see `Degradation.check`."""
        _, height, width = image_shape
        possible = min(height, width).bit_length() - 1
        if self.num_steps > possible:
            raise ParameterError(
                f"num_steps: a {height}x{width} image can be halved {possible} times, "
                f"not {self.num_steps}"
            )

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        (a_h,) = self.table(self._halvings, x0.shape[2], like=x0)
        (a_w,) = self.table(self._halvings, x0.shape[3], like=x0)
        return a_h[t][:, None].to(x0.dtype) @ x0 @ a_w[t][:, None].to(x0.dtype).mT

    def _halvings(self, n: int) -> tuple[Tensor]:
        """(T + 1, n, n): A_0 = I, …, A_T."""
        block = 2**self.num_steps
        row = torch.arange(-(-n // block) * block).clamp(max=n - 1)  # whole blocks
        small = torch.eye(n, dtype=torch.float64)[row]
        matrices = [small]
        for step in range(self.num_steps):
            small = _halve(small, self._first if step == 0 else (0.5, 0.5))
            matrices.append(small.repeat_interleave(2 ** (step + 1), dim=0))
        return (torch.stack(matrices)[:, :n].float(),)


def _halve(rows: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Weigh the rows around each pair; beyond the border the edge row is repeated."""
    first = torch.arange(0, len(rows), 2) + 1 - len(taps) // 2
    return torch.stack(
        [tap * rows[(first + k).clamp(0, len(rows) - 1)] for k, tap in enumerate(taps)]
    ).sum(0)
