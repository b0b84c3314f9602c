"""Pictures in and out."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from colddiff_core.contracts.errors import ImageError
from colddiff_core.pictures import images

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 13


def save(path: Path, array: np.ndarray, mode: str | None = None) -> Path:
    picture = Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path)
    return path


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)]
)
def test_channels_are_those_of_the_file(tmp_path: Path, mode: str, channels: int) -> None:
    assert images.read_image(save(tmp_path / "x.png", RGB, mode)).shape == (2, 3, channels)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", np.array([[0, 257, 32896, 65535]], dtype=np.uint16))
    assert images.read_image(path).ravel().tolist() == [0, 1, 128, 255]


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to view
    Image.fromarray(RGB).save(tmp_path / "x.png", exif=exif)
    assert images.read_image(tmp_path / "x.png").shape == (3, 2, 3)


@pytest.mark.parametrize("orientation", range(10))  # 1 to 8 mean something
def test_the_size_is_that_of_the_upright_picture(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / "x.png", exif=exif)
    found = images.image_size(tmp_path / "x.png")
    assert found == images.read_image(tmp_path / "x.png").shape[:2]


def test_the_size_of_what_is_no_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"x\.png: no such file"):
        images.image_size(tmp_path / "x.png")
    (tmp_path / "x.png").write_text("hello")
    with pytest.raises(ImageError, match=r"x\.png: not a picture that can be read"):
        images.image_size(tmp_path / "x.png")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    for pixels in (RGB, RGB[:, :, :1]):
        images.write_image(tmp_path / "x.png", pixels)
        assert np.array_equal(images.read_image(tmp_path / "x.png"), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


@given(st.integers(0, 255))
def test_eight_bits_survive_the_value_range(value: int) -> None:
    pixels = np.full((1, 1, 1), value, dtype=np.uint8)
    batch = images.to_batch([pixels])
    assert batch.dtype == np.float32
    assert -1 <= batch.min() <= batch.max() <= 1
    assert np.array_equal(images.from_batch(batch)[0], pixels)


def test_content_is_decoded_as_a_file_is(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", RGB)
    assert np.array_equal(images.decode_image(path.read_bytes(), "x", 3), RGB)
    with pytest.raises(ImageError, match=r"^row 7: not a picture that can be read$"):
        images.decode_image(b"hello", "row 7")


def test_what_is_out_of_range_is_clipped() -> None:
    batch = np.array([-3.0, 3.0]).reshape(1, 1, 1, 2)
    assert images.from_batch(batch)[0].ravel().tolist() == [0, 255]


def test_fit_covers_and_crops() -> None:
    left_black = np.repeat(np.array([0, 255], np.uint8), 50)[None, :, None].repeat(40, 0)
    fitted = images.fit(left_black, 20, 20)
    assert fitted.shape == (20, 20, 1)
    assert fitted[0, 0] == 0
    assert fitted[0, -1] == 255


def test_a_tile_has_every_picture_where_it_belongs() -> None:
    a, b = np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 9, np.uint8)
    sheet = images.tile([[a, b], [b]], gap=1)
    assert sheet.shape == (5, 5, 1)
    assert sheet[:2, 3:5].tolist() == b.tolist()
    assert sheet[3:, :2].tolist() == b.tolist()
    assert sheet[3:, 3:].min() == 255
    assert images.tile([[b]], zoom=3).shape == (6, 6, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", ["gif", "webp", "GIF"])
def test_an_animation_shows_each_frame_for_its_time(
    tmp_path: Path, ending: str, channels: int
) -> None:
    gradient = np.linspace(0, 255, 40 * 30 * channels).astype(np.uint8).reshape(40, 30, channels)
    frames = [gradient, gradient[::-1], 255 - gradient[:, ::-1] // 2]
    path = tmp_path / f"x.{ending}"
    images.write_animation(path, iter(frames), [300, 50, 200])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    shown = []
    with Image.open(path) as animation:
        assert (animation.n_frames, animation.info["loop"]) == (3, 0)
        for k, frame in enumerate(frames):
            animation.seek(k)
            animation.load()  # WebP knows the time only now
            shown.append(animation.info["duration"])
            pixels = np.asarray(animation.convert("RGB")).astype(int)
            assert np.abs(pixels - frame).mean() < 4
    assert shown == [300, 50, 200]


def test_a_grey_gif_is_exact(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    images.write_animation(tmp_path / "x.gif", [grey, grey[::-1]], [50, 50])
    assert np.array_equal(images.read_image(tmp_path / "x.gif", 1), grey)


def test_an_animation_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    wide = np.zeros((1, 16_384, 1), np.uint8)
    with pytest.raises(ImageError, match=r"16384x1 are too large .* up to 16383 pixels"):
        images.write_animation(tmp_path / "x.webp", [wide], [50])
    with pytest.raises(ImageError, match=r"expected a name that ends in \.gif or \.webp"):
        images.write_animation(tmp_path / "x.apng", [wide], [50])
    assert not list(tmp_path.iterdir())


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
            images.read_image(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 5)
    with pytest.raises(ImageError, match="3x2 is over the limit"):
        images.read_image(save(tmp_path / "x.png", RGB))
