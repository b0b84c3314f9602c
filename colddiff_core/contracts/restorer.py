"""The contract of a restorer R, the network that estimates the clean image."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from colddiff_core.contracts.component import Buildable
from colddiff_core.contracts.degradation import ImageShape


class Restorer(Buildable, nn.Module, ABC):
    """x0_hat = R(x_t, t).

    Traceable by `torch.export` with a dynamic batch: no Python branch on tensor values.

    Args:
        image_shape: (C, H, W) of the images that it is trained on.
    """

    size_multiple: int | None = None
    """Height and width may be any multiple of this: the process pads by reflection to it, and
    crops. None, as here, where only the size of training will do."""

    reach: int | None = None
    """How many pixels away a pixel of R(x_t, t) still depends on x_t. None, as here, where that is
    the whole image: with attention, or statistics over the image. A number lets large images be
    restored in tiles that agree with the whole."""

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.image_shape = image_shape

    @abstractmethod
    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Estimate the clean images.

        Args:
            x_t: (B, C, H, W) degraded images, in about [-1, 1].
            t: (B,) int64, the level of each image.

        Returns:
            x0_hat, (B, C, H, W), not clamped.
        """
