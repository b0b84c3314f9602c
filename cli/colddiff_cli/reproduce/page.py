"""`report.html`: everything about a reproduction on one page that needs nothing else."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from colddiff_cli.labels import ROWS
from colddiff_cli.reproduce.curves import Points, curves
from colddiff_core.models.nested import flat
from colddiff_core.pictures.images import Pixels, encode_png

_NO_MATTER = {"summary", "source", "data.folder"} | {
    f"train.{name}" for name in ("log_every", "sample_every", "checkpoint_every")
}
_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e6e8eb);
  --faint: light-dark(#d0d5dc, #3a414b); --a: light-dark(#c2410c, #fb923c);
  --b: light-dark(#1d4ed8, #7fb0ff); }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--faint); }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.pictures td { padding: .15rem .8rem .15rem 0; border: 0; } .pictures img { display: block;
  max-width: 100%; image-rendering: pixelated; }
svg { max-width: 40rem; display: block; } svg text { fill: var(--ink); font-size: 12px; }
svg .grid { stroke: var(--faint); } polyline { fill: none; stroke-width: 2; }
.line-0 { stroke: var(--a); } .line-1 { stroke: var(--b); }
svg .label-0 { fill: var(--a); } svg .label-1 { fill: var(--b); }
.note { opacity: .75; } code { overflow-wrap: anywhere; }
"""


def page(results: Mapping[str, Any], pictures: Mapping[str, Mapping[str, Pixels]]) -> str:
    """The page.

    Args:
        results: as in `results.json`.
        pictures: rows of pictures by data set and by what they show.
    """
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    title = f"{results['title']}: the paper and this run"
    SubElement(head, "title").text = title
    SubElement(head, "style").text = _STYLE
    body = SubElement(html, "body")
    SubElement(body, "h1").text = title
    _paragraph(body, f"{results['source']}. Made by: {results['command']}", "note")
    for name, found in results["sets"].items():
        section = _generation if found["kind"] == "generation" else _restoration
        SubElement(body, "h2").text = found["title"]
        section(body, found)
        _pictures(body, pictures[name])
        _training(body, found)
    versions = " · ".join(f"{name} {number}" for name, number in results["versions"].items())
    _paragraph(body, f"{versions} · {results['seconds'] / 60:.1f} minutes in all", "note")
    return "<!doctype html>\n" + tostring(html, encoding="unicode", method="html") + "\n"


def verdict(found: Mapping[str, Any]) -> str:
    """Which algorithm is ahead, in one sentence."""
    rows = found["evaluation"]["rows"]
    one, two = rows["naive"]["rmse"], rows["improved"]["rmse"]
    if one is None or two is None:
        return "The algorithms cannot be compared: what was restored is not finite."
    state = "ahead of" if two < one else "behind" if two > one else "level with"
    return f"Algorithm 2 is {state} Algorithm 1: RMSE {two:.3f} against {one:.3f}."


def _restoration(body: Element, found: Mapping[str, Any]) -> None:
    rows, published = found["evaluation"]["rows"], found["published"]
    protocol = found["evaluation"]["protocol"]
    _paragraph(body, verdict(found))
    _paragraph(
        body,
        _budget(found["training"], found["published_recipe"], found["settings"], _whose(found)),
    )
    distance = protocol["metrics"]["frechet"]
    is_fid = distance is not None and distance["features"] == "inception"
    compared = [("rmse", "rmse", "RMSE", 3), ("ssim", "ssim", "SSIM", 3)]
    if is_fid:
        compared.append(("frechet", "fid", "FID", 2))
    headings = [f"{title}, {who}" for *_, title, _ in compared for who in ("paper", "here", "off")]
    _table(
        body,
        ["", *headings],
        [[ROWS[row], *_beside(rows[row], published[row], compared)] for row in rows],
    )
    _paragraph(body, _protocol(protocol, found["evaluation"]["protocol_hash"]), "note")
    if distance is not None and not is_fid:
        _distances(body, rows, distance["features"])
        _reported_fids(body, published)
    SubElement(body, "h3").text = "Error over t"
    levels = found["curves"]["timesteps"]
    lines = {
        ROWS[name]: list(zip(levels, found["curves"][name], strict=True))
        for name in ("naive", "improved")
    }
    _curves(body, lines, x="t", y="RMSE of x_t against D(x0, t)", falling=True)
    _paragraph(
        body,
        f"RMSE of x_t against D(x0, t) on the way down, over {found['curves']['images']} images; "
        "at t = 0 it is the error of the restored images.",
        "note",
    )


def _generation(body: Element, found: Mapping[str, Any]) -> None:
    rows, published = found["evaluation"]["rows"], found["published"]
    protocol = found["evaluation"]["protocol"]
    for temperature, recipe in found["published_recipe"].items():
        run = found["training"][temperature]
        _paragraph(
            body,
            f"The {temperature} model: {_budget(run, recipe, found['settings'], _whose(found))}",
        )
    network = protocol["metrics"]["frechet"]["features"]
    reported = any("fid" in figures for figures in published.values())
    if network == "inception" and reported:
        compared = [("frechet", "fid", "FID", 2)]
        _table(
            body,
            ["", "FID, paper", "FID, here", "FID, off"],
            [[ROWS[row], *_beside(rows[row], published[row], compared)] for row in rows],
        )
    else:
        _distances(body, rows, network)
    _paragraph(
        body,
        f"{protocol['images']:,} generated images against the first {protocol['images']:,} "
        f"training images of {protocol['data']['name']}, seed {protocol['seed']}.",
        "note",
    )
    if not reported:
        _paragraph(body, "The paper does not generate these: there is nothing to compare.", "note")
    elif network != "inception":
        _reported_fids(body, published)


