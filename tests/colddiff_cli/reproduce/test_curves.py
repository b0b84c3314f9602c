"""Curves as SVG."""

import math

import pytest

from colddiff_cli.reproduce.curves import curves


def places(svg: object, k: int) -> list[tuple[float, float]]:
    line = svg.find(f"polyline[@class='line-{k}']")  # type: ignore[attr-defined]
    return [tuple(map(float, point.split(","))) for point in line.get("points").split()]


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
    texts = {element.text for element in svg.iter("text")}
    assert {"one", "two", "t", "0", "1", "2"} <= texts


def test_wide_ranges_are_logarithmic_and_odd_points_are_left_out() -> None:
    svg = curves({"a": [(0, 1e-4), (1, 1e-2), (2, 1), (3, math.nan)]}, x="x", y="y")
    (_, top), (_, middle), (_, bottom) = places(svg, 0)
    assert top - middle == pytest.approx(middle - bottom, abs=0.2)
    assert places(curves({"a": [(1, 0.5)]}, x="x", y="y"), 0)
