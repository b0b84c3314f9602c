"""The contract of a prior: what generation starts from."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

from colddiff_core.contracts.component import Buildable
from colddiff_core.contracts.degradation import Context, ImageShape


class Prior(Buildable, nn.Module, ABC):
    """Draws x_T, and the context that belongs to it, without an input image.

    What a prior learns from the training set it keeps in persistent buffers, which model folders
    and exported files store.

    Args:
        image_shape: (C, H, W) of the images.
    """

    gives: ClassVar[tuple[str, ...]] = ()
    """Names of the context tensors that it determines. Training draws those from it, too."""

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.image_shape = image_shape

    def fit(self, images: Iterable[Tensor]) -> None:
        """Learn from the training set, once, before training; most priors have nothing to learn.

        Args:
            images: batches (B, C, H, W) in [-1, 1] that go through the set once.

        Raises:
            ParameterError: there are too few images for what is to be learnt.
        """

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        """Draw `n` starting points, one after the other, so that batches can be split anywhere.

        Args:
            n: how many.
            generator: on the CPU, the only source of randomness.

        Returns:
            x_T, (n, C, H, W), and the context tensors named in `gives`.
        """
