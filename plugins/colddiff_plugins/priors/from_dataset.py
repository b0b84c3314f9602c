"""Images of another data set: where animorphosis starts (arXiv 2208.09392, section 5)."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from colddiff_core import Context, ImageDataset, ImageShape, ParameterError, Prior, from_uint8
from colddiff_core.contracts.recipe import ComponentTable
from colddiff_core.models.recipe import build_table
from colddiff_plugins.datasets.folder import Folder


class FromDataset(Prior):
    """x_T = z with z an image of the set, and z is the endpoint that the images came from.

    The set is opened when the first image is drawn, so that a model can be loaded, and used to
    restore, where it is not at hand.

    Args:
        image_shape: (C, H, W) of the images.
        data: a table as `[data]` of a recipe: the name of a data set and its parameters.
        split: which part of it.

    Raises:
        ParameterError: the table has no name.
    """

    gives: ClassVar[tuple[str, ...]] = ("endpoint",)

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        data: dict[str, Any],
        split: Literal["train", "test"] = "train",
    ) -> None:
        super().__init__(image_shape)
        if not isinstance(data.get("name"), str):
            raise ParameterError('data: expected a table with the name of a data set, {name = "…"}')
        self._data = data
        self._split = split

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A folder of small pictures; see `Buildable.example_params`."""
        pictures = Folder.example_params(folder)["folder"]
        return {"data": {"name": "folder", "folder": str(pictures), "image_size": 16}}

    @cached_property
    def _images(self) -> ImageDataset:
        table = ComponentTable.model_validate(self._data)
        dataset: ImageDataset = build_table("dataset", table, split=self._split)
        if tuple(dataset.image_shape) != tuple(self.image_shape):
            raise ParameterError(
                f"data: the prior's images are {dataset.image_shape}, the model's "
                f"{tuple(self.image_shape)}; set image_size or channels in its table"
            )
        return dataset

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        """Draw images; see `Prior.sample`."""
        count = len(self._images)
        indices = [int(torch.randint(count, (), generator=generator)) for _ in range(n)]
        images = from_uint8(self._images.images(indices))
        return images, {"endpoint": images}
