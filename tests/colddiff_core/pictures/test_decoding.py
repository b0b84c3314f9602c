"""What the numbers of a picture file mean is taken from what the file says."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import png16, tiff
from PIL import Image, ImageCms

from colddiff_core.contracts.errors import ImageError
from colddiff_core.pictures.reading import Picture, read_picture

DEEP = np.random.default_rng(0).integers(0, 65536, (5, 7, 4), dtype=np.uint16)
DEEP[0, 0], DEEP[0, 1] = 0, 65535
EIGHT = np.rint(DEEP / 257)
UNASSOCIATED, PREMULTIPLIED = ({338: ("H", [kind])} for kind in (2, 1))
RANGE = {340: ("f", [-1.0]), 341: ("f", [3.0])}


def read(content: bytes) -> Picture:
    return read_picture(content, name="x")


def saved(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_sixteen_bits(order: str, deflate: bool) -> None:
    grey, eight = DEEP[:, :, 0], EIGHT[:, :, :1]
    black_is_zero = read(tiff(grey, 1, order=order, deflate=deflate))
    assert np.array_equal(black_is_zero.pixels, eight)
    white_is_zero = read(tiff(grey, 0, order=order, deflate=deflate))
    assert np.array_equal(white_is_zero.pixels, 255 - eight)


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_colour_of_sixteen_bits(order: str, deflate: bool) -> None:
    colour = read(tiff(DEEP[:, :, :3], 2, order=order, deflate=deflate))
    assert np.array_equal(colour.pixels, EIGHT[:, :, :3])
    alpha = read(tiff(DEEP, 2, order=order, deflate=deflate, tags=UNASSOCIATED))
    assert np.array_equal(alpha.pixels, EIGHT[:, :, :3])
    assert np.array_equal(alpha.alpha, EIGHT[:, :, 3])


@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_of_sixteen_bits(order: str) -> None:
    planes = read(tiff(DEEP, 2, order=order, planes=True, tags=UNASSOCIATED))
    assert np.array_equal(planes.pixels, EIGHT[:, :, :3])
    assert np.array_equal(planes.alpha, EIGHT[:, :, 3])
    grey = read(tiff(DEEP[:, :, 0], 1, order=order, planes=True, deflate=True))
    assert np.array_equal(grey.pixels, EIGHT[:, :, :1])
    with pytest.raises(ImageError, match="x: 16 bits stored plane by plane, compressed, are not"):
        read(tiff(DEEP[:, :, :3], 2, order=order, planes=True, deflate=True))


def test_colours_that_are_multiplied_by_alpha() -> None:
    alpha = np.full_like(DEEP[:, :, 3:], 40_000)
    colours = (DEEP[:, :, :3] * (40_000 / 65535)).round().astype(np.uint16)
    found = read(tiff(np.concatenate([colours, alpha], 2), 2, tags=PREMULTIPLIED))
    assert np.abs(found.pixels - EIGHT[:, :, :3]).max() <= 1
    assert found.alpha is not None
    assert (found.alpha == 156).all()


def test_png_of_sixteen_bits() -> None:
    for channels in (1, 2, 3, 4):
        found = read(png16(DEEP[:, :, :channels]))
        colours = 1 if channels < 3 else 3
        assert np.array_equal(found.pixels, EIGHT[:, :, :colours])
        if channels in (2, 4):
            assert np.array_equal(found.alpha, EIGHT[:, :, channels - 1])
    for channels in (1, 3):
        key = DEEP[2, 3, :channels].tolist()
        alpha = read(png16(DEEP[:, :, :channels], key)).alpha
        assert alpha is not None
        assert np.argwhere(alpha == 0).tolist() == [[2, 3]]


def test_ink_of_sixteen_bits() -> None:
    eight = Image.fromarray(EIGHT.astype(np.uint8), "CMYK")
    found = read(tiff(DEEP, 5))
    assert np.array_equal(found.pixels, np.asarray(eight.convert("RGB")))
    assert found.notes == ("CMYK inks are converted to RGB by a simple formula",)


@pytest.mark.parametrize("white", [1, 100, 255, 256, 1023, 65535])
def test_a_portable_map_says_what_white_is(white: int) -> None:
    kind = np.dtype(np.uint8 if white < 256 else ">u2")
    values = np.array([0, white // 3, white], kind)
    expected = np.rint(values / white * 255).astype(int).tolist()
    grey = b"P5\n3 1\n%d\n" % white + values.tobytes()
    colour = b"P6\n3 1\n%d\n" % white + values.repeat(3).tobytes()
    plain = b"P2\n3 1\n%d\n" % white + b" ".join(b"%d" % value for value in values.tolist())
    assert read(grey).pixels.ravel().tolist() == expected
    assert read(colour).pixels.ravel().tolist() == np.repeat(expected, 3).tolist()
    assert np.abs(read(plain).pixels.ravel() - expected).max() <= 1
    if white not in (255, 65535):
        with pytest.raises(ImageError, match="truncated"):
            read(grey[:-1])


@pytest.mark.parametrize("kind", [np.float32, np.int32, np.int16])
def test_a_range_that_the_file_says_is_used(kind: type) -> None:
    values = np.array([[-1, 0, 1, 3, 9]], kind)
    assert read(tiff(values, 1, tags=RANGE)).pixels.ravel().tolist() == [0, 64, 128, 255, 255]
    inverted = read(tiff(values, 0, tags=RANGE)) if kind == np.float32 else None
    assert inverted is None or inverted.pixels.ravel().tolist() == [255, 191, 128, 0, 0]


def test_large_unsigned_numbers_are_not_negative() -> None:
    values = np.array([[0, 2**31, 2**32 - 1]], np.uint32)
    stated = {340: ("I", [0]), 341: ("I", [2**32 - 1])}
    assert read(tiff(values, 1, tags=stated)).pixels.ravel().tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.float32([[0, 1]]), "32 bits, floating-point numbers"),
        (np.int32([[0, 1]]), "32 bits, signed integers"),
        (np.uint32([[0, 1]]), "32 bits, unsigned integers"),
        (np.int16([[0, 1]]), "16 bits, signed integers"),
        (np.int8([[0, 1]]), "8 bits, signed integers"),
        (np.float64([[0, 1]]), "a TIFF of 64 bits, floating-point numbers is not read"),
        (np.float32([[[0, 1, 2]]]), r"a TIFF of 32 \+ 32 \+ 32 bits, floating-point numbers"),
    ],
)
def test_numbers_that_might_mean_anything_are_refused(values: np.ndarray, what: str) -> None:
    photometric = 2 if values.ndim == 3 else 1
    with pytest.raises(ImageError, match=f"^x: {what}.*; convert it to 8 or 16 bits a channel"):
        read(tiff(values, photometric))


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ImageError, match="numbers that are none"):
        read(tiff(np.float32([[0, np.nan]]), 1, tags=RANGE))
    with pytest.raises(ImageError, match="whose range the file does not say"):
        read(tiff(np.float32([[0, 1]]), 1, tags={340: ("f", [1.0]), 341: ("f", [1.0])}))
    with pytest.raises(ImageError, match="floating-point numbers whose range"):
        read(b"Pf\n1 1\n-1.0\n" + np.float32([1]).tobytes())


def test_eight_bits_with_signs_are_refused_whatever_range_they_have() -> None:
    values = np.array([[-128, 127]], np.int8)
    with pytest.raises(ImageError, match="8 bits, signed integers"):
        read_picture(tiff(values, 1, tags={340: ("f", [-128]), 341: ("f", [127])}))


@pytest.mark.parametrize("planes", [False, True])
def test_a_tiff_that_leaves_out_where_parts_of_it_lie_is_refused(planes: bool) -> None:
    values = np.full((4, 4, 3), 200, np.uint8)
    tags = {273: ("I", [8]), 278: ("I", [4 if planes else 2])}
    with pytest.raises(ImageError, match="does not say where all of it lies"):
        read_picture(tiff(values, 2, planes=planes, tags=tags))


def test_few_bits_span_from_black_to_white() -> None:
    ramp = np.arange(16, dtype=np.uint8).reshape(1, 16)
    packed = (ramp[:, ::2] << 4 | ramp[:, 1::2]).astype(np.uint8)
    four = {256: ("I", [16]), 258: ("H", [4])}
    assert read(tiff(packed, 1, tags=four)).pixels.ravel().tolist() == [17 * k for k in range(16)]
    assert read(tiff(packed, 0, tags=four)).pixels.ravel().tolist()[::-1] == [
        17 * k for k in range(16)
    ]
    twelve = {256: ("I", [2]), 258: ("H", [12])}
    values = np.array([[0x80, 0x0F, 0xFF]], np.uint8)  # 0x800 and 0xfff
    assert read(tiff(values, 1, tags=twelve)).pixels.ravel().tolist() == [128, 255]
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert read(saved(bits, format="PNG")).pixels.ravel().tolist() == [0, 255]


def test_other_colour_spaces_become_rgb() -> None:
    colours = Image.fromarray(np.uint8([[[200, 90, 60], [60, 120, 200]]]))
    spaces = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
    lab = ImageCms.profileToProfile(colours, *spaces, outputMode="LAB")
    for picture in (colours.convert("YCbCr"), colours.convert("CMYK"), lab):
        assert picture is not None
        found = read(saved(picture, format="TIFF")).pixels.astype(int)
        assert np.abs(found - np.asarray(colours)).max() <= 3


def test_subsampled_colours_without_compression_are_refused() -> None:
    with pytest.raises(ImageError, match="subsampled"):
        read(tiff(np.zeros((2, 2, 3), np.uint8), 6))


def test_a_palette_with_alpha() -> None:
    picture = Image.fromarray(np.uint8([[0, 1, 2]]), "P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 7, 7, 7])
    found = read(saved(picture, format="PNG", transparency=bytes([255, 128, 0])))
    assert found.pixels[0].tolist() == [[255, 0, 0], [0, 255, 0], [7, 7, 7]]
    assert found.alpha is not None
    assert found.alpha.tolist() == [[255, 128, 0]]
    picture.putpalette([1, 1, 1, 2, 2, 2, 3, 3, 3])
    assert read(saved(picture, format="PNG")).pixels.ravel().tolist() == [1, 2, 3]


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_one_transparent_colour(mode: str) -> None:
    picture = Image.fromarray(np.uint8([[0, 255]])).convert(mode)
    key = (0, 0, 0) if mode == "RGB" else 0
    alpha = read(saved(picture, format="PNG", transparency=key)).alpha
    assert alpha is not None
    assert alpha.tolist() == [[0, 255]]


def test_an_extra_channel_is_said() -> None:
    pixels = np.uint8([[[1, 2, 3, 4]]])
    found = read(tiff(pixels, 2, tags={338: ("H", [0])}))
    assert (found.pixels.tolist(), found.alpha) == ([[[1, 2, 3]]], None)
    assert found.notes == ("an extra channel of no stated meaning is not read",)


def test_the_shared_case(shared: Path) -> None:
    path = shared / "cases/grey16-white-is-zero.tif"
    with Image.open(path) as picture:
        stored = np.asarray(picture)
    expected = np.rint((65535 - stored) / 257)
    assert np.array_equal(read_picture(path).pixels[:, :, 0], expected)
