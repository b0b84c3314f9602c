"""Data sets of pictures, decoded and in two parts: one to learn from and one held out."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colddiff_core import DatasetError, ImageDataset, ImageShape, ParameterError, Split, write_image
from colddiff_plugins.datasets._pictures import Source, decoded

Numbers = NDArray[np.int64]
"""Which of some pictures, in order."""


class StoredImages(ImageDataset):
    """Images of one shape that are decoded, in memory or mapped from a file.

    Args:
        pixels: (N, C, H, W) uint8.
        numbers: which of them belong to this part; by default all do.
    """

    def __init__(self, pixels: NDArray[np.uint8], numbers: Numbers | None = None) -> None:
        self._pixels = pixels
        self._numbers = np.arange(len(pixels)) if numbers is None else numbers

    @property
    def image_shape(self) -> ImageShape:
        """(C, H, W) of every image."""
        _, channels, height, width = self._pixels.shape
        return (channels, height, width)

    def __len__(self) -> int:
        return len(self._numbers)

    def images(self, indices: Sequence[int]) -> Tensor:
        """Fetch a batch; see `ImageDataset.images`."""
        numbers = self._numbers[np.asarray(indices, dtype=np.int64)]
        return torch.from_numpy(self._pixels[numbers])


@dataclass(eq=False, repr=False, kw_only=True)
class PictureDataset(StoredImages, ABC):
    """Pictures of any kind and size, brought to one shape; the base of data sets of them.

    Each is resized until it covers the square and cropped centrally. A subclass is such a dataclass
    as well: its fields are the parameters that a recipe may set, and these.

    Args:
        split: which part; a picture's part depends on its name and `split_seed` alone (unless
            there are very few), so that adding pictures moves none to the other part.
        image_size: side of the square, pixels.
        channels: 1 for grey, 3 for colour.
        test_fraction: share of the pictures that is held out, 0 to 1 (neither end included).
        split_seed: another seed holds out others.

    Raises:
        DatasetError: the pictures are not there, or fewer than two can be read.
        ParameterError: a size or share is out of range.
    """

    split: Split = field(kw_only=False)
    image_size: int = 64
    channels: Literal[1, 3] = 3
    test_fraction: float = 0.1
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_size(self.image_size)
        if not 0 < self.test_fraction < 1:
            raise ParameterError(
                f"test_fraction: expected between 0 and 1, got {self.test_fraction}"
            )
        StoredImages.__init__(self, *self._load())

    @abstractmethod
    def _load(self) -> tuple[NDArray[np.uint8], Numbers]:
        """The pixels of all pictures, and which of them belong to this part."""

    def _divided(self, source: Source, things: str = "files") -> tuple[NDArray[np.uint8], Numbers]:
        """Decode the pictures of a source and divide them by their names.

        Args:
            source: of the pictures.
            things: what it lists.

        Raises:
            DatasetError: fewer than two can be read.
        """
        pictures = decoded(source, self.image_size)
        if len(pictures.names) < 2:
            raise DatasetError(
                f"{source.place}: {len(pictures.names)} of {len(source.listing)} {things} can be "
                f"read as pictures; at least 2 are needed, one to learn from and one held out"
            )
        return pictures.pixels, self._part(pictures.names)

    def _part(self, names: Sequence[str]) -> Numbers:
        return part(names, self.split, self.test_fraction, self.split_seed)

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures in the folder; see `Buildable.example_params`."""
        noise = np.random.default_rng(0).integers(0, 256, (12, 20, 24, 3), dtype=np.uint8)
        for k, pixels in enumerate(noise):
            write_image(folder / f"{k:02}.png", pixels)
        return {"image_size": 16}


def check_size(image_size: int) -> None:
    """Refuse what is no side of a picture.

    Raises:
        ParameterError: it is out of range.
    """
    if not 1 <= image_size <= 4096:
        raise ParameterError(f"image_size: expected 1 to 4096 pixels, got {image_size}")


def part(names: Sequence[str], split: Split, test_fraction: float, seed: int) -> Numbers:
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


def _position(name: str, seed: int) -> float:
    """A number in [0, 1) that depends on the name and the seed alone."""
    content = f"{seed}:{name}".encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") / 2**64
