"""`report.html`: everything about a reproduction on one page that needs nothing else."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from colddiff_cli.labels import ROWS
from colddiff_cli.plot import curves
from colddiff_cli.templates import rendered
from colddiff_core.models.nested import flat
from colddiff_core.pictures.batches import Pixels
from colddiff_core.pictures.writing import encode_png

_NO_MATTER = {"summary", "source", "data.folder"} | {
    f"train.{name}" for name in ("log_every", "sample_every", "checkpoint_every")
}

_FIGURES = (("rmse", "rmse", "RMSE", 3), ("ssim", "ssim", "SSIM", 3), ("frechet", "fid", "FID", 2))
"""Ours, the paper's, the heading, and digits."""


def page(results: Mapping[str, Any], pictures: Mapping[str, Mapping[str, Pixels]]) -> str:
    """The page.

    Args:
        results: as in `results.json`.
        pictures: rows of pictures by data set and by what they show.
    """
    sets = [_section(found, pictures[name]) for name, found in results["sets"].items()]
    return rendered("report.html", results=results, sets=sets)


def verdict(found: Mapping[str, Any]) -> str:
    """Which algorithm is ahead, in one sentence."""
    rows = found["evaluation"]["rows"]
    one, two = rows["naive"]["rmse"], rows["improved"]["rmse"]
    if one is None or two is None:
        return "The algorithms cannot be compared: what was restored is not finite."
    state = "ahead of" if two < one else "behind" if two > one else "level with"
    return f"Algorithm 2 is {state} Algorithm 1: RMSE {two:.3f} against {one:.3f}."


def changed(
    published: Mapping[str, Any], ours: Mapping[str, Any], settings: Sequence[str] = ()
) -> list[tuple[str, Any, Any]]:
    """Settings of the paper's recipe that were not kept: name, the paper's value, this run's.

    Left out is what does not decide about the weights.

    Args:
        published: the recipe as it is written, what it leaves to defaults left out.
        ours: a resolved recipe.
        settings: names that the user set.
    """
    before, now = dict(flat(published)), dict(flat(ours))
    return [
        (key, before.get(key, "default"), now[key])
        for key in now
        if key not in _NO_MATTER and (before[key] != now[key] if key in before else key in settings)
    ]


def _section(found: Mapping[str, Any], pictures: Mapping[str, Pixels]) -> dict[str, Any]:
    """What the template is told of a data set."""
    rows, published = found["evaluation"]["rows"], found["published"]
    distance = found["evaluation"]["protocol"]["metrics"]["frechet"]
    network = None if distance is None else distance["features"]
    restores = found["kind"] == "restoration"
    # The paper's distances are on Inception: on another network, ours must not stand beside them
    shown = [f for f in _FIGURES if f[0] in next(iter(rows.values()))]
    beside = [f for f in shown if f[0] != "frechet" or network == "inception"]
    reported = [
        f"{ROWS[row]} {paper['fid']:g}" for row, paper in published.items() if "fid" in paper
    ]
    if not restores and not reported:
        beside = []
    apart = network is not None and all(f[0] != "frechet" for f in beside)
    recipes, training = found["published_recipe"], found["training"]
    if restores:
        recipes, training = {"": recipes}, {"": training}
    drift = found.get("curves", {})
    return {
        **found,
        "network": network,
        "verdict": verdict(found) if restores else "",
        # the paper has no figures for what it does not do
        "whose": "the paper's" if any(published.values()) else "the recipe's",
        "runs": [
            {
                "name": name,
                "training": run,
                "published": recipes[name],
                "changes": changed(recipes[name], run["recipe"] or {}, found["settings"]),
            }
            for name, run in training.items()
        ],
        "headings": ["", *(f"{f[2]}, {who}" for f in beside for who in ("paper", "here", "off"))],
        "compared": [[ROWS[row], *_beside(rows[row], published[row], beside)] for row in rows]
        if beside
        else [],
        "distances": [[ROWS[row], _text(rows[row]["frechet"], 1)] for row in rows] if apart else [],
        "reported": reported,
        "drift": _drawn(
            {
                ROWS[name]: list(zip(drift["timesteps"], drift[name], strict=True))
                for name in ("naive", "improved")
                if name in drift
            },
            x="t",
            y="RMSE of x_t against D(x0, t)",
            falling=True,
        ),
        "losses": _drawn(
            {name or "loss": run["loss"] for name, run in training.items()}, x="step", y="loss"
        ),
        "pictures": [(ROWS[name], _data_uri(pixels)) for name, pixels in pictures.items()],
    }


def _beside(
    ours: Mapping[str, float], paper: Mapping[str, float], figures: Sequence[Any]
) -> Iterator[str]:
    """Cells: reported, found here, and by how much that is off; empty where nothing is known."""
    for here, there, _, digits in figures:
        found, reported = ours.get(here), paper.get(there)
        yield _text(reported, digits)
        yield _text(found, digits)
        yield f"{found / reported - 1:+.0%}" if found is not None and reported else ""


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _drawn(lines: Mapping[str, Any], **axes: Any) -> str:
    numbers = {
        name: [(x, math.nan if y is None else y) for x, y in points]
        for name, points in lines.items()
    }
    return curves({name: points for name, points in numbers.items() if points}, **axes)


def _data_uri(pixels: Pixels) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode()
