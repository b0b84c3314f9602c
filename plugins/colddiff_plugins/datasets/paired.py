"""Pairs of pictures from two folders: clean ones, and the same with a real degradation."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from colddiff_core.contracts.dataset import Split
from colddiff_core.contracts.degradation import Context
from colddiff_core.contracts.errors import DatasetError, ImageError
from colddiff_core.pictures.images import Pixels, image_size, write_image
from colddiff_core.pictures.value_range import from_uint8
from colddiff_plugins.datasets._parts import PicturesInParts, check_fraction, check_size, part
from colddiff_plugins.datasets._pictures import Listed, Pictures, decoded, printable
from colddiff_plugins.datasets.folder import FolderSource

CLEAN, DEGRADED = "clean", "degraded"

_SAME_ASPECT = 0.02  # 1 or 2 pixels of 100, as resizing and careless cutting leave it
_MOST_TOLD = 100  # of the pictures without a partner

_log = logging.getLogger(__name__)


class Paired(PicturesInParts):
    """Clean pictures in FOLDER/clean, and the same pictures, degraded, in FOLDER/degraded.

    For what no formula describes: rain, old prints, a bad camera. Two pictures are a pair if their
    paths there are the same but for the ending: clean/street/7.png and degraded/street/7.jpg. Both
    are resized until they cover the square and cropped centrally, so they have to show the same
    section; their sizes may differ. Pictures without a partner, pairs of which one cannot be read
    and pairs of different aspect are reported by name and skipped.

    The degraded picture is the context `endpoint`: the degradation `blend` leads to it.

    Args:
        split: which part; a pair's part depends on its name and `split_seed` alone (unless there
            are very few), so that adding pairs moves none to the other part.
        folder: where the two folders are.
        image_size: side of the square, pixels.
        channels: 1 for grey, 3 for colour.
        test_fraction: share of the pairs that is held out, 0 to 1 (neither end included).
        split_seed: another seed holds out others.

    Raises:
        DatasetError: a folder does not exist, or there are fewer than two pairs.
        ParameterError: a size or share is out of range.
    """

    def __init__(
        self,
        split: Split,
        *,
        folder: Path,
        image_size: int = 64,
        channels: Literal[1, 3] = 3,
        test_fraction: float = 0.1,
        split_seed: int = 0,
    ) -> None:
        check_size(image_size)
        check_fraction(test_fraction)
        for name in (CLEAN, DEGRADED):
            if not (folder / name).is_dir():
                raise DatasetError(
                    f"{folder / name}: no such folder; pairs are pictures in {folder / CLEAN}, and "
                    f"by the same names, degraded, in {folder / DEGRADED}"
                )
        sources = [FolderSource.of(folder / name, channels) for name in (CLEAN, DEGRADED)]
        pairs = _pairs(*sources, image_size)
        if len(pairs.names) < 2:
            raise DatasetError(
                f"{folder}: {len(pairs.names)} pairs can be read; at least 2 are needed, one to "
                f"learn from and one held out. A pair has the same name in {CLEAN}/ and "
                f"{DEGRADED}/, whatever the ending"
            )
        chosen = pairs.numbers[part(pairs.names, split, test_fraction, split_seed)]
        super().__init__(pairs.clean, chosen[:, 0])
        self._degraded = pairs.degraded.pixels
        self._degraded_numbers = chosen[:, 1]

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures, and their negatives; see `Buildable.example_params`."""
        noise = np.random.default_rng(0).integers(0, 256, (12, 20, 24, 3), dtype=np.uint8)
        for k, pixels in enumerate(noise):
            write_image(folder / CLEAN / f"{k:02}.png", pixels)
            write_image(folder / DEGRADED / f"{k:02}.png", 255 - pixels)
        return {"folder": folder, "image_size": 16}

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

    def _read(self, number: int) -> Pixels:
        pixels = super()._read(number)
        height, width = pixels.shape[:2]
        try:
            clean_height, clean_width = image_size(
                self.clean.folder / self.clean.listing[number].name
            )
        except ImageError:
            return pixels  # the clean picture is skipped itself, and the pair with it
        if abs(height * clean_width / (width * clean_height) - 1) > _SAME_ASPECT:
            raise ImageError(
                f"{self.folder / self.listing[number].name}: is {height}x{width} (height x width), "
                f"and its clean picture {clean_height}x{clean_width}; crop them to one section"
            )
        return pixels


@lru_cache(maxsize=1)  # for the training part and the held-out part
def _pairs(clean: FolderSource, degraded: FolderSource, size: int) -> _Pairs:
    """Find and decode the pairs."""
    named = [_by_name(source) for source in (clean, degraded)]
    both = [(named[0][name], named[1][name]) for name in named[0] if name in named[1]]
    _tell(list(_alone((clean, degraded), named)))
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


def _tell(reasons: list[str]) -> None:
    for reason in reasons[:_MOST_TOLD]:
        _log.warning("skipped %s", printable(reason))
    if len(reasons) > _MOST_TOLD:
        _log.warning("skipped %s more", f"{len(reasons) - _MOST_TOLD:,}")
