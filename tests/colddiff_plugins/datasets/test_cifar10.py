"""CIFAR-10 from both versions of its batches."""

import hashlib
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from colddiff_core import build
from colddiff_core.contracts.errors import DatasetError
from colddiff_plugins.datasets import cifar10

# Of the official binary files, as MXNet's gluon.data.vision.CIFAR10 has them
SHA1 = {
    "data_batch_1": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "test_batch": "67eb016db431130d61cd03c7ad570b013799c88c",
}


@pytest.fixture(scope="module")
def batches(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the official binary batches, made of the shared strips."""
    script = runpy.run_path(str(ROOT / "benchmarks/make_cifar10_batches.py"))
    folder = tmp_path_factory.mktemp("cifar10")
    for batch in SHA1:
        content = script["records"](shared / "data/cifar10" / script["ARCHIVES"][batch])
        (folder / f"{batch}.bin").write_bytes(content)
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A test batch of nine noise images that passes for the original."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 3_072), np.uint8)
    monkeypatch.setattr(cifar10, "_IMAGES", len(noise))
    monkeypatch.setitem(cifar10._SHA256, "test_batch", hashlib.sha256(noise).hexdigest())
    return noise


def pickled(images: np.ndarray, *, by_column: bool = False) -> bytes:
    """A batch as Python 2 and the numpy of its day pickle it, opcode by opcode."""
    rows = len(images).to_bytes(2, "little")
    return b"".join(
        [
            b"\x80\x02}(U\x06labels]K\x07aU\x04data",
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01M" + rows + b"M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x88" if by_column else b"\x89",
            b"T" + images.size.to_bytes(4, "little"),
            images.tobytes(order="F" if by_column else "C"),
            b"tbu.",
        ]
    )


def recorded(images: np.ndarray) -> bytes:
    """A batch as the binary version has it."""
    return np.column_stack([np.arange(len(images), dtype=np.uint8), images]).tobytes()


def test_the_batches_are_the_official_ones(batches: Path) -> None:
    for name, sha1 in SHA1.items():
        content = (batches / f"{name}.bin").read_bytes()
        assert hashlib.sha1(content).hexdigest() == sha1  # noqa: S324 - what is published


def test_images_are_those_of_the_batches(batches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test = build("dataset", "cifar10", split="test", folder=batches)
    assert (len(test), test.image_shape) == (10_000, (3, 32, 32))
    batch = test.images([7, 0])
    assert (batch.dtype, batch.shape) == (torch.uint8, (2, 3, 32, 32))
    records = np.fromfile(batches / "test_batch.bin", np.uint8).reshape(10_000, 3_073)
    assert np.array_equal(batch.numpy().reshape(2, -1), records[[7, 0], 1:])
    with pytest.raises(DatasetError, match=r"holds no data_batch_2\.bin .* no data_batch_2 "):
        build("dataset", "cifar10", split="train", folder=batches)
    monkeypatch.setitem(cifar10._BATCHES, "train", ["data_batch_1", "test_batch"])
    train = build("dataset", "cifar10", split="train", folder=batches)
    assert len(train) == 20_000
    assert torch.equal(train.images([10_007, 10_000]), batch)


@pytest.mark.parametrize("by_column", [False, True])
def test_a_pickle_gives_its_images(by_column: bool, drawn: np.ndarray, tmp_path: Path) -> None:
    content = pickled(drawn, by_column=by_column)
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py/test_batch").write_bytes(content)
    test = build("dataset", "cifar10", split="test", folder=tmp_path)
    assert np.array_equal(test.images([3, 1]).numpy().reshape(2, -1), drawn[[3, 1]])
    unpickled = pickle.loads(content, encoding="latin1")  # noqa: S301 - just made
    assert np.array_equal(unpickled["data"], drawn)


def test_the_usual_folder_is_found(drawn: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-bin").mkdir()
    (tmp_path / "cifar-10-batches-bin/test_batch.bin").write_bytes(recorded(drawn))
    test = build("dataset", "cifar10", split="test", folder=tmp_path)
    assert np.array_equal(test.images(range(9)).numpy().reshape(9, -1), drawn)


class Hostile:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.folder,)


def test_a_pickle_is_never_run(drawn: np.ndarray, tmp_path: Path) -> None:
    trap, batch = tmp_path / "trap", tmp_path / "test_batch"
    hostile = pickle.dumps(Hostile(trap), protocol=2)
    batch.write_bytes(hostile)
    with pytest.raises(DatasetError, match="test_batch: not a batch of CIFAR-10"):
        build("dataset", "cifar10", split="test", folder=tmp_path)
    batch.write_bytes(hostile[:-1] + pickled(drawn)[2:])
    assert len(build("dataset", "cifar10", split="test", folder=tmp_path)) == 9
    assert not trap.exists()
    pickle.loads(hostile)  # noqa: S301 - the trap does work
    assert trap.exists()


@pytest.mark.parametrize("name", ["test_batch", "test_batch.bin"])
def test_what_is_damaged_is_named(name: str, drawn: np.ndarray, tmp_path: Path) -> None:
    content = bytearray(recorded(drawn) if name.endswith(".bin") else pickled(drawn))
    for wrong in (content[:20_000], b"", bytes(40_000)):
        (tmp_path / name).write_bytes(wrong)
        with pytest.raises(DatasetError, match=f"{name}: not a batch of CIFAR-10"):
            build("dataset", "cifar10", split="test", folder=tmp_path)
    content[9_000] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=f"{name}: damaged or not the original: sha256 of the"):
        build("dataset", "cifar10", split="test", folder=tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no test_batch\.bin \(binary version\) and no"):
        build("dataset", "cifar10", split="test", folder=tmp_path)
    (tmp_path / "test_batch.bin").mkdir()
    with pytest.raises(DatasetError, match=r"test_batch\.bin: Is a directory"):
        build("dataset", "cifar10", split="test", folder=tmp_path)