def _reported_fids(body: Element, published: Mapping[str, Mapping[str, float]]) -> None:
    """Beside distances on another network, where they must not stand in the table."""
    fids = [
        f"{ROWS[row]} {figures['fid']:g}" for row, figures in published.items() if "fid" in figures
    ]
    _paragraph(
        body,
        "This is not the FID, whose network is Inception; the paper's FIDs cannot stand beside it: "
        f"{'; '.join(fids)}.",
        "note",
    )


def _distances(body: Element, rows: Mapping[str, Mapping[str, Any]], network: str) -> None:
    values = {row: figures["frechet"] for row, figures in rows.items()}
    _table(
        body,
        ["", "FID" if network == "inception" else f"Fréchet distance on {network}"],
        [[ROWS[row], "" if value is None else f"{value:.1f}"] for row, value in values.items()],
    )


def _whose(found: Mapping[str, Any]) -> str:
    """Whose set-up it is: the paper has no figures for what it does not do."""
    return "the paper's" if any(found["published"].values()) else "the recipe's"


def _beside(
    ours: Mapping[str, float],
    paper: Mapping[str, float],
    compared: Iterable[tuple[str, str, str, int]],
) -> list[str]:
    """Cells: reported, found here, and by how much that is off; empty where nothing is known."""
    cells = []
    for here, there, _, digits in compared:
        found, reported = ours.get(here), paper.get(there)
        cells += [
            "" if reported is None else f"{reported:.{digits}f}",
            "" if found is None else f"{found:.{digits}f}",
            f"{found / reported - 1:+.0%}" if found is not None and reported else "",
        ]
    return cells


def _budget(
    training: Mapping[str, Any],
    published: Mapping[str, Any],
    settings: Sequence[str],
    whose: str,
) -> str:
    """How far the training was from the published recipe's."""
    steps, full = training.get("steps"), published["train"]["steps"]
    if not steps:
        return "How the model was trained is not known."
    told = (
        f"Trained for {steps:,} steps in {(training.get('seconds') or 0) / 60:.1f} minutes on "
        f"{training.get('device', 'an unknown device')}, {steps / full:.2%} of {whose} "
        f"{full:,}, with {training['parameters']:,} parameters: "
    )
    if changed(published, training["recipe"] or {}, settings):
        return told + f"take it for a sketch of {whose} result, not for a measurement of it."
    return told + f"{whose} own set-up."


def _protocol(protocol: Mapping[str, Any], digest: str) -> str:
    data = protocol["data"]["name"] or "unnamed data"
    return (
        f"{protocol['images']:,} {protocol['split']} images of {data}, "
        f"{' x '.join(map(str, protocol['image_shape']))}; {len(protocol['timesteps']) - 1} steps, "
        f"seed {protocol['seed']}, protocol {digest}. RMSE is on [0, 1] and pooled, SSIM has whole "
        "Gaussian windows of 11 pixels. An empty cell was not reported, or could not be checked. "
        "The paper's images are the whole test sets, 10,000 of MNIST and CIFAR-10."
    )


def _training(body: Element, found: Mapping[str, Any]) -> None:
    several = found["kind"] == "generation"
    training = found["training"] if several else {"": found["training"]}
    recipes = found["published_recipe"] if several else {"": found["published_recipe"]}
    losses = {name or "loss": t["loss"] for name, t in training.items() if t["loss"]}
    if losses:
        SubElement(body, "h3").text = "Loss"
        _curves(body, losses, x="step", y="loss")
    _paragraph(
        body,
        "The network is this project's U-Net; the authors' is built of ConvNeXt blocks.",
        "note",
    )
    for name, run in training.items():
        changes = changed(recipes[name], run["recipe"] or {}, found["settings"])
        if changes:
            heading = SubElement(body, "h3")
            heading.text = f"What differs from the recipe {name and f'({name})'}"
            _table(
                body,
                ["setting", "in the recipe", "here"],
                [[key, str(before), str(now)] for key, before, now in changes],
            )


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


def _pictures(body: Element, pictures: Mapping[str, Pixels]) -> None:
    SubElement(body, "h3").text = "Pictures"
    table = SubElement(body, "table", {"class": "pictures"})
    for name, pixels in pictures.items():
        row = SubElement(table, "tr")
        SubElement(row, "td").text = ROWS[name]
        SubElement(SubElement(row, "td"), "img", src=_data_uri(pixels), alt=ROWS[name])


def _data_uri(pixels: Pixels) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode()


def _curves(body: Element, lines: Mapping[str, Points], **axes: Any) -> None:
    drawn = {name: [(x, y) for x, y in points if y is not None] for name, points in lines.items()}
    if any(drawn.values()):
        body.append(curves({name: points for name, points in drawn.items() if points}, **axes))


def _table(body: Element, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = SubElement(body, "table")
    row = SubElement(table, "tr")
    for heading in headings:
        SubElement(row, "th").text = heading
    for cells in rows:
        row = SubElement(table, "tr")
        for cell in cells:
            SubElement(row, "td").text = cell


def _paragraph(body: Element, text: str, kind: str = "") -> None:
    SubElement(body, "p", {"class": kind} if kind else {}).text = text
