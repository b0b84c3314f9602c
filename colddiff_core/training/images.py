"""Somebody's own images, unregistered, as a data set."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.degradation import ImageShape
from colddiff_core.contracts.errors import UsageError
from colddiff_core.pictures.value_range import from_uint8

_EXPECTED = (
    "expected a tensor or an array (channels, height, width), uint8 or floating point in [-1, 1]"
)
_LARGEST = 1.001  # what rounding makes of 1

_log = logging.getLogger(__name__)


class OwnImages(ImageDataset):
    """A torch `Dataset`, a list, an array or any iterable of images.

    What has a length and numbered items is read item by item, when one is needed; anything else is
    read once, to its end, into memory.

    Args:
        source: of the images, each a tensor or an array (C, H, W), floating point in [-1, 1] or
            uint8, or a tuple that begins with one, as data sets with labels have it.

    Raises:
        UsageError: there are no images, or they are something else.
    """

    def __init__(self, source: Iterable[Any]) -> None:
        numbered = (
            hasattr(source, "__getitem__")  # which an IterableDataset inherits
            and hasattr(source, "__len__")
            and not isinstance(source, IterableDataset)
        )
        if not numbered and not isinstance(source, Iterable):
            raise UsageError(
                f"images: expected a data set or an iterable of images, got a "
                f"{type(source).__name__}"
            )
        self._source: Any = source if numbered else list(source)
        if not len(self):
            raise UsageError("images: there are none")
        self._first = self._read(0)
        few = self.images(range(min(8, len(self))))
        if few.is_floating_point() and few.min() >= 0:
            _log.warning(
                "images: the first have no value below 0, and black is -1; if white is 1 and black "
                "is 0 in them, map them by 2 * x - 1"
            )

    @property
    def image_shape(self) -> ImageShape:
        """(C, H, W), that of the first."""
        channels, height, width = self._first.shape
        return (channels, height, width)

    def __len__(self) -> int:
        return len(self._source)

    def images(self, indices: Sequence[int]) -> Tensor:
        """Fetch a batch as it was given: uint8, or float32 in [-1, 1]."""
        batch = [self._read(index) for index in indices]
        kinds = {f"{tuple(image.shape)} {image.dtype}" for image in (self._first, *batch)}
        if len(kinds) > 1:
            raise UsageError(
                f"images: some are {' and some '.join(sorted(kinds))}; bring them to one"
            )
        return torch.stack(batch)

    def _read(self, index: int) -> Tensor:
        item = self._source[index]
        if isinstance(item, tuple | list) and item:
            item = item[0]
        try:
            image = torch.as_tensor(item).detach().cpu()
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"images: number {index} is a {type(item).__name__}; {_EXPECTED}"
            ) from error
        if floating := image.is_floating_point():
            image = image.float()
        largest = image.abs().amax() if floating and image.numel() else 0
        known = largest <= _LARGEST if floating else image.dtype == torch.uint8  # NaN is not
        if image.ndim != 3 or not image.numel() or not known:
            values = f" with values up to {largest:.4g}" if floating else ""
            raise UsageError(
                f"images: number {index} is {tuple(image.shape)} {image.dtype}{values}; {_EXPECTED}"
            )
        return image


def data_of(images: ImageDataset | Iterable[Any]) -> ImageDataset:
    """A data set as it is, anything else as `OwnImages`."""
    return images if isinstance(images, ImageDataset) else OwnImages(images)


def as_x0(images: Tensor) -> Tensor:
    """What `ImageDataset.images` returned as clean images: float32 in [-1, 1]."""
    return images if images.is_floating_point() else from_uint8(images)
