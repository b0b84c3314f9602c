"""CIFAR-10: small colour photographs, 32x32, from the batches of the original distribution.

Either the binary version, whose batches are records of a label and an image, or the Python one,
whose batches are pickles. A pickle is a program: it is never run. The images are one string in it,
found by its length. The checksums are of the images alone, so that one table serves both versions.
"""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np

from colddiff_core import DatasetError, Split
from colddiff_core.disk import os_errors_as, read_bounded
from colddiff_plugins.datasets._parts import StoredImages

_BATCHES = {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]}
_SHA256 = {
    "data_batch_1": "a50e8b48728e1667d682a807155c375279d5ae321fb12242c02e3104a6bc8b21",
    "data_batch_2": "0b825e5592c3b72ea18d6ec2ff5f5b19d33e41a75f5039054a9bb87be3cf69a0",
    "data_batch_3": "c6ee1dd4601a69ec085d8ebf53ee6441775491a6839a0a9ae8fa198e88a3a429",
    "data_batch_4": "1f6b6c799cff375a9f8fae2fac909d51ee09f38a6a60eebb9e8fec6f47ddc48f",
    "data_batch_5": "58e3bbf713e28357476a351d3a05d056372f94c681d04ca9d62a076fdf2a643b",
    "test_batch": "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
}
_IMAGES = 10_000  # in each batch
_IMAGE_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_MAX_BYTES = 32_000_000  # a batch of either version has 31 million

# Opcodes of Python 2's pickles
_STRING = b"T"  # its length follows, in 4 bytes
_TRUE = b"\x88"  # before the string: numpy laid the array out column by column


class Cifar10(StoredImages):
    """The whole of CIFAR-10, from a folder that holds the original binary or Python batches.

    They lie in the folder itself or in `cifar-10-batches-bin` or `cifar-10-batches-py` in it, as
    the archives unpack.

    Args:
        split: 50,000 training or 10,000 test images, in the original order.
        folder: where the batches are.

    Raises:
        DatasetError: a batch is missing, or its images are not the original ones.
    """

    def __init__(self, split: Split, *, folder: Path) -> None:
        pixels = np.empty((len(_BATCHES[split]), _IMAGES, _PIXELS), dtype=np.uint8)
        for batch, name in zip(pixels, _BATCHES[split], strict=True):
            batch[...] = _read(folder, name)
        super().__init__(pixels.reshape(-1, *_IMAGE_SHAPE))


def _read(folder: Path, name: str) -> np.ndarray:
    """(10,000, 3,072) uint8: each image's red, green and blue plane, row by row."""
    path = _find(folder, name)
    with os_errors_as(DatasetError, path):
        content = read_bounded(path, _MAX_BYTES)
    images = _from_records(content) if path.suffix == ".bin" else _from_pickle(content)
    if images is None:
        raise DatasetError(f"{path}: not a batch of CIFAR-10: {_IMAGES:,} images are not in it")
    found = hashlib.sha256(images.data).hexdigest()
    if found != _SHA256[name]:
        raise DatasetError(
            f"{path}: damaged or not the original: sha256 of the images is {found}, "
            f"expected {_SHA256[name]}"
        )
    return images


def _find(folder: Path, name: str) -> Path:
    binary, python = f"{name}.bin", name
    places = (binary, f"cifar-10-batches-bin/{binary}", python, f"cifar-10-batches-py/{python}")
    for place in places:
        if (folder / place).exists():
            return folder / place
    raise DatasetError(
        f"{folder}: holds no {binary} (binary version) and no {python} (Python version of "
        f"CIFAR-10), nor does cifar-10-batches-bin or cifar-10-batches-py in it"
    )


def _from_records(content: bytes) -> np.ndarray | None:
    if len(content) != _IMAGES * (1 + _PIXELS):
        return None
    records = np.frombuffer(content, dtype=np.uint8).reshape(_IMAGES, 1 + _PIXELS)
    return np.ascontiguousarray(records[:, 1:])


def _from_pickle(content: bytes) -> np.ndarray | None:
    size = _IMAGES * _PIXELS
    before, _, after = content.partition(_STRING + size.to_bytes(4, "little"))
    if len(after) < size:
        return None
    pixels = np.frombuffer(after, dtype=np.uint8, count=size)
    order: Literal["C", "F"] = "F" if before.endswith(_TRUE) else "C"
    return np.ascontiguousarray(pixels.reshape((_IMAGES, _PIXELS), order=order))
