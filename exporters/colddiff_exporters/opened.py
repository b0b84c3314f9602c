"""What a file of any format knows from its metadata, once it is open."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from colddiff_core.contracts.model import Model
from colddiff_exporters.metadata import Metadata

if TYPE_CHECKING:
    from colddiff_core.contracts.prior import Prior
    from colddiff_core.contracts.recipe import Recipe


class OpenedFile(Model):
    """The part of a model that the formats share; a subclass runs the loop.

    Args:
        path: of the file.
        metadata: of the file, checked.
    """

    def __init__(self, path: Path, metadata: Metadata) -> None:
        self.name = str(path)
        self._metadata = metadata
        self.size = metadata.image_shape[1:]
        self.locality = metadata.locality

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images it takes."""
        return self._metadata.image_shape

    @property
    def num_steps(self) -> int:
        """T."""
        return self._metadata.num_steps

    @cached_property
    def recipe(self) -> "Recipe":
        """The recipe that the file carries."""
        return self._metadata.recipe

    @cached_property
    def prior(self) -> "Prior":
        """What generation starts from; drawing it takes torch."""
        return self._metadata.prior

    def memory(self, height: int, width: int) -> int:  # noqa: ARG002 - its size is fixed
        """Not known, and not needed: the file takes one size, and says nothing of its tensors."""
        return 0
