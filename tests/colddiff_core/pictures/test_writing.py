"""Pictures into files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colddiff_core.contracts.errors import ImageError
from colddiff_core.pictures.reading import read_image
from colddiff_core.pictures.writing import write_animation, write_image

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 13


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    for pixels in (RGB, RGB[:, :, :1]):
        write_image(tmp_path / "x.png", pixels)
        assert np.array_equal(read_image(tmp_path / "x.png"), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", ["gif", "webp", "GIF"])
def test_an_animation_shows_each_frame_for_its_time(
    tmp_path: Path, ending: str, channels: int
) -> None:
    gradient = np.linspace(0, 255, 40 * 30 * channels).astype(np.uint8).reshape(40, 30, channels)
    frames = [gradient, gradient[::-1], 255 - gradient[:, ::-1] // 2]
    path = tmp_path / f"x.{ending}"
    write_animation(path, iter(frames), [300, 50, 200])
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
    write_animation(tmp_path / "x.gif", [grey, grey[::-1]], [50, 50])
    assert np.array_equal(read_image(tmp_path / "x.gif", 1), grey)


def test_an_animation_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    wide = np.zeros((1, 16_384, 1), np.uint8)
    with pytest.raises(ImageError, match=r"16384x1 are too large .* up to 16383 pixels"):
        write_animation(tmp_path / "x.webp", [wide], [50])
    with pytest.raises(ImageError, match=r"expected a name that ends in \.gif or \.webp"):
        write_animation(tmp_path / "x.apng", [wide], [50])
    assert not list(tmp_path.iterdir())
