"""The contract of a prior: what generation starts from."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from colddiff_core.component import Buildable
from colddiff_core.degradation import Context, ImageShape


class Prior(Buildable, nn.Module, ABC):
    """Draws x_T, and the context that belongs to it, without an input image.

    What a prior learns from a training set it keeps in buffers, which the model folder stores.

    Args:
        image_shape: (C, H, W) of the images.
    """

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.image_shape = image_shape

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        """Draw `n` starting points.

        Args:
            n: how many.
            generator: on the CPU, the only source of randomness.

        Returns:
            x_T, (n, C, H, W), and the context tensors that it determines.
        """
