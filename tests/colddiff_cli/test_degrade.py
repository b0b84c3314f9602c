"""`colddiff degrade`: strips and animations, without a model."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colddiff_cli.main import main
from colddiff_core.pictures.reading import read_image


@pytest.fixture
def degrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Run the command in a folder with pictures; stdout if it succeeds, else stderr."""
    rng = np.random.default_rng(0)
    for name, width, mode in (
        ("a", 16, "RGB"),
        ("b", 16, "RGB"),
        ("grey", 16, "L"),
        ("wide", 20, "RGB"),
    ):
        blotches = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8)).convert(mode)
        blotches.resize((width, 16)).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)

    def run(arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["colddiff", "degrade", *arguments.split(" ")])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return err if end.value.code else out

    return run


def cells(path: str, rows: int, columns: int) -> np.ndarray:
    """(rows, columns, 16, 16, 3) of a strip whose pictures are 2 pixels apart."""
    sheet = np.pad(read_image(Path(path), 3), ((0, 2), (0, 2), (0, 0)))
    assert sheet.shape == (rows * 18, columns * 18, 3)
    split = sheet.reshape(rows, 18, columns, 18, 3).swapaxes(1, 2)
    return split[:, :, :16, :16]


def test_a_strip_has_a_row_for_each_picture(degrade: Callable[[str], str]) -> None:
    assert degrade("desaturate a.png b.png -o x.png --columns 3") == "x.png\n"
    strip = cells("x.png", 2, 3)
    for row, name in zip(strip, ("a.png", "b.png"), strict=True):
        assert np.array_equal(row[0], read_image(Path(name)))
        assert np.ptp(row[-1].astype(int), axis=-1).max() == 0


def test_pictures_turn_into_the_endpoint(degrade: Callable[[str], str]) -> None:
    degrade("animorph a.png b.png -o x.png --columns 2 --endpoint b.png")
    (a, end_of_a), (b, end_of_b) = cells("x.png", 2, 2)
    assert np.array_equal(a, read_image(Path("a.png")))
    assert np.array_equal(end_of_a, b)
    assert np.array_equal(end_of_b, b)
    assert "desaturate does not turn pictures into another one" in degrade(
        "desaturate a.png -o y.png --endpoint b.png"
    )


def test_a_seed_says_what_is_drawn(degrade: Callable[[str], str]) -> None:
    for name, options in {"x": "", "y": " --seed 0", "z": " --seed 1"}.items():
        degrade(f"snow a.png b.png -o {name}.png{options}")
    x, y, z = (cells(f"{name}.png", 2, 6) for name in "xyz")
    assert np.array_equal(x, y)
    assert np.array_equal(x[:, 0], z[:, 0])
    assert not np.array_equal(x[:, -1], z[:, -1])


def test_sizes_and_colours_are_brought_together(degrade: Callable[[str], str]) -> None:
    degrade("pixelate a.png grey.png wide.png -o x.png --size 16 --set num_steps=1")
    strip = cells("x.png", 3, 2)
    assert np.array_equal(strip[1, 0], read_image(Path("grey.png"), 3))


@pytest.mark.parametrize(
    ("options", "count"), [("", 5), (" --frames 3", 3), (" --frames 9", 5), (" --frames 2", 2)]
)
@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_goes_from_clean_to_degraded(
    degrade: Callable[[str], str], ending: str, options: str, count: int
) -> None:
    name = f"x.{ending}"
    assert (
        degrade(f"gaussian-mask a.png b.png -o {name} --set num_steps=4 --set std=1{options}")
        == f"{name}\n"
    )
    degrade(
        f"gaussian-mask a.png b.png -o strip.png --set num_steps=4 --set std=1 --columns {count}"
    )
    strip = cells("strip.png", 2, count)
    with Image.open(name) as animation:
        assert (animation.n_frames, animation.size) == (count, (34, 16))
        assert animation.info["loop"] == 0
        for k in range(count):
            animation.seek(k)
            frame = np.asarray(animation.convert("RGB"))
            shown = np.stack([frame[:, :16], frame[:, 18:]]).astype(int)
            errors = np.abs(strip - shown[:, None]).mean((0, 2, 3, 4))
            assert errors.argmin() == k
            assert errors[k] < 8


def test_an_animation_has_fifty_frames_at_most_and_waits_at_both_ends(
    degrade: Callable[[str], str],
) -> None:
    degrade("gaussian-noise a.png -o x.GIF")
    with Image.open("x.GIF") as animation:
        shown = []
        for k in range(animation.n_frames):
            animation.seek(k)
            shown.append(animation.info["duration"])
    assert shown == [800, *[50] * 48, 800]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("snow a.png -o x.jpg", "-o x.jpg: expected a name that ends in .png, .gif or .webp"),
        ("snow a.png -o x", "-o x: expected a name that ends in .png, .gif or .webp"),
        ("snow a.png -o x.png --frames 3", "--frames: x.png is a strip, which has --columns"),
        ("snow a.png -o x.gif --columns 3", "--columns: x.gif is an animation, which has --frames"),
        (
            "snow a.png wide.png -o x.png",
            "wide.png: is 16x20 (height x width), a.png is 16x16; --size brings them to one size",
        ),
        ("snow a.png b.png -o b.png", "b.png would be overwritten; name another file with -o"),
        ("snow a.png c.png -o x.png", "c.png: no such file"),
        (
            "desaturate grey.png -o x.png",
            "expected colour images, 2 channels or more, got 1",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(
    degrade: Callable[[str], str], arguments: str, message: str
) -> None:
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert degrade(arguments) == f"colddiff: error: {message}\n"
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
