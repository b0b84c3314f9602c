"""Curves: as characters for a terminal, and as SVG for a page or a file."""

import itertools
import math
from collections.abc import Mapping, Sequence

from colddiff_cli.templates import rendered

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of the dots of a braille character (U+2800): two columns of four, from the top."""

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 628, 18, 260
_TICKS = 4

Points = Sequence[tuple[float, float]]
"""(x, y) with increasing x, all finite."""


def curves(lines: Mapping[str, Points], *, x: str, y: str, falling: bool = False) -> str:
    """Draw curves over one pair of axes; y is logarithmic where it spans two decades.

    Args:
        lines: points by what the legend says; points that are not finite are left out.
        x: what is on the horizontal axis.
        y: what is on the vertical axis.
        falling: x falls from left to right, as t does in sampling.

    Returns:
        An SVG whose lines have the classes `line-0`, `line-1` and so on; nothing where no point
        is finite.
    """
    finite = {
        name: [(a, b) for a, b in points if math.isfinite(a) and math.isfinite(b)]
        for name, points in lines.items()
    }
    xs = [a for points in finite.values() for a, _ in points]
    ys = [b for points in finite.values() for _, b in points]
    if not xs:
        return ""
    logarithmic = min(ys) > 0 and max(ys) > 100 * min(ys)
    return rendered(
        "curves.svg",
        lines=finite,
        x=x,
        y=y,
        falling=falling,
        across=_Axis(min(xs), max(xs), (_LEFT, _RIGHT), falling=falling),
        up=_Axis(
            min(ys) if logarithmic else min(0.0, *ys),
            max(ys),
            (_BOTTOM, _TOP),
            logarithmic=logarithmic,
        ),
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
    )


def terminal_plot(points: Points, *, width: int = 60, height: int = 12) -> list[str]:
    """Draw a curve in braille dots; y is logarithmic where all of it is positive.

    Args:
        points: at least one.
        width: of the drawing in characters, without the labels.
        height: in lines, without the labels.

    Returns:
        Lines of text, with the largest and smallest y at the left and x below.
    """
    xs, ys = zip(*points, strict=True)
    across = _Axis(min(xs), max(xs), (0, 2 * width - 1))
    down = _Axis(min(ys), max(ys), (4 * height - 1, 0), logarithmic=min(ys) > 0)
    places = [(round(across(x)), round(down(y))) for x, y in points]
    cells = [[0] * width for _ in range(height)]
    for x, y in _joined(places):
        cells[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
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


def _joined(places: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The places and straight lines between neighbours."""
    dots = set(places)
    for (x, y), (right, down) in itertools.pairwise(places):
        count = max(abs(right - x), abs(down - y))
        for k in range(1, count):
            dots.add((round(x + (right - x) * k / count), round(y + (down - y) * k / count)))
    return dots


class _Axis:
    """From values to places in the drawing."""

    def __init__(
        self,
        low: float,
        high: float,
        places: tuple[float, float],
        *,
        falling: bool = False,
        logarithmic: bool = False,
    ) -> None:
        self._scale = math.log if logarithmic else float
        self._logarithmic = logarithmic
        self._low, self._high = low, high if high > low else low + (abs(low) or 1.0)
        self._places = places[::-1] if falling else places

    def __call__(self, value: float) -> float:
        low, high = self._scale(self._low), self._scale(self._high)
        start, end = self._places
        return round(start + (self._scale(value) - low) / (high - low) * (end - start), 1)

    def ticks(self) -> list[float]:
        """Round values, in the range."""
        if self._logarithmic:
            decades = range(math.ceil(math.log10(self._low)), 1 + int(math.log10(self._high)) + 1)
            found = [10.0**k for k in decades if self._low <= 10.0**k <= self._high]
            return found or [self._low, self._high]
        step = 10.0 ** math.floor(math.log10((self._high - self._low) / _TICKS))
        while (self._high - self._low) / step > 2 * _TICKS:
            step *= 2 if round(step / 10 ** math.floor(math.log10(step))) in (1, 5) else 2.5
        first = math.ceil(self._low / step)
        return [k * step for k in range(first, int(self._high / step + 1e-9) + 1)]
