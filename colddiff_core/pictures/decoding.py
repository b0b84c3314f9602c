"""What the numbers of a picture file mean: from black, 0, to white, 255.

It is taken from what the file says of itself (bits, sample format, photometric interpretation,
range), never from what Pillow calls the result of decoding it. Pillow holds 16 bits in grey
pictures alone; of coloured ones it gives the first or the second byte of each number, as it is
told, so that these are decoded twice.
"""

import sys
from collections.abc import Iterator
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from colddiff_core.contracts.errors import ImageError
from colddiff_core.pictures.batches import Pixels
from colddiff_core.pictures.opening import CONVERT, described, identified

Alpha = NDArray[np.uint8]
"""(H, W) uint8, 0 where a picture is transparent, 255 where it is opaque."""

_BITS, _PHOTOMETRIC, _PLANAR, _EXTRA, _KIND, _SUBSAMPLING = 258, 262, 284, 338, 339, 530
_LOWEST, _HIGHEST = 340, 341
_UNSIGNED, _WHITE_IS_ZERO, _IN_PLANES = 1, 0, 2
_GREY = {"1", "L", "LA", "La"}
_GREY_ALPHA = "LA;16B"  # which Pillow would make coloured


def decoded(picture: ImageFile) -> tuple[Pixels, Alpha | None]:
    """Decode an opened picture, upright.

    Returns:
        Its pixels, grey or colour as the file has them, and its alpha channel, if it has one.

    Raises:
        ImageError: the file does not say what its numbers mean.
    """
    check_numbers(picture)
    if picture.tile and picture.tile[0].codec_name == "ppm" and picture.mode in ("L", "I", "RGB"):
        return _portable(picture), None
    if picture.mode[0] in "IF":
        return _deep_grey(picture)
    if _is_deep(picture):
        return _deep_colour(picture)
    return _eight_bits(picture)


def check_numbers(picture: ImageFile) -> None:
    """Refuse a picture whose numbers might mean anything.

    Raises:
        ImageError: what they are, and what to convert them to.
    """
    tags = picture.tag_v2 if isinstance(picture, TiffImageFile) else None
    if _stated_range(picture) is None:
        what = described(tags) if tags else "floating-point numbers"
        raise ImageError(f"{what} whose range the file does not say; {CONVERT}")
    packed = bool(picture.tile) and picture.tile[0].codec_name == "libtiff"
    if tags and not packed:
        planes = len(picture.getbands()) if tags.get(_PLANAR) == _IN_PLANES else 1
        boxes = [tile.extents or (0, 0, 0, 0) for tile in picture.tile]
        covered = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes)
        if covered < planes * picture.width * picture.height:
            raise ImageError("cannot be decoded: the file does not say where all of it lies")
    if tags and picture.mode == "YCbCr" and not packed and tags.get(_SUBSAMPLING) != (1, 1):
        raise ImageError(f"uncompressed YCbCr with subsampled colours is not read; {CONVERT}")
    if tags and packed and tags.get(_PLANAR) == _IN_PLANES and _is_deep(picture):
        raise ImageError(f"16 bits stored plane by plane, compressed, are not read; {CONVERT}")


def is_grey(picture: ImageFile) -> bool:
    """Whether `decoded` gives one channel; a palette is decoded to see."""
    if picture.mode in ("P", "PA"):
        return decoded(picture)[0].shape[2:] == (1,)
    deep = picture.mode[0] in "IF" or _raw_mode(picture) == _GREY_ALPHA
    return deep or picture.mode in _GREY


def losses(picture: ImageFile) -> Iterator[str]:
    """What of the file's channels is not in what `decoded` gives."""
    if picture.mode == "CMYK":
        yield "CMYK inks are converted to RGB by a simple formula"
    if isinstance(picture, TiffImageFile) and 0 in picture.tag_v2.get(_EXTRA, ()):
        yield "an extra channel of no stated meaning is not read"


def _stated_range(picture: ImageFile) -> tuple[float, float] | None:
    """The numbers that mean black and white."""
    if not isinstance(picture, TiffImageFile):  # Pillow brings the others to 8 or 16 bits
        return None if picture.mode == "F" else (0, 65535)
    tags = picture.tag_v2
    if _kind(picture) == _UNSIGNED and _bits(picture) <= 16:
        black, white = 0.0, 2.0 ** _bits(picture) - 1
    elif _bits(picture) > 8 and _LOWEST in tags and _HIGHEST in tags:  # of 8, signs are lost
        black, white = (float(np.ravel(tags[tag])[0]) for tag in (_LOWEST, _HIGHEST))
    else:
        return None
    if not (np.isfinite([black, white]).all() and black < white):
        return None
    return (white, black) if tags.get(_PHOTOMETRIC, 0) == _WHITE_IS_ZERO else (black, white)


def _deep_grey(picture: ImageFile) -> tuple[Pixels, Alpha | None]:
    black, white = _stated_range(picture) or (0, 65535)
    key = picture.info.get("transparency")
    values: NDArray[Any] = np.asarray(_upright(picture))
    if not isinstance(picture, TiffImageFile):
        values = values.astype(np.uint16)
    elif values.dtype == np.int32 and _kind(picture) == _UNSIGNED:
        values = values.view(np.uint32)
    alpha = None if key is None else _alpha_of(key, values[:, :, None])
    return _levels(values, black, white)[:, :, None], alpha


