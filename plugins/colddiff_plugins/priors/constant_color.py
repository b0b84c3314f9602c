"""A flat colour: where generation by a colour mask starts (arXiv 2208.09392, section 5)."""

from typing import ClassVar

import torch
from torch import Tensor

from colddiff_core import Context, ImageShape, ParameterError, Prior


class ConstantColor(Prior):
    """x_T = c, each channel of c uniform on [-spread, spread), and c is the colour of the mask.

    Args:
        image_shape: (C, H, W) of the images.
        spread: half the width of the distribution; the authors' is 0.5.

    Raises:
        ParameterError: the spread is not in (0, 1].
    """

    gives: ClassVar[tuple[str, ...]] = ("color",)

    def __init__(self, image_shape: ImageShape, *, spread: float = 0.5) -> None:
        super().__init__(image_shape)
        if not 0 < spread <= 1:
            raise ParameterError(f"spread: expected over 0 and at most 1, got {spread}")
        self.spread = spread

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        """Draw colours; see `Prior.sample`."""
        shape = (self.image_shape[0], 1, 1)
        draws = torch.stack([torch.rand(shape, generator=generator) for _ in range(n)])
        color = (2 * draws - 1) * self.spread
        return color.expand(n, *self.image_shape).clone(), {"color": color}
