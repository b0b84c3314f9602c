"""Pictures of any kind and size from a folder, brought to one shape."""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from colddiff_core.dataset import ImageDataset, Split
from colddiff_core.degradation import ImageShape
from colddiff_core.errors import DatasetError, ImageError, ParameterError
from colddiff_core.images import Pixels, fit, read_image, write_image

_log = logging.getLogger(__name__)


class Folder(ImageDataset):
    """All pictures in a folder and its subfolders, in the order of their paths.

    Each is resized until it covers the square and cropped centrally; it is decoded once and kept
    as uint8. Hidden files are passed over. A file that is no readable picture is reported by name
    and skipped.

    Args:
        split: which part; a picture's part depends on its name and `split_seed` alone (unless
            there are very few), so that adding pictures moves none to the other part.
        folder: where the pictures are.
        image_size: side of the square, pixels.
        channels: 1 for grey, 3 for colour.
        test_fraction: share of the pictures that is held out, 0 to 1 (neither end included).
        split_seed: another seed holds out others.

    Raises:
        DatasetError: the folder does not exist, or fewer than two pictures in it can be read.
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
        if not 1 <= image_size <= 4096:
            raise ParameterError(f"image_size: expected 1 to 4096 pixels, got {image_size}")
        if not 0 < test_fraction < 1:
            raise ParameterError(f"test_fraction: expected between 0 and 1, got {test_fraction}")
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder")
        listing = tuple(
            (path, path.stat().st_mtime_ns, path.stat().st_size) for path in _files(folder)
        )
        pictures = _decoded(listing, image_size, channels)
        if len(pictures) < 2:
            raise DatasetError(
                f"{folder}: {len(pictures)} of {len(listing)} files can be read as pictures; "
                f"at least 2 are needed, one to learn from and one held out"
            )
        ranked = sorted(pictures, key=lambda path: _position(path.relative_to(folder), split_seed))
        held_out = sum(
            _position(path.relative_to(folder), split_seed) < test_fraction for path in ranked
        )
        held_out = min(max(held_out, 1), len(ranked) - 1)  # too few for chance to give both
        chosen = sorted(ranked[:held_out] if split == "test" else ranked[held_out:])
        stacked = np.stack([pictures[path] for path in chosen])
        self._pictures = torch.from_numpy(np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)))

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures; see `Buildable.example_params`."""
        noise = np.random.default_rng(0).integers(0, 256, (12, 20, 24, 3), dtype=np.uint8)
        for k, pixels in enumerate(noise):
            write_image(folder / f"{k:02}.png", pixels)
        return {"folder": folder, "image_size": 16}

    @property
    def image_shape(self) -> ImageShape:
        """(channels, image_size, image_size)."""
        _, channels, height, width = self._pictures.shape
        return (channels, height, width)

    def __len__(self) -> int:
        return len(self._pictures)

    def images(self, indices: Sequence[int]) -> Tensor:
        """Fetch a batch; see `ImageDataset.images`."""
        return self._pictures[list(indices)]


def _position(path: Path, seed: int) -> float:
    """A number in [0, 1) that depends on the name and the seed alone."""
    digest = hashlib.blake2b(f"{seed}:{path.as_posix()}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


@lru_cache(maxsize=1)  # the training part and the held-out part come from one decoding
def _decoded(
    listing: tuple[tuple[Path, int, int], ...], size: int, channels: Literal[1, 3]
) -> dict[Path, Pixels]:
    pictures = {}
    for path, _, _ in listing:
        try:
            pictures[path] = fit(read_image(path, channels), size, size)
        except ImageError as error:
            _log.warning("skipped %s", error)
    return pictures
