"""Curves as SVG, drawn with the standard library."""

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 40
_TICKS = 4


def curves(lines: Mapping[str, Points], *, x: str, y: str, falling: bool = False) -> Element:
    """Draw curves over one pair of axes; y is logarithmic where it spans two decades.

    Args:
        lines: points by what the legend says; at least one point is finite.
        x: what is on the horizontal axis.
        y: what is on the vertical axis.
        falling: x falls from left to right, as t does in sampling.

    Returns:
        An `svg` element whose lines have the classes `line-0`, `line-1` and so on.
    """
    finite = {
        name: [(a, b) for a, b in points if math.isfinite(a) and math.isfinite(b)]
        for name, points in lines.items()
    }
    xs = [a for points in finite.values() for a, _ in points]
    ys = [b for points in finite.values() for _, b in points]
    logarithmic = min(ys) > 0 and max(ys) > 100 * min(ys)
    across = _Axis(min(xs), max(xs), (_LEFT, _WIDTH - _RIGHT), falling=falling)
    up = _Axis(
        min(ys) if logarithmic else min(0.0, *ys),
        max(ys),
        (_HEIGHT - _BOTTOM, _TOP),
        logarithmic=logarithmic,
    )
    svg = Element("svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img")
    SubElement(svg, "title").text = f"{y} over {x}"
    for value in up.ticks():
        height = f"{up(value):.1f}"
        SubElement(
            svg, "line", {"class": "grid", "x1": f"{_LEFT}", "x2": f"{_WIDTH - _RIGHT}"}
        ).attrib.update(y1=height, y2=height)
        _text(svg, f"{value:.3g}", _LEFT - 6, up(value) + 4, "end")
    for value in across.ticks():
        _text(svg, f"{value:g}", across(value), _HEIGHT - _BOTTOM + 16, "middle")
    _text(svg, x, (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, "middle")
    for k, (name, points) in enumerate(finite.items()):
        path = " ".join(f"{across(a):.1f},{up(b):.1f}" for a, b in points)
        SubElement(svg, "polyline", {"class": f"line-{k}", "points": path})
        if len(finite) > 1:
            side = (_LEFT + 8, "start") if falling else (_WIDTH - _RIGHT - 8, "end")
            _text(svg, name, side[0], _TOP + 16 + 16 * k, side[1], f"label-{k}")
    return svg


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
        self._low, self._high = low, high if high > low else low + 1
        self._places = places[::-1] if falling else places

    def __call__(self, value: float) -> float:
        low, high = self._scale(self._low), self._scale(self._high)
        start, end = self._places
        return start + (self._scale(value) - low) / (high - low) * (end - start)

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


def _text(svg: Element, text: str, x: float, y: float, anchor: str, kind: str = "") -> None:
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    SubElement(svg, "text", attributes | ({"class": kind} if kind else {})).text = text
