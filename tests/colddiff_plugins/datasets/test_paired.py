"""Clean pictures and their real, degraded partners."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from colddiff_core import build
from colddiff_core.contracts.dataset import ImageDataset, Split
from colddiff_core.contracts.errors import DatasetError, ParameterError
from colddiff_core.pictures.value_range import from_uint8

PAIRS = 12


def save(path: Path, tone: int, height: int = 20, width: int = 30) -> None:
    """A picture that is darker to the left of its middle, as an aid to tell crops apart."""
    pixels = np.full((height, width, 3), tone, np.uint8)
    pixels[:, : width // 2] -= 5
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Clean pictures of tones 10, 20, … and degraded ones, of half the size, brighter by 100."""
    for k in range(PAIRS):
        name = f"set{k % 2}/{k:02}"
        save(tmp_path / f"clean/{name}.png", 10 * (k + 1))
        save(tmp_path / f"degraded/{name}.bmp", 10 * (k + 1) + 100, 10, 15)
    return tmp_path


def load(folder: Path, split: Split = "train", **params: object) -> ImageDataset:
    return build("dataset", "paired", split=split, folder=folder, image_size=8, **params)


def tones(data: ImageDataset) -> list[int]:
    return sorted(data.images(range(len(data)))[:, 0, 0, -1].tolist())


def assert_brighter(images: Tensor, endpoint: Tensor) -> None:
    """By 100 levels at each place, but for a level or two that resizing adds at an edge."""
    torch.testing.assert_close(endpoint, from_uint8(images + 100), atol=0.02, rtol=0)


def test_a_pair_keeps_together_in_its_part(folder: Path) -> None:
    both = [load(folder, split, test_fraction=0.4) for split in ("train", "test")]
    assert sorted(tones(both[0]) + tones(both[1])) == [10 * (k + 1) for k in range(PAIRS)]
    assert min(map(len, both)) > 1
    for data in both:
        indices = [len(data) - 1, *range(len(data))]
        images, endpoint = data.images(indices), data.context(indices)["endpoint"]
        assert endpoint.dtype == torch.float32
        assert_brighter(images, endpoint)
    assert tones(load(folder, "test", test_fraction=0.4, split_seed=1)) != tones(both[1])


def test_adding_pairs_moves_none_to_the_other_part(folder: Path) -> None:
    before = set(tones(load(folder, "test", test_fraction=0.4)))
    for kind in ("clean", "degraded"):
        save(folder / kind / "more.png", 200)
    assert before <= set(tones(load(folder, "test", test_fraction=0.4)))


def test_what_makes_no_pair_is_named_and_skipped(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(folder / "clean/alone.png", 250)
    save(folder / "degraded/lonely.png", 250)
    save(folder / "clean/set0/00.tif", 250)  # beside 00.png
    (folder / "clean/set0/02.png").write_text("hello")
    (folder / "degraded/set1/01.bmp").write_text("hello")
    save(folder / "degraded/set1/03.bmp", 140, 20, 20)
    (folder / "clean/.hidden").write_text("hello")
    data = load(folder), load(folder, "test")
    assert sorted(tones(data[0]) + tones(data[1])) == [10, *range(50, 130, 10)]
    told = sorted(record.getMessage() for record in caplog.records)
    assert told == sorted(  # each once, though both parts were loaded
        [
            f"skipped {folder}/clean/alone.png: no picture of this name in {folder}/degraded",
            f"skipped {folder}/degraded/lonely.png: no picture of this name in {folder}/clean",
            f"skipped {folder}/clean/set0/00.tif: set0/00.png has the same name",
            f"skipped {folder}/clean/set0/02.png: not a picture that can be read",
            f"skipped {folder}/degraded/set1/01.bmp: not a picture that can be read",
            f"skipped {folder}/degraded/set1/03.bmp: is 20x20 (height x width), and its clean "
            "picture 20x30; crop them to one section",
        ]
    )


def test_a_photograph_on_its_side_is_the_partner_of_one_upright(folder: Path) -> None:
    for k in range(PAIRS):
        path = folder / f"clean/set{k % 2}/{k:02}"
        with Image.open(path.with_suffix(".png")) as picture:
            exif = Image.Exif()
            exif[0x0112] = 6  # turned by a quarter
            picture.transpose(Image.Transpose.ROTATE_90).save(path.with_suffix(".png"), exif=exif)
    data = load(folder)
    assert_brighter(data.images(range(len(data))), data.context(range(len(data)))["endpoint"])


def test_a_clean_picture_that_changes_is_looked_at_again(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large sets are kept on disk, the pairs that do not fit left out."""
    monkeypatch.setenv("COLDDIFF_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr("colddiff_plugins.datasets._pictures._WORTH_A_FILE", 2)
    count = sum(len(load(folder, split)) for split in ("train", "test"))
    save(folder / "clean/set0/00.png", 10, 30, 20)
    assert sum(len(load(folder, split)) for split in ("train", "test")) == count - 1
    save(folder / "clean/set0/00.png", 10)
    assert sum(len(load(folder, split)) for split in ("train", "test")) == count


def test_what_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"clean: no such folder; pairs are pictures in "):
        load(tmp_path)
    for name in ("clean/a.png", "clean/b.png", "degraded/a.png", "degraded/b-rain.png"):
        save(tmp_path / name, 100)
    with pytest.raises(DatasetError, match=r"1 pairs can be read; .* the same name in clean/ and"):
        load(tmp_path)
    with pytest.raises(ParameterError, match="test_fraction"):
        load(tmp_path, test_fraction=1.0)