def _deep_colour(picture: ImageFile) -> tuple[Pixels, Alpha | None]:
    raw, mode, key = _raw_mode(picture), picture.mode, picture.info.get("transparency")
    if raw == _GREY_ALPHA:
        values = _decoded_as(picture, "RGBA").view(">u2")  # two numbers of two bytes each
        colours = 1
    else:
        values, colours = _both_bytes(picture), 4 if mode == "CMYK" else 3
    pixels, alpha = values[:, :, :colours], values[:, :, colours:]
    if raw.startswith("RGBa"):  # multiplied by alpha
        pixels = np.minimum(pixels / np.maximum(alpha, 1) * 65535, 65535).astype(np.uint16)
    levels = _levels(pixels, 0, 65535)
    if mode == "CMYK":
        levels = np.asarray(Image.fromarray(levels, "CMYK").convert("RGB"))
    if key is not None:
        return levels, _alpha_of(key, pixels)
    return levels, _levels(alpha[:, :, 0], 0, 65535) if alpha.size else None


def _both_bytes(picture: ImageFile) -> NDArray[np.uint16]:
    """(H, W, bands) of a picture of 16 bits a channel, decoded once for each byte."""
    file, page = cast("IO[bytes]", picture.fp), picture.tell()  # closed once it is decoded
    big = picture.format == "PNG"
    if isinstance(picture, TiffImageFile):
        by_libtiff = picture.tile[0].codec_name == "libtiff"
        big = sys.byteorder == "big" if by_libtiff else picture.tag_v2.prefix == b"MM"
    first = _decoded_as(picture, "{};16B")
    again = identified(file)
    again.seek(page)
    second = _decoded_as(again, "{};16L")
    both = np.stack([first, second], axis=-1).view(">u2" if big else "<u2")
    return both[..., 0].astype(np.uint16)


def _decoded_as(picture: ImageFile, raw: str) -> NDArray[np.uint8]:
    """Decode with another arrangement of the bytes; `{}` in it stands for the bands."""
    for k, tile in enumerate(picture.tile):
        before, *others = _args(tile)
        bands = before.partition(";")[0].replace("a", "A")
        picture.tile[k] = tile._replace(args=(raw.format(bands), *others))
    return np.asarray(_upright(picture))


def _portable(picture: ImageFile) -> Pixels:
    """Of a PGM or PPM file whose white is another number than 255; Pillow takes minutes."""
    tile, file = picture.tile[0], cast("IO[bytes]", picture.fp)
    mode, white = _args(tile)
    shape = (picture.height, picture.width, 3 if mode == "RGB" else 1)
    file.seek(tile.offset)
    kind = np.dtype(np.uint8 if white < 256 else ">u2")
    content = file.read(int(np.prod(shape)) * kind.itemsize)
    if len(content) < np.prod(shape) * kind.itemsize:
        raise ImageError("cannot be decoded: the file is truncated")
    return _levels(np.frombuffer(content, kind).reshape(shape), 0, white)


def _eight_bits(picture: ImageFile) -> tuple[Pixels, Alpha | None]:
    palette, transparent = picture.mode in ("P", "PA"), picture.has_transparency_data
    colours = 1 if picture.mode in _GREY else 3
    wanted = ("L" if colours == 1 else "RGB") + "A" * transparent
    array = np.asarray(_upright(picture).convert(wanted))
    array = array.reshape(picture.height, picture.width, -1)
    pixels, alpha = array[:, :, :colours], array[:, :, -1] if transparent else None
    if palette and (pixels == pixels[:, :, :1]).all():  # what optimisers make of grey pictures, too
        pixels = pixels[:, :, :1]
    return np.ascontiguousarray(pixels), alpha


def _upright(picture: ImageFile) -> Image.Image:
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _levels(values: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    """Round to 0 for black, 255 for white, clipping beyond; (...) of any numbers to uint8."""
    if values.dtype.kind == "u" and values.itemsize <= 2:
        return np.take(_levels(np.arange(2.0**16), black, white), values)
    if not np.isfinite(values).all():
        raise ImageError("holds numbers that are none (NaN, or infinite)")
    levels = (values.astype(np.float64) - black) / (white - black) * 255
    rounded: NDArray[np.uint8] = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return rounded


def _alpha_of(key: Any, values: NDArray[Any]) -> Alpha:
    """Of a picture one of whose colours is transparent; from (H, W, C)."""
    return np.where((values == key).all(axis=2), 0, 255).astype(np.uint8)


def _kind(picture: TiffImageFile) -> int:
    return int(picture.tag_v2.get(_KIND, (_UNSIGNED,))[0])


def _bits(picture: TiffImageFile) -> int:
    return int(picture.tag_v2.get(_BITS, (1,))[0])


def _is_deep(picture: ImageFile) -> bool:
    if isinstance(picture, TiffImageFile):
        return _bits(picture) == 16 and picture.mode[0] != "I"
    return picture.format == "PNG" and ";16" in _raw_mode(picture)


def _raw_mode(picture: ImageFile) -> str:
    """How the bytes of the file are arranged, in Pillow's words."""
    return str(_args(picture.tile[0])[0]) if picture.tile else ""


def _args(tile: Any) -> tuple[Any, ...]:
    return tile.args if isinstance(tile.args, tuple) else (tile.args,)
