"""A process that is quick to trace and to run."""

import torch
from torch import Tensor, nn

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.restorer import Restorer


class Tiny(Restorer):
    """One convolution and the level: quick to trace, and it does something."""

    size_multiple = 1
    reach = 1

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        super().__init__(image_shape)
        self.conv = nn.Conv2d(image_shape[0], image_shape[0], 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        level = (t / 100)[:, None, None, None].to(x_t.dtype)
        return x_t + torch.sigmoid(2 * (self.conv(x_t) + level)) - 0.5


def tiny_process(
    degradation: str = "gaussian-blur",
    sampler: str = "improved",
    shape: tuple[int, int, int] = (1, 8, 8),
    **params: object,
) -> ColdDiffusion:
    """A process whose parts can be written into a recipe, with the UNet replaced by `Tiny`."""
    torch.manual_seed(0)
    tiny = Tiny(shape)
    tiny.config = build("restorer", "unet", image_shape=shape, channels=8, multipliers=(1,)).config
    parts = build("degradation", degradation, **params)
    return ColdDiffusion(parts, tiny, build("sampler", sampler)).eval()
