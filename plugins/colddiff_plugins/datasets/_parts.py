"""Pictures in two parts, one to learn from and one held out, told apart by their names."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colddiff_core.contracts.dataset import ImageDataset, Split
from colddiff_core.contracts.degradation import ImageShape
from colddiff_core.contracts.errors import DatasetError, ParameterError
from colddiff_plugins.datasets._pictures import Pictures


class PicturesInParts(ImageDataset):
    """One part of pictures that are decoded already; the base of data sets of pictures.

    Args:
        pictures: all of them.
        numbers: which belong to this part, in order.
    """

    def __init__(self, pictures: Pictures, numbers: NDArray[np.int64]) -> None:
        self._pixels = pictures.pixels
        self._numbers = numbers

    @property
    def image_shape(self) -> ImageShape:
        """(channels, image_size, image_size)."""
        _, channels, height, width = self._pixels.shape
        return (channels, height, width)

    def __len__(self) -> int:
        return len(self._numbers)

    def images(self, indices: Sequence[int]) -> Tensor:
        """Fetch a batch; see `ImageDataset.images`."""
        numbers = self._numbers[np.asarray(indices, dtype=np.int64)]
        return torch.from_numpy(self._pixels[numbers])


def check_size(image_size: int) -> None:
    """Refuse what is no side of a picture.

    Raises:
        ParameterError: it is out of range.
    """
    if not 1 <= image_size <= 4096:
        raise ParameterError(f"image_size: expected 1 to 4096 pixels, got {image_size}")


def check_fraction(test_fraction: float) -> None:
    """Refuse what is no share to hold out.

    Raises:
        ParameterError: it is out of range.
    """
    if not 0 < test_fraction < 1:
        raise ParameterError(f"test_fraction: expected between 0 and 1, got {test_fraction}")


def part(names: Sequence[str], split: Split, test_fraction: float, seed: int) -> NDArray[np.int64]:
    """Which of the names belong to a part, ascending.

    That depends on the name and the seed alone, unless there are so few that chance would leave a
    part empty: then the two parts still have one at least.

    Args:
        names: at least two, without repetition.
        split: which part.
        test_fraction: share that is held out.
        seed: another one holds out others.
    """
    positions = np.array([_position(name, seed) for name in names])
    held_out = int((positions < test_fraction).sum())
    held_out = min(max(held_out, 1), len(names) - 1)
    ranked = np.argsort(positions, kind="stable")
    return np.sort(ranked[:held_out] if split == "test" else ranked[held_out:])


def need_two(place: str, pictures: Pictures, listed: int, things: str = "files") -> None:
    """Refuse what cannot be divided.

    Args:
        place: where the pictures come from.
        pictures: what could be read.
        listed: how many there were to read.
        things: what they are.

    Raises:
        DatasetError: fewer than two pictures could be read.
    """
    if len(pictures.names) < 2:
        raise DatasetError(
            f"{place}: {len(pictures.names)} of {listed} {things} can be read as pictures; "
            f"at least 2 are needed, one to learn from and one held out"
        )


def _position(name: str, seed: int) -> float:
    """A number in [0, 1) that depends on the name and the seed alone."""
    content = f"{seed}:{name}".encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") / 2**64
