"""What a file of any format knows from its metadata, once it is open."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.locality import Locality
from colddiff_exporters.metadata import Metadata

if TYPE_CHECKING:
    from colddiff_core.contracts.prior import Prior
    from colddiff_core.contracts.recipe import Recipe


class OpenedFile:
    """The part of `ExportedModel` that the formats share; a subclass runs the loop.

    Args:
        metadata: of the file, checked.
    """

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images it takes."""
        return self._metadata.image_shape

    @property
    def num_steps(self) -> int:
        """T."""
        return self._metadata.num_steps

    @property
    def locality(self) -> Locality | None:
        """How far the degradation reaches, if larger images can be restored in tiles."""
        return self._metadata.locality

    @cached_property
    def recipe(self) -> "Recipe":
        """The recipe that the file carries."""
        return self._metadata.recipe

    @cached_property
    def prior(self) -> "Prior":
        """What generation starts from; drawing it takes torch."""
        return self._metadata.prior

    def _check_images(self, x_t: NDArray[np.float32]) -> None:
        if x_t.ndim != 4 or x_t.shape[1:] != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise UsageError(f"images: expected (batch, {expected}), got {x_t.shape}")
