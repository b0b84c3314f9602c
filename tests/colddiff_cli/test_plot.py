"""Curves, as SVG and as characters."""

import math
from xml.etree.ElementTree import Element, fromstring

import pytest

from colddiff_cli.plot import curves, terminal_plot

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> Element:
    return fromstring(text)  # noqa: S314 - our own


def places(text: str, k: int) -> list[tuple[float, float]]:
    line = parsed(text).find(f"{SVG}polyline[@class='line-{k}']")
    assert line is not None
    points = [point.split(",") for point in line.get("points", "").split()]
    return [(float(x), float(y)) for x, y in points]


def test_a_curve_goes_where_its_points_say() -> None:
    svg = curves({"a": [(0, 0), (5, 1), (10, 2)]}, x="step", y="loss")
    (x0, y0), (x1, y1), (x2, y2) = places(svg, 0)
    assert x0 < x1 < x2
    assert y0 > y1 > y2  # SVG counts from the top
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.2)


def test_time_falls_and_two_curves_have_names() -> None:
    svg = curves({"one": [(2, 0), (0, 1)], "two": [(2, 0), (0, 3)]}, x="t", y="e", falling=True)
    assert places(svg, 0)[0][0] < places(svg, 0)[1][0]
    assert places(svg, 1)[1][1] < places(svg, 0)[1][1]
    texts = {element.text for element in parsed(svg).iter(f"{SVG}text")}
    assert {"one", "two", "t", "0", "1", "2"} <= texts


def test_wide_ranges_are_logarithmic_and_odd_points_are_left_out() -> None:
    svg = curves({"a": [(0, 1e-4), (1, 1e-2), (2, 1), (3, math.nan)]}, x="x", y="y")
    (_, top), (_, middle), (_, bottom) = places(svg, 0)
    assert top - middle == pytest.approx(middle - bottom, abs=0.2)
    assert places(curves({"a": [(1, 0.5)]}, x="x", y="y"), 0)


def test_names_are_escaped_and_nothing_is_drawn_of_nothing() -> None:
    svg = curves({"<b>&": [(1e300, 1e300)]}, x="<i>", y='"')
    assert "<b>" not in svg
    assert len(places(svg, 0)) == 1
    assert not curves({"a": [(0, math.nan)]}, x="x", y="y")


def dots(line: str) -> set[tuple[int, int]]:
    """(column, row) of the braille dots of a line, from its top left."""
    bits = {0: (0, 0), 1: (0, 1), 2: (0, 2), 3: (1, 0), 4: (1, 1), 5: (1, 2), 6: (0, 3), 7: (1, 3)}
    cells = enumerate(line.split("┤")[1])
    return {
        (2 * k + column, row)
        for k, cell in cells
        for bit, (column, row) in bits.items()
        if ord(cell) - 0x2800 >> bit & 1
    }


def test_an_exponential_fall_is_a_straight_line_from_corner_to_corner() -> None:
    falling = terminal_plot([(0, 1.0), (50, 0.1), (100, 0.01)], width=10, height=3)
    assert [line.split("┤")[0].strip() for line in falling[:3]] == ["1", "", "0.01"]
    assert falling[4].split() == ["0", "100"]
    drawn = {(x, y + 4 * k) for k in range(3) for x, y in dots(falling[k])}
    assert {x for x, _ in drawn} == set(range(20))
    assert all(abs(y - x * 11 / 19) <= 1.5 for x, y in drawn)
    (flat, *_) = terminal_plot([(3, 0.0)], width=5, height=1)
    assert flat.startswith("0 ┤")
    assert len(dots(flat)) == 1
