"""Standard normal noise: where ordinary ("hot") diffusion starts."""

from typing import ClassVar

import torch
from torch import Tensor

from colddiff_core import Context, Prior


class GaussianNoise(Prior):
    """x_T = z with z standard normal, and z is the endpoint that the images came from.

    Args:
        image_shape: (C, H, W) of the images.
    """

    gives: ClassVar[tuple[str, ...]] = ("endpoint",)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        """Draw noise; see `Prior.sample`."""
        noise = torch.stack([torch.randn(self.image_shape, generator=generator) for _ in range(n)])
        return noise, {"endpoint": noise}
