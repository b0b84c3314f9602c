"""Pairs of pictures from two folders: clean ones, and the same with a real degradation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from colddiff_core.contracts.degradation import Context
from colddiff_core.contracts.errors import DatasetError, ImageError
from colddiff_core.pictures.reading import Picture, picture_header, read_picture
from colddiff_core.pictures.value_range import from_uint8
from colddiff_core.pictures.writing import write_image
from colddiff_plugins.datasets._parts import Numbers, PictureDataset
from colddiff_plugins.datasets._pictures import Listed, Pictures, decoded, tell
from colddiff_plugins.datasets.folder import FolderSource

CLEAN, DEGRADED = "clean", "degraded"

_SAME_ASPECT = 0.02  # 1 or 2 pixels of 100, as resizing and careless cutting leave it


@dataclass(eq=False, repr=False, kw_only=True)
class Paired(PictureDataset):
    """Clean pictures in FOLDER/clean, and the same pictures, degraded, in FOLDER/degraded.

    For what no formula describes: rain, old prints, a bad camera. Two pictures are a pair if their
    paths there are the same but for the ending: clean/street/7.png and degraded/street/7.jpg. Both
    are resized until they cover the square and cropped centrally, so they have to show the same
    section; their sizes may differ. Pictures without a partner, pairs of which one cannot be read
    and pairs of different aspect are reported by name and skipped.

    The degraded picture is the context `endpoint`: the degradation `blend` leads to it.

    Args:
        folder: where the two folders are.

    Raises:
        DatasetError: a folder does not exist, or there are fewer than two pairs.
        ParameterError: a size or share is out of range.
    """

    folder: Path

    def _load(self) -> tuple[NDArray[np.uint8], Numbers]:
        for name in (CLEAN, DEGRADED):
            if not (self.folder / name).is_dir():
                raise DatasetError(
                    f"{self.folder / name}: no such folder; pairs are pictures in "
                    f"{self.folder / CLEAN}, and by the same names, degraded, in "
                    f"{self.folder / DEGRADED}"
                )
        sources = [FolderSource.of(self.folder / name, self.channels) for name in (CLEAN, DEGRADED)]
        pairs = _pairs(*sources, self.image_size)
        if len(pairs.names) < 2:
            raise DatasetError(
                f"{self.folder}: {len(pairs.names)} pairs can be read; at least 2 are needed, one "
                f"to learn from and one held out. A pair has the same name in {CLEAN}/ and "
                f"{DEGRADED}/, whatever the ending"
            )
        numbers, self._degraded_numbers = pairs.numbers[self._part(pairs.names)].T
        self._degraded = pairs.degraded.pixels
        return pairs.clean.pixels, numbers

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures, and their negatives; see `Buildable.example_params`."""
        params = super().example_params(folder / CLEAN)
        for path in (folder / CLEAN).iterdir():
            write_image(folder / DEGRADED / path.name, 255 - read_picture(path).pixels)
        return {"folder": folder, **params}

    def context(self, indices: Sequence[int]) -> Context:
        """The degraded pictures as endpoints; see `ImageDataset.context`."""
        numbers = self._degraded_numbers[np.asarray(indices, dtype=np.int64)]
        return {"endpoint": from_uint8(torch.from_numpy(self._degraded[numbers]))}


@dataclass(frozen=True)
class _Pairs:
    """Pictures of two folders that could be read, and which belong together.

    Attributes:
        names: of the pairs, without an ending.
        numbers: (pairs, 2), the places of both pictures.
        clean: the clean pictures.
        degraded: the others.
    """

    names: tuple[str, ...]
    numbers: NDArray[np.int64]
    clean: Pictures
    degraded: Pictures


@dataclass(frozen=True)
class _DegradedSource(FolderSource):
    """The degraded pictures of pairs.

    Attributes:
        clean: their partners, in the same order.
    """

    clean: FolderSource

    def _read(self, number: int) -> Picture:
        picture = super()._read(number)
        height, width = picture.pixels.shape[:2]
        try:
            clean = picture_header(self.clean.folder / self.clean.listing[number].name)
        except ImageError:
            return picture  # the clean one is skipped itself, and the pair with it
        if abs(height * clean.width / (width * clean.height) - 1) > _SAME_ASPECT:
            raise ImageError(
                f"{self.folder / self.listing[number].name}: is {height}x{width} (height x width), "
                f"and its clean picture {clean.height}x{clean.width}; crop them to one section"
            )
        return picture


@lru_cache(maxsize=1)  # for the training part and the held-out part
def _pairs(clean: FolderSource, degraded: FolderSource, size: int) -> _Pairs:
    """Find and decode the pairs."""
    named = [_by_name(source) for source in (clean, degraded)]
    both = [(named[0][name], named[1][name]) for name in named[0] if name in named[1]]
    alone = list(_alone((clean, degraded), named))
    tell(alone, len(alone))
    first = replace(clean, listing=tuple(one for one, _ in both))
    second = _DegradedSource(
        degraded.place,
        # What is kept of a degraded picture depends on the clean one, see `_read`
        tuple(Listed(other.name, f"{other.stamp} {one.stamp}") for one, other in both),
        degraded.channels,
        degraded.folder,
        first,
    )
    pictures = [decoded(source, size) for source in (first, second)]
    places = [{_name(path): k for k, path in enumerate(found.names)} for found in pictures]
    names = tuple(name for name in places[0] if name in places[1])
    numbers = np.array([[found[name] for found in places] for name in names], dtype=np.int64)
    return _Pairs(names, numbers.reshape(-1, 2), *pictures)


def _by_name(source: FolderSource) -> dict[str, Listed]:
    """The pictures by the names of their pairs; of several with one name the first."""
    found: dict[str, Listed] = {}
    for item in source.listing:
        found.setdefault(_name(item.name), item)
    return found


def _name(path: str) -> str:
    """The name of a pair."""
    return PurePosixPath(path).with_suffix("").as_posix()


def _alone(sources: Sequence[FolderSource], named: Sequence[dict[str, Listed]]) -> Iterator[str]:
    """What is in no pair, and why."""
    for k, source in enumerate(sources):
        for item in source.listing:
            path, first = source.folder / item.name, named[k][_name(item.name)]
            if first is not item:
                yield f"{path}: {first.name} has the same name"
            elif _name(item.name) not in named[1 - k]:
                yield f"{path}: no picture of this name in {sources[1 - k].folder}"
