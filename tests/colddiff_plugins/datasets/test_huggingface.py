"""Pictures from data sets of Hugging Face, without its Hub."""

import io
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colddiff_core import build
from colddiff_core.contracts.dataset import ImageDataset, Split
from colddiff_core.contracts.errors import DatasetError
from colddiff_plugins.datasets._pictures import decoded

hf = pytest.importorskip("datasets", reason="pip install 'colddiff[huggingface]'")
from pyarrow.parquet import write_table  # noqa: E402 - comes with it

hf.disable_progress_bars()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody connects to anything, nor looks a name up."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("it went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def picture(tone: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), (tone, 0, 0), np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def rows(*content: object, column: str = "image") -> "hf.Dataset":
    """Rows of pictures as `datasets` stores them."""
    features = hf.Features({column: hf.Image(), "label": hf.Value("int64")})
    values = {column: list(content), "label": list(range(len(content)))}
    return hf.Dataset.from_dict(values, features=features)


TWELVE = [picture(10 * k) for k in range(12)]


def load(dataset: Path | str, split: Split = "train", **params: object) -> ImageDataset:
    params = {"dataset": str(dataset), "image_size": 8, **params}
    return build("dataset", "huggingface", split=split, **params)


def reds(data: ImageDataset) -> list[int]:
    return data.images(range(len(data)))[:, 0, 0, 0].tolist()


def test_a_data_set_without_splits_is_divided(tmp_path: Path) -> None:
    rows(*TWELVE).save_to_disk(tmp_path / "saved")
    both = [reds(load(tmp_path / "saved", split, test_fraction=0.4)) for split in ("train", "test")]
    assert sorted(both[0] + both[1]) == [10 * k for k in range(12)]
    assert min(map(len, both)) > 1
    other = reds(load(tmp_path / "saved", "test", test_fraction=0.4, split_seed=1))
    assert other != both[1]
    rows(*TWELVE, picture(200)).save_to_disk(tmp_path / "more")
    assert set(both[1]) <= set(reds(load(tmp_path / "more", "test", test_fraction=0.4)))


def test_its_own_splits_are_the_parts(tmp_path: Path) -> None:
    parts = {"train": rows(*TWELVE[:8]), "test": rows(*TWELVE[8:]), "more": rows(TWELVE[0])}
    hf.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    assert reds(load(tmp_path / "saved")) == [10 * k for k in range(8)]
    assert reds(load(tmp_path / "saved", "test")) == [80, 90, 100, 110]


@pytest.mark.parametrize("name", ["train", "everything"])
def test_a_single_split_is_divided(tmp_path: Path, name: str) -> None:
    hf.DatasetDict({name: rows(*TWELVE)}).save_to_disk(tmp_path / "saved")
    assert len(load(tmp_path / "saved")) + len(load(tmp_path / "saved", "test")) == 12


def test_splits_that_say_nothing_are_an_error(tmp_path: Path) -> None:
    hf.DatasetDict({"a": rows(*TWELVE), "b": rows(*TWELVE)}).save_to_disk(tmp_path / "saved")
    with pytest.raises(DatasetError, match="no split 'train'; there are 'a', 'b'"):
        load(tmp_path / "saved")


def test_a_folder_of_parquet_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows(*TWELVE[:8]).to_parquet(tmp_path / "data/train-00000-of-00001.parquet")
    rows(*TWELVE[8:]).to_parquet(tmp_path / "data/test-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: https://example.com/x.parquet\n---\n"
    )
    assert reds(load(tmp_path)) == [10 * k for k in range(8)]
    assert reds(load(tmp_path, "test", config="data")) == [80, 90, 100, 110]


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for k, content in enumerate(TWELVE):
        path = tmp_path / ("test" if k > 7 else "train") / f"{k:02}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    assert sorted(reds(load(tmp_path))) == [10 * k for k in range(8)]
    assert sorted(reds(load(tmp_path, "test"))) == [80, 90, 100, 110]


def test_another_column_and_plain_bytes(tmp_path: Path) -> None:
    rows(*TWELVE, column="photo").save_to_disk(tmp_path / "named")
    hf.Dataset.from_dict({"photo": TWELVE}).save_to_disk(tmp_path / "bytes")
    for name in ("named", "bytes"):
        data = load(tmp_path / name, image_column="photo", channels=1)
        assert data.image_shape == (1, 8, 8)
        assert data.images([0]).dtype == torch.uint8
    expected = r"no column 'image' of images; set data.image_column; there are photo \(.*\), label"
    with pytest.raises(DatasetError, match=expected):
        load(tmp_path / "named")
    with pytest.raises(DatasetError, match="no column 'label' of images"):
        load(tmp_path / "named", image_column="label")


def test_what_cannot_be_read_is_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "private.png").write_bytes(TWELVE[0])
    elsewhere = {"bytes": None, "path": str(tmp_path / "private.png")}
    odd = {"bytes": None, "path": "a\0b"}
    hostile = [b"hello", TWELVE[0][:50], None, elsewhere, odd]
    (tmp_path / "saved").mkdir()
    # As `datasets` writes it, but that it would take the file from elsewhere in
    write_table(rows(*TWELVE, *hostile).data.table, tmp_path / "saved/x.parquet")
    data = load(tmp_path / "saved"), load(tmp_path / "saved", "test")
    assert sum(map(len, data)) == 12
    messages = [message.partition(": ")[2] for message in caplog.messages]
    assert messages[0] == "row 12: not a picture that can be read"
    assert messages[1].startswith("row 13: ")
    assert messages[2] == "row 14: holds no picture, and names no file of the data set"
    assert messages[3] == "row 15: holds no picture, and names no file of the data set"
    assert messages[4] == "row 16: cannot be read: embedded null byte"
    assert len(messages) == 5


def test_decoded_rows_are_kept(tmp_path: Path, cache: Path) -> None:
    rows(*(picture(k) for k in range(120))).save_to_disk(tmp_path / "saved")
    before = set(cache.glob("pictures/*.u8"))
    first = reds(load(tmp_path / "saved"))
    (kept,) = set(cache.glob("pictures/*.u8")) - before
    decoded.cache_clear()
    again = load(tmp_path / "saved")
    assert isinstance(again._pixels.base, np.memmap)  # type: ignore[attr-defined]
    assert reds(again) == first
    assert kept.exists()


def test_nothing_is_fetched_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    with pytest.raises(DatasetError, match=r"somebody/pictures: .* set data\.download=true"):
        load("somebody/pictures")
    assert not huggingface_hub.constants.HF_HUB_OFFLINE  # as it was before
    with pytest.raises(DatasetError, match="no such folder, and no name on the Hugging Face Hub"):
        load("https://example.com/pictures")
    asked = []

    def fetch(name: str, config: str | None, **_: object) -> "hf.Dataset":
        asked.append((name, config, huggingface_hub.constants.HF_HUB_OFFLINE))
        return rows(*TWELVE)

    monkeypatch.setattr(hf, "load_dataset", fetch)
    assert len(load("somebody/pictures", config="small", download=True)) > 1
    assert asked == [("somebody/pictures", "small", False)]


def test_a_folder_with_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="neither written by save_to_disk nor a folder of Parq"):
        load(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        load(tmp_path, config="other")
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="neither written by save_to_disk"):
        load(tmp_path)


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DatasetError, match=r"pip install 'colddiff\[huggingface\]'"):
        load("somebody/pictures")
