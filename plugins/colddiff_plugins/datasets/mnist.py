"""MNIST: handwritten digits, 28x28, from the four files of the original distribution."""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from colddiff_core import DatasetError, Split
from colddiff_core.disk import read_bounded
from colddiff_plugins.datasets._parts import StoredImages, check_size

_FILES = {"train": "train-images-idx3-ubyte.gz", "test": "t10k-images-idx3-ubyte.gz"}
_MD5 = {"train": "f68b3c2dcbeaaa9fbdd348bbdeb94873", "test": "9fb629c4189551a2d022fa330f9573f3"}
_MINI_MD5 = {
    "train": "1ac03de7ecb10d80269b8abd182afbd4",
    "test": "c3379f275b566375ab4528689c1795c4",
}
_SIDE = 28
_MAX_BYTES = 10_000_000  # packed, which the larger file does not fill
_HEADER = 16  # bytes: magic number, count, rows, columns


class Mnist(StoredImages):
    """The whole of MNIST, from a folder that holds the original `*-images-idx3-ubyte.gz`.

    Args:
        split: 60,000 training or 10,000 test images, in the original order.
        folder: where the files are.
        image_size: side in pixels; other than 28, resized as Pillow's bilinear filter does, which
            is what the paper's experiments at 32 pixels did.

    Raises:
        DatasetError: a file is missing or its checksum is not that of the original.
        ParameterError: the image size is not positive.
    """

    def __init__(self, split: Split, *, folder: Path, image_size: int = 32) -> None:
        super().__init__(_resized(_read(folder / _FILES[split], _MD5[split]), image_size))


class MnistMini(Mnist):
    """The first 6,000 training and 1,000 test images of MNIST, bundled with the package.

    Args:
        split: 6,000 training or 1,000 test images, in the original order.
        image_size: side in pixels; other than 28, resized as Pillow's bilinear filter does.

    Raises:
        DatasetError: the installed files are damaged.
        ParameterError: the image size is not positive.
    """

    def __init__(self, split: Split, *, image_size: int = 32) -> None:
        bundled = Path(__file__).parent / "mnist_mini"
        digits = _read(bundled / _FILES[split], _MINI_MD5[split])
        StoredImages.__init__(self, _resized(digits, image_size))


def _read(path: Path, md5: str) -> np.ndarray:
    """(N, 28, 28) uint8."""
    try:
        packed = read_bounded(path, _MAX_BYTES)
    except OSError as error:
        raise DatasetError(
            f"{path}: {error.strerror}; the folder must hold {' and '.join(_FILES.values())}"
        ) from error
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DatasetError(f"{path}: damaged or not the original: md5 is {found}, expected {md5}")
    try:
        pixels = np.frombuffer(gzip.decompress(packed), dtype=np.uint8, offset=_HEADER)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: {error}") from error
    return pixels.reshape(-1, _SIDE, _SIDE)


def _resized(digits: np.ndarray, size: int) -> np.ndarray:
    """(N, 1, size, size) uint8."""
    check_size(size)
    if size != _SIDE:
        digits = np.stack(
            [
                np.asarray(Image.fromarray(digit).resize((size, size), Image.Resampling.BILINEAR))
                for digit in digits
            ]
        )
    return digits[:, None]
