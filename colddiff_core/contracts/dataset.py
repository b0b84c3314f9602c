"""The contract of a data set of clean images."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from colddiff_core.contracts.component import Buildable
from colddiff_core.contracts.degradation import NO_CONTEXT, Context, ImageShape

Split = Literal["train", "test"]
"""Which part of a data set: to learn from, or held out."""

_SAMPLE = 1_024  # images that tell a data set from another
_AT_A_TIME = 500


class ImageDataset(Buildable, ABC):
    """Clean images of one shape.

    A subclass takes the split first and everything a recipe may set as keyword-only arguments:
    `MyImages(split, *, folder: Path, image_size: int = 32)`.
    """

    @property
    @abstractmethod
    def image_shape(self) -> ImageShape:
        """(C, H, W) of every image."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images in this split."""

    @abstractmethod
    def images(self, indices: Sequence[int]) -> Tensor:
        """Fetch a batch.

        Args:
            indices: positions in 0 to `len(self)` - 1, in any order.

        Returns:
            (len(indices), C, H, W), uint8 as stored: `value_range.from_uint8` maps them to [-1, 1].
        """

    def context(self, indices: Sequence[int]) -> Context:
        """Fetch what is known of the images' degradation, where it is real and not drawn.

        It goes before what the prior and the degradation draw, in training and in evaluation.

        Args:
            indices: as for `images`.

        Returns:
            Some entries of the degradation's `context_spec`, or none, as here; with the batch axis
            in front, on the CPU; images as float32 in [-1, 1].
        """
        return NO_CONTEXT

    def digest(self, indices: Sequence[int] | None = None) -> str:
        """The SHA-256 of images, and of what is known of their degradation.

        A run does not go on with other data than it began with, and figures on other images do not
        stand in one table.

        Args:
            indices: as for `images`; when None a sample, which is all images of a small set and
                1,024 spread over a large one.
        """
        if indices is None:
            indices = range(0, len(self), -(-len(self) // _SAMPLE))
        digest = hashlib.sha256()
        for start in range(0, len(indices), _AT_A_TIME):
            part = indices[start : start + _AT_A_TIME]
            digest.update(self.images(part).numpy().tobytes())
            for name, known in sorted(self.context(part).items()):
                digest.update(name.encode() + known.numpy().tobytes())
        return digest.hexdigest()
