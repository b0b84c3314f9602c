"""Pictures from a folder."""

import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colddiff_core import build
from colddiff_core.contracts.dataset import ImageDataset, Split
from colddiff_core.contracts.errors import DatasetError
from colddiff_plugins.datasets._pictures import decoded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in range(12):
        sub = tmp_path / f"set{k % 2}"
        sub.mkdir(exist_ok=True)
        Image.fromarray(np.full((20 + k, 30, 3), (10 * k, 0, 0), np.uint8)).save(
            sub / f"{k:02}.png"
        )
    return tmp_path


def load(folder: Path, split: Split = "train", **params: object) -> ImageDataset:
    return build("dataset", "folder", split=split, folder=folder, image_size=8, **params)


def reds(data: ImageDataset) -> list[int]:
    return sorted(data.images(range(len(data)))[:, 0, 0, 0].tolist())


def test_every_picture_is_in_one_part(folder: Path) -> None:
    train, test = load(folder, test_fraction=0.4), load(folder, "test", test_fraction=0.4)
    assert train.image_shape == (3, 8, 8)
    assert sorted(reds(train) + reds(test)) == [10 * k for k in range(12)]
    assert min(len(train), len(test)) > 1
    other = load(folder, "test", test_fraction=0.4, split_seed=1)
    assert reds(other) != reds(test)


def test_adding_pictures_moves_none_to_the_other_part(folder: Path) -> None:
    before = set(reds(load(folder, "test", test_fraction=0.4)))
    Image.new("RGB", (9, 9), (200, 0, 0)).save(folder / "more.png")
    assert before <= set(reds(load(folder, "test", test_fraction=0.4)))


def test_grey_is_made_of_colour(folder: Path) -> None:
    assert load(folder, channels=1).image_shape == (1, 8, 8)


def test_what_cannot_be_read_is_named_and_skipped(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "notes.txt").write_text("hello")
    (folder / "cut.png").write_bytes((folder / "set0/00.png").read_bytes()[:50])
    (folder / ".hidden.png").write_text("hello")
    data = load(folder), load(folder, "test")
    assert sum(map(len, data)) == 12
    named = [record.getMessage() for record in caplog.records]
    assert len(named) == 2  # each once, though both parts were loaded
    assert any("notes.txt: not a picture" in message for message in named)
    assert any("cut.png" in message for message in named)


def test_two_pictures_are_enough(tmp_path: Path) -> None:
    for name in "ab":
        Image.new("L", (9, 9)).save(tmp_path / f"{name}.png")
    assert [len(load(tmp_path, split)) for split in ("train", "test")] == [1, 1]


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DatasetError, match="0 of 1 files can be read as pictures"):
        load(tmp_path)


def test_what_is_no_folder_says_what_to_write(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.write(folder / "set0/00.png")
    instead = (
        r"x\.zip: a zip file; instead of the folder, write name = \"zip\" and file = \"/.*x\.zip\""
    )
    with pytest.raises(DatasetError, match=instead):
        load(folder / "x.zip")
    with pytest.raises(DatasetError, match=r"00\.png: a file, not a folder"):
        load(folder / "set0/00.png")


def test_transparency_is_said_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in "ab":
        Image.new("RGBA", (9, 9), (200, 0, 0, 9)).save(folder / f"{name}.png")
    load(folder), load(folder, "test")
    (message,) = caplog.messages
    assert message.startswith(f"{folder}: 2 pictures: transparency is not kept")


def test_images_are_uint8_and_contiguous(folder: Path) -> None:
    batch = load(folder).images([1, 0])
    assert batch.dtype == torch.uint8
    assert batch.is_contiguous()


def test_a_folder_that_cannot_be_listed_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = os.scandir

    def scandir(place: str) -> object:
        if str(place).endswith("set1"):
            raise PermissionError(13, "Permission denied")
        return original(place)

    monkeypatch.setattr(os, "scandir", scandir)
    assert len(load(folder)) + len(load(folder, "test")) == 6
    assert f"skipped {folder}/set1: Permission denied" in caplog.messages


def test_many_pictures_are_mapped_from_the_cache(tmp_path: Path) -> None:
    for k in range(120):
        Image.new("RGB", (9, 9), (k, 0, 0)).save(tmp_path / f"{k:03}.png")
    before = reds(load(tmp_path)), reds(load(tmp_path, "test"))
    decoded.cache_clear()
    train, test = load(tmp_path), load(tmp_path, "test")
    assert isinstance(train._pixels.base, np.memmap)  # type: ignore[attr-defined]
    assert (reds(train), reds(test)) == before
    batch = train.images([0])
    batch.fill_(255)  # what is fetched is a copy
    assert train.images([0])[0, 0, 0, 0] != 255
    (tmp_path / "007.png").write_bytes(b"damaged since")
    assert sorted(reds(load(tmp_path)) + reds(load(tmp_path, "test"))) == [
        k for k in range(120) if k != 7
    ]


def test_threads_leave_the_warnings_as_they_were(tmp_path: Path) -> None:
    for k in range(200):
        Image.new("RGB", (9, 9), (k, 0, 0)).save(tmp_path / f"{k:03}.png")
    before = list(warnings.filters)
    load(tmp_path)
    assert warnings.filters == before
