"""A picture file is hostile until proven otherwise."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from picture_files import flat_png, jpeg, tiff
from PIL import Image

from colddiff_core.contracts.errors import ImageError, UsageError
from colddiff_core.pictures import opening
from colddiff_core.pictures.reading import picture_header, read_picture


def refused(content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        read_picture(content, name="x")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_there_is_one_limit_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    says = "is over the limit of 64 megapixels and 65,535 pixels a side; to read it, set "
    for width, height in ((8_001, 8_000), (20_000, 20_000), (1, 65_536), (65_536, 1)):
        assert says + "COLDDIFF_MAX_PIXELS" in refused(flat_png(width, height))
    assert read_picture(flat_png(65_535, 1)).pixels.shape == (1, 65_535, 1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)  # Pillow's own is raised, too
    monkeypatch.setenv("COLDDIFF_MAX_PIXELS", "100_000_000")
    assert read_picture(flat_png(99_999, 1)).pixels.size == 99_999
    monkeypatch.setenv("COLDDIFF_MAX_PIXELS", "99")
    assert "10x10 is over the limit of 9.9e-05 megapixels" in refused(flat_png(10, 10))
    for wrong in ("lots", "0", "-1", "1e9"):
        monkeypatch.setenv("COLDDIFF_MAX_PIXELS", wrong)
        with pytest.raises(UsageError, match=f"COLDDIFF_MAX_PIXELS={wrong}: expected a number"):
            read_picture(flat_png(1, 1))


def test_a_header_keeps_the_limits(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(flat_png(1, 64_000_000))
    with pytest.raises(ImageError, match=r"x\.png: 1x64000000, with such a side, is over"):
        picture_header(tmp_path / "x.png")


def test_a_later_page_keeps_the_limits() -> None:
    first = tiff(np.zeros((4, 4), np.uint8), 1, tags={254: ("I", [1])})
    second = tiff(np.zeros((4, 4), np.uint8), 1, tags={256: ("I", [65_536])})
    at = int.from_bytes(second[4:8], "little")
    joined = first[:-4] + (len(first) + at).to_bytes(4, "little") + second
    assert "65536x4, with such a side, is over the limit" in refused(joined)


def test_scans_are_bounded() -> None:
    assert read_picture(jpeg(scans=100)).pixels.shape == (16, 16, 1)
    assert "x: a JPEG file of more than 100 scans; save it anew" in refused(jpeg(scans=101))
    began = time.perf_counter()
    refused(jpeg(scans=50_000))
    assert time.perf_counter() - began < 1


def test_what_follows_a_jpeg_file_is_not_counted() -> None:
    assert read_picture(jpeg(scans=9) + b"\xff\xda\0\0" * 1000).pixels.max() == 99


@pytest.mark.parametrize("filler", [b"\0", b"\xff\xe0\0\2", b"\xff", b"\xff\0", b"\xff\xda\0\0"])
def test_what_is_beside_a_jpeg_picture_is_bounded(filler: bytes) -> None:
    whole, began = jpeg(scans=9), time.perf_counter()
    message = refused(whole[:2] + filler * (10_000_000 // len(filler)) + whole[2:])
    assert "JPEG file" in message
    assert time.perf_counter() - began < 2


def test_a_tiff_of_reduced_pages_without_end_is_bounded() -> None:
    page = tiff(np.zeros((4, 4), np.uint8), 1, tags={254: ("I", [1])})
    at = int.from_bytes(page[4:8], "little")
    directory, content = page[at:-4], page[:at]
    for _ in range(1000):
        content += directory + (len(content) + len(directory) + 4).to_bytes(4, "little")
    assert "holds a reduced image alone" in refused(content + directory + bytes(4))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    (tmp_path / "y.png").symlink_to("/dev/zero")
    for name in ("x.png", "y.png"):
        with pytest.raises(ImageError, match=f"{name}: not a regular file"):
            read_picture(tmp_path / name)


def test_a_file_of_any_length_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.jpg").open("wb") as file:
        file.truncate(opening._MAX_BYTES + 1)
    with pytest.raises(ImageError, match="larger than 2,000,000,000 bytes"):
        read_picture(tmp_path / "x.jpg")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "gif", "bmp", "webp", "ppm", "jp2"])
def test_whatever_is_damaged_is_an_image_error(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(0)
    path = tmp_path / f"x.{ending}"
    Image.fromarray(noise.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    for _ in range(60):
        content = bytearray(whole)
        for at in noise.integers(0, min(len(whole), 400), 3):
            content[at] = noise.integers(0, 256)
        try:
            picture = read_picture(bytes(content[: noise.integers(1, len(whole) + 1)]), name="x")
        except ImageError as error:
            assert str(error).startswith("x: ")  # noqa: PT017 - either is in order
        else:
            assert picture.pixels.dtype == np.uint8
