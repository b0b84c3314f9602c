"""Picture files that Pillow does not write."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

Tags = Mapping[int, tuple[str, Sequence[Any]]]


def tiff(
    array: np.ndarray,
    photometric: int,
    *,
    order: str = "<",
    planes: bool = False,
    deflate: bool = False,
    tags: Tags | None = None,
) -> bytes:
    """A TIFF file of one page.

    Args:
        array: (H, W) or (H, W, C), its numbers as they are stored.
        photometric: 0 white is zero, 1 black is zero, 2 RGB, 5 CMYK.
        order: of the bytes.
        planes: store plane by plane.
        deflate: compress.
        tags: more of them: the type, as `struct` has it, and the values.
    """
    height, width, count = (*array.shape, 1)[:3]
    stored = array.reshape(height, width, count).astype(array.dtype.newbyteorder(order))
    strips = [stored[:, :, k] for k in range(count)] if planes else [stored]
    contents = [zlib.compress(s.tobytes()) if deflate else s.tobytes() for s in strips]
    kind = {"u": 1, "i": 2, "f": 3}[array.dtype.kind]
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0)
    places = [8 + sum(map(len, contents[:k])) for k in range(len(contents))]
    directory = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [array.dtype.itemsize * 8] * count),
        259: ("H", [8 if deflate else 1]),
        262: ("H", [photometric]),
        273: ("I", places),
        277: ("H", [count]),
        278: ("I", [height]),
        279: ("I", list(map(len, contents))),
        284: ("H", [2 if planes else 1]),
        339: ("H", [kind] * count),
        **(tags or {}),
    }
    out = bytearray(start + b"".join(contents))
    entries = []
    for tag, (letter, values) in sorted(directory.items()):
        value = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(value) > 4:
            value, out = struct.pack(order + "I", len(out)), out + value
        code = {"H": 3, "I": 4, "f": 11, "d": 12}[letter]
        entries.append(struct.pack(order + "HHI", tag, code, len(values)) + value.ljust(4, b"\0"))
    struct.pack_into(order + "I", out, 4, len(out))
    return bytes(out + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4))


def png16(array: np.ndarray, transparent: Sequence[int] = ()) -> bytes:
    """A PNG file of 16 bits a channel.

    Args:
        array: (H, W, C) uint16 of 1 to 4 channels.
        transparent: the colour that is transparent.
    """
    height, width, count = array.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    more = {b"tRNS": struct.pack(f">{len(transparent)}H", *transparent)} if transparent else {}
    return _png(width, height, 16, colour, more | {b"IDAT": zlib.compress(rows)})


def flat_png(width: int, height: int) -> bytes:
    """A PNG file that says it is of this size and holds one row."""
    row = zlib.compress(bytes(1 + (width + 7) // 8))
    return _png(width, height, 1, 0, {b"IDAT": row})


def _png(width: int, height: int, bits: int, colour: int, chunks: dict[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in ({b"IHDR": header} | chunks | {b"IEND": b""}).items()
    )


def jpeg(scans: int) -> bytes:
    """A progressive JPEG file of 16x16, whose last scan is repeated."""
    buffer = io.BytesIO()
    Image.new("L", (16, 16), 99).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last, count = content.rindex(b"\xff\xda"), content.count(b"\xff\xda")
    return content[:last] + content[last:-2] * (scans - count + 1) + content[-2:]
