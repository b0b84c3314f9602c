"""MNIST, whole and bundled."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from colddiff_core import ParameterError, build
from colddiff_core.contracts.errors import DatasetError
from colddiff_core.pictures.value_range import from_uint8


def test_the_bundled_digits_are_the_first_of_mnist(shared: Path) -> None:
    for split, count in (("train", 6_000), ("test", 1_000)):
        mini = build("dataset", "mnist-mini", split=split, image_size=28)
        whole = build("dataset", "mnist", split=split, folder=shared / "data/mnist", image_size=28)
        assert len(mini) == count
        assert torch.equal(mini.images(range(count)), whole.images(range(count)))


def test_sizes_of_the_whole(shared: Path) -> None:
    test = build("dataset", "mnist", split="test", folder=shared / "data/mnist")
    assert (len(test), test.image_shape) == (10_000, (1, 32, 32))


def test_digits_are_resized_as_the_paper_did(shared: Path) -> None:
    recorded = np.load(shared / "reference/blur_constant_mnist.npz")["x0"]
    digits = from_uint8(build("dataset", "mnist-mini", split="test").images(range(len(recorded))))
    torch.testing.assert_close(digits, torch.from_numpy(recorded), atol=1e-6, rtol=0)


def test_missing_or_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"t10k-images-idx3-ubyte\.gz: No such file"):
        build("dataset", "mnist", split="test", folder=tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(1000)))
    with pytest.raises(DatasetError, match="damaged or not the original: md5 is"):
        build("dataset", "mnist", split="test", folder=tmp_path)


def test_an_impossible_size_is_refused() -> None:
    with pytest.raises(ParameterError, match="image_size: expected 1 to 4096"):
        build("dataset", "mnist-mini", split="test", image_size=0)
