"""A curve as characters for a terminal, and as a picture."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of the dots of a braille character (U+2800): two columns of four, from the top."""

_INK = "#1f5fbf"

Points = Sequence[tuple[float, float]]
"""(x, y) with increasing x, all finite."""


def terminal_plot(points: Points, *, width: int = 60, height: int = 12) -> list[str]:
    """Draw a curve in braille dots; y is logarithmic where all of it is positive.

    Args:
        points: at least one.
        width: of the drawing in characters, without the labels.
        height: in lines, without the labels.

    Returns:
        Lines of text, with the largest and smallest y at the left and x below.
    """
    places = _scaled(points, 2 * width - 1, 4 * height - 1)
    cells = [[0] * width for _ in range(height)]
    for x, y in _joined(places):
        cells[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
    ys = [y for _, y in points]
    top, bottom = f"{max(ys):.4g}", f"{min(ys):.4g}"
    margin = max(len(top), len(bottom))
    labels = [top, *[""] * (height - 2), bottom] if height > 1 else [top]
    first, last = f"{points[0][0]:g}", f"{points[-1][0]:g}"
    return [
        *(
            f"{label:>{margin}} ┤" + "".join(chr(0x2800 + cell) for cell in row)
            for label, row in zip(labels, cells, strict=True)
        ),
        " " * margin + " └" + "─" * width,
        " " * (margin + 2) + first + last.rjust(width - len(first)),
    ]


def write_plot(path: Path, points: Points, *, title: str, width: int = 800) -> None:
    """Write a curve as a PNG file, whole or not at all; y as in `terminal_plot`.

    Raises:
        UsageError: the name does not end in .png, or it cannot be written.
    """
    from io import BytesIO

    from PIL import Image, ImageDraw

    from colddiff_core.contracts.errors import UsageError
    from colddiff_core.disk import write_atomically

    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: expected a name that ends in .png")
    height, left, top, below = width // 2, width // 10, width // 20, width // 16
    inner_width, inner_height = width - left - top, height - top - below
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, top, left + inner_width, top + inner_height), outline="#888888")
    places = [(left + x, top + y) for x, y in _scaled(points, inner_width - 1, inner_height - 1)]
    draw.line(places, fill=_INK, width=2)
    for x, y in places if len(places) == 1 else []:  # a line of one point would not be seen
        draw.rectangle((x - 1, y - 1, x + 1, y + 1), fill=_INK)
    ys = [y for _, y in points]
    draw.text((left, top // 4), title, fill="black")
    draw.text((4, top), f"{max(ys):.4g}", fill="black")
    draw.text((4, top + inner_height - 10), f"{min(ys):.4g}", fill="black")
    draw.text((left, top + inner_height + 4), f"{points[0][0]:g}", fill="black")
    last = f"{points[-1][0]:g}"
    draw.text(
        (left + inner_width - draw.textlength(last), top + inner_height + 4), last, fill="black"
    )
    buffer = BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    write_atomically(path, buffer.getvalue())


def _scaled(points: Points, right: int, bottom: int) -> list[tuple[int, int]]:
    """Whole positions from the top left corner."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if min(ys) > 0:
        ys = [math.log(y) for y in ys]
    return [
        (_position(x, min(xs), max(xs), right), bottom - _position(y, min(ys), max(ys), bottom))
        for x, y in zip(xs, ys, strict=True)
    ]


def _position(value: float, low: float, high: float, length: int) -> int:
    return round((value - low) / (high - low) * length) if high > low else length // 2


def _joined(places: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The places and straight lines between neighbours."""
    dots = set(places)
    for (x, y), (right, down) in itertools.pairwise(places):
        count = max(abs(right - x), abs(down - y))
        for k in range(1, count):
            dots.add((round(x + (right - x) * k / count), round(y + (down - y) * k / count)))
    return dots
