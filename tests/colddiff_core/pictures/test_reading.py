"""Picture files read, and what of them is not in the pixels."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colddiff_core.contracts.errors import ImageError
from colddiff_core.pictures.reading import (
    picture_header,
    read_image,
    read_mask,
    read_picture,
)

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 13


def save(path: Path, array: np.ndarray, mode: str | None = None) -> Path:
    picture = Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path)
    return path


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)]
)
def test_channels_are_those_of_the_file(tmp_path: Path, mode: str, channels: int) -> None:
    path = save(tmp_path / "x.png", RGB, mode)
    assert read_picture(path).pixels.shape == (2, 3, channels)
    assert picture_header(path).channels == channels
    assert read_picture(path, 1).pixels.shape == (2, 3, 1)
    assert read_picture(path, 3).pixels.shape == (2, 3, 3)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "webp"])
@pytest.mark.parametrize("orientation", range(10))  # 1 to 8 mean something
def test_a_picture_is_turned_upright(tmp_path: Path, orientation: int, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"x.{ending}"
    Image.fromarray(RGB.repeat(8, 0).repeat(8, 1)).save(path, exif=exif)
    header, pixels = picture_header(path), read_picture(path).pixels
    assert (header.height, header.width, header.channels) == pixels.shape
    assert (header.height > header.width) == (orientation in (5, 6, 7, 8))


def test_a_header_is_read_without_decoding(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", RGB.repeat(50, 0).repeat(50, 1))
    path.write_bytes(path.read_bytes()[:80])
    header = picture_header(path)
    assert (header.format, header.height, header.width, header.channels) == ("PNG", 100, 150, 3)
    with pytest.raises(ImageError, match="cannot be decoded"):
        read_picture(path)


def test_content_is_decoded_as_a_file_is(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", RGB)
    assert np.array_equal(read_picture(path.read_bytes(), 3, name="x").pixels, RGB)
    with pytest.raises(ImageError, match=r"^row 7: not a picture that can be read$"):
        read_picture(b"hello", name="row 7")


def test_alpha_is_beside_the_pixels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    alpha = np.uint8([[0, 9, 255], [255, 255, 255]])
    path = save(tmp_path / "x.png", np.dstack([RGB, alpha]))
    picture = read_picture(path)
    assert np.array_equal(picture.pixels, RGB)
    assert np.array_equal(picture.alpha, alpha)
    assert picture.notes == ("transparency is not kept: what is under it is taken as opaque",)
    assert np.array_equal(read_image(path), RGB)
    assert caplog.messages == [f"{path}: {picture.notes[0]}"]
    opaque = read_picture(save(path, np.dstack([RGB, alpha | 255])))
    assert (opaque.alpha, opaque.notes) == (None, ())


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_more_pages_or_frames_are_said(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("L", (8, 8), tone) for tone in (0, 200)]
    frames[0].save(tmp_path / f"x.{ending}", save_all=True, append_images=frames[1:])
    picture = read_picture(tmp_path / f"x.{ending}")
    assert picture.pixels.max() == 0
    assert picture.notes == ("the first of its pages or frames is read alone",)
    frames[0].save(tmp_path / f"y.{ending}")
    assert read_picture(tmp_path / f"y.{ending}").notes == ()


def pages(*kinds: int) -> bytes:
    """A TIFF file of pages of tones 0, 1, …; bit 0 of a kind says that it is a reduced image."""
    buffer = io.BytesIO()
    first, *others = [Image.new("L", (8 + tone, 8), tone) for tone in range(len(kinds))]
    for picture, kind in zip([first, *others], kinds, strict=True):
        picture.encoderinfo = {"tiffinfo": {254: kind}}
    first.save(buffer, "TIFF", save_all=True, append_images=others, tiffinfo={254: kinds[0]})
    return buffer.getvalue()


def test_the_full_page_is_read_and_not_its_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(pages(1, 4, 0))  # 4 is a mask
    picture = read_picture(tmp_path / "x.tif")
    assert picture.pixels.shape == (8, 10, 1)
    assert picture.pixels.max() == 2
    assert picture.notes == ("page 3 is read; those before it are reduced images",)
    assert picture_header(tmp_path / "x.tif").width == 10
    with pytest.raises(ImageError, match="x: holds a reduced image alone"):
        read_picture(pages(1), name="x")


def test_a_colour_profile_is_said(shared: Path, tmp_path: Path) -> None:
    from PIL import ImageCms

    wide = (shared / "cases/wide-gamut.icc").read_bytes()
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile, notes in {wide: 1, usual: 0}.items():
        Image.fromarray(RGB).save(tmp_path / "x.png", icc_profile=profile)
        assert len(read_picture(tmp_path / "x.png").notes) == notes


def test_a_mask_is_white_or_what_is_opaque(tmp_path: Path) -> None:
    expected = np.zeros((4, 6, 1), np.uint8)
    expected[1:3, 2:5] = 255
    path = tmp_path / "x.png"
    for mode in ("L", "1", "RGB", "P"):
        Image.fromarray(expected[:, :, 0]).convert(mode).save(path)
        assert np.array_equal(read_mask(path), expected)
    for colour in ([255, 255, 255], [0, 0, 0], [200, 0, 0]):
        brush = np.broadcast_to(np.uint8(colour), (4, 6, 3))
        assert np.array_equal(read_mask(save(path, np.dstack([brush, expected]))), expected)
    opaque = np.dstack([np.broadcast_to(expected, (4, 6, 3)), np.full((4, 6), 255, np.uint8)])
    assert np.array_equal(read_mask(save(path, opaque)), expected)


def test_a_mask_that_says_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for tone, what in {0: "all black", 252: "all white", 3: "all black", 99: "all grey"}.items():
        with pytest.raises(ImageError, match=rf"x\.png: is {what}; white marks what is missing"):
            read_mask(save(path, np.uint8([[tone, tone + 3]])))
    hole = np.dstack([RGB, np.uint8([[0, 255, 255], [255, 255, 255]])])
    with pytest.raises(ImageError, match="of several colours elsewhere; a mask is white"):
        read_mask(save(path, hole))


def test_what_is_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    Image.fromarray(RGB.repeat(50, 0).repeat(50, 1)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    (tmp_path / "page.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    for name, message in {
        "missing.png": "no such file",
        "text.png": "not a picture",
        "cut.png": "cannot be decoded",
        "page.eps": "not a picture",
        ".": "a folder",
    }.items():
        with pytest.raises(ImageError, match=message) as caught:
            read_picture(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_nothing_is_logged_of_an_ordinary_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "colddiff_core")
    read_image(save(tmp_path / "x.png", RGB))
    assert caplog.messages == []
