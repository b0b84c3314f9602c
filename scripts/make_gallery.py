"""Make the gallery: docs/gallery.md and its pictures, one row or two for each degradation.

    python scripts/make_gallery.py

The page is made from the registry and the docstrings, so that it lists every built-in operator;
one that is not in `SHOWN` is shown on `hills` with its default parameters. Colour pictures are
drawn here; grey ones are digits of `mnist-mini`.
"""

import inspect
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colddiff_cli.degrade import degrade
from colddiff_core import build
from colddiff_core.pictures.batches import Pixels
from colddiff_core.pictures.writing import write_image
from colddiff_core.registry.components import Registered, registry

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/gallery.md"
STRIPS = ROOT / "docs/gallery"
ORIGINALS = STRIPS / "originals"

SIDE = 128
FINE = 4  # drawn so many times larger, and averaged

Color = tuple[int, int, int]
Field = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """How an operator is shown.

    Attributes:
        originals: names of the pictures, one for each row.
        params: what is not the default.
        size: for `--size`.
        endpoint: for `--endpoint`, the name of a picture.
    """

    originals: tuple[str, ...] = ("hills",)
    params: Mapping[str, object] = field(default_factory=dict)
    size: int | None = None
    endpoint: str | None = None

    def settings(self) -> list[str]:
        """The parameters as `--set` takes them."""
        return [f"{key}={value}" for key, value in self.params.items()]


DIGITS = {"seven": 0, "two": 1}  # positions in the test set
SHOWN = {
    "animorph": Row(endpoint="sea"),
    "blend": Row(endpoint="scan"),
    "gaussian-blur": Row(params={"std": 2, "kernel_size": 15, "padding": "reflect"}),
    "gaussian-mask": Row(("hills", "sea"), {"std_step": 0.5, "center": "random"}),
    "gaussian-noise": Row(("seven", "two"), size=64),
    "pixelate": Row(params={"num_steps": 5}),
    "snow": Row(("hills", "sea")),
}


def main() -> None:
    """Draw the originals, degrade them and write the page."""
    shutil.rmtree(STRIPS, ignore_errors=True)
    for name, pixels in originals().items():
        write_image(ORIGINALS / f"{name}.png", pixels)
    for item in operators():
        row = row_of(item)
        images = [ORIGINALS / f"{name}.png" for name in row.originals]
        strip = STRIPS / f"{item.name}.png"
        endpoint = ORIGINALS / f"{row.endpoint}.png" if row.endpoint else None
        degrade(item.name, images, strip, settings=row.settings(), size=row.size, endpoint=endpoint)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE}, {sum(path.stat().st_size for path in STRIPS.rglob('*.png'))} bytes of pictures")


def operators() -> list[Registered]:
    """The built-in degradations."""
    return [item for item in registry().components("degradation") if item.builtin]


def page() -> str:
    """The gallery page, Markdown."""
    sections = "\n".join(section(item) for item in operators())
    on_digits = [item.name for item in operators() if set(row_of(item).originals) & set(DIGITS)]
    pictures = ", ".join([*DIGITS, *on_digits])
    return f"""# Gallery

<!-- Made by scripts/make_gallery.py: change that, and run it. -->

Every built-in degradation at six levels, from the original (t = 0) to fully degraded (t = T).
The command below each picture makes it; any other picture will do. A name that ends in `.gif` or
`.webp` gives an animation instead: `colddiff degrade snow cat.jpg -o snow.gif`.

{sections}
## The pictures

`hills`, `sea` and `scan` are drawn by [`make_gallery.py`](../scripts/make_gallery.py) and are, like
the rest of the project, under the MIT licence. {pictures} show digits of
[MNIST](../plugins/colddiff_plugins/datasets/mnist_mini/README.md) by Yann LeCun and Corinna Cortes,
and are under the
[Creative Commons Attribution-Share Alike 3.0 licence](https://creativecommons.org/licenses/by-sa/3.0/).
"""


def section(item: Registered) -> str:
    """Name, summary, formula, picture and command of one operator."""
    row = row_of(item)
    module = import_module(item.component.target.partition(":")[0])
    found = re.search(r"^ {4}(D\(x, t\) = .*)$", inspect.getdoc(module) or "", re.MULTILINE)
    formula = f": `{found[1]}`" if found else ""
    source = Path(inspect.getfile(module)).relative_to(ROOT).as_posix()
    words = ["colddiff degrade", item.name]
    words += [f"docs/gallery/originals/{name}.png" for name in row.originals]
    words += [f"-o {item.name}.png"]
    words += [f"--set {setting}" for setting in row.settings()]
    words += [f"--size {row.size}"] if row.size else []
    words += [f"--endpoint docs/gallery/originals/{row.endpoint}.png"] if row.endpoint else []
    return f"""## {item.name}

{item.component.summary}{formula}; see [{Path(source).name}](../{source}).

![{item.name}, from the original to fully degraded](gallery/{item.name}.png)

```sh
{" ".join(words)}
```
"""


def row_of(item: Registered) -> Row:
    """How `item` is shown."""
    return SHOWN.get(item.name, Row())


def originals() -> dict[str, Pixels]:
    """The pictures that are degraded, by name."""
    digits = build("dataset", "mnist-mini", split="test", image_size=28)
    found = {name: digits.images([k])[0].numpy().transpose(1, 2, 0) for name, k in DIGITS.items()}
    return {"hills": hills(), "sea": sea(), "scan": scan(), **found}


class Canvas:
    """A square from (0, 0), top left, to (1, 1), painted shape by shape."""

    def __init__(self, top: Color, bottom: Color) -> None:
        """Start with a gradient."""
        middle = (np.arange(SIDE * FINE) + 0.5) / (SIDE * FINE)
        self.y, self.x = np.meshgrid(middle, middle, indexing="ij")
        self._pixels = np.array(top) + self.y[:, :, None] * (np.array(bottom) - np.array(top))

    def paint(self, shape: NDArray[np.bool_], color: Color, weight: Field | float = 1.0) -> None:
        """Lay a colour over the part of the canvas where `shape` is true."""
        cover = (shape * weight)[:, :, None]
        self._pixels = self._pixels * (1 - cover) + np.array(color) * cover

    def disc(self, x: float, y: float, radius: float, flat: float = 1.0) -> NDArray[np.bool_]:
        """A disc, or with `flat` above 1 an ellipse that is wider than high."""
        return ((self.x - x) / flat) ** 2 + (self.y - y) ** 2 < radius**2

    def box(self, left: float, top: float, right: float, bottom: float) -> NDArray[np.bool_]:
        """An upright rectangle."""
        return (self.x > left) & (self.x < right) & (self.y > top) & (self.y < bottom)

    def triangle(self, corners: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
        """A triangle whose corners go clockwise as seen."""
        inside = np.ones_like(self.x, dtype=bool)
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
            inside &= (x1 - x0) * (self.y - y0) > (y1 - y0) * (self.x - x0)
        return inside

    def pixels(self) -> Pixels:
        """The finished picture."""
        blocks = self._pixels.reshape(SIDE, FINE, SIDE, FINE, 3)
        return np.rint(blocks.mean((1, 3))).astype(np.uint8)


def hills() -> Pixels:
    """A red house on a hill, on a summer's day."""
    c = Canvas((58, 134, 216), (226, 240, 250))
    glow = np.exp(-((c.x - 0.8) ** 2 + (c.y - 0.2) ** 2) / 0.02)
    c.paint(np.ones_like(c.x, dtype=bool), (255, 240, 190), 0.7 * glow)
    c.paint(c.disc(0.8, 0.2, 0.085), (255, 216, 70))
    for x, y, radius in ((0.2, 0.2, 0.05), (0.28, 0.17, 0.06), (0.37, 0.2, 0.05)):
        c.paint(c.disc(x, y, radius, flat=1.4), (255, 255, 255))
    c.paint(c.y > 0.55 + 0.07 * np.sin(6 * c.x + 0.6), (110, 164, 150))
    c.paint(c.y > 0.66 + 0.08 * np.sin(4.2 * c.x + 3.4), (82, 160, 72))
    c.paint(c.box(0.56, 0.52, 0.82, 0.74), (196, 52, 44))
    c.paint(c.triangle([(0.52, 0.53), (0.69, 0.38), (0.86, 0.53)]), (92, 58, 52))
    c.paint(c.box(0.60, 0.575, 0.67, 0.645), (250, 226, 130))
    c.paint(c.box(0.72, 0.60, 0.78, 0.74), (244, 238, 226))
    c.paint(c.box(0.205, 0.56, 0.235, 0.74), (104, 70, 46))
    for x, y, radius in ((0.16, 0.52, 0.075), (0.28, 0.52, 0.075), (0.22, 0.44, 0.09)):
        c.paint(c.disc(x, y, radius), (34, 110, 58))
    c.paint(c.y > 0.80 + 0.04 * np.sin(5 * c.x + 1.2), (132, 190, 78))
    for k in range(12):
        x, y = 0.06 + 0.083 * k, 0.90 + 0.045 * np.sin(2.3 * k)
        c.paint(c.disc(x, y, 0.014), [(248, 196, 60), (226, 72, 120), (250, 250, 250)][k % 3])
    return c.pixels()


def sea() -> Pixels:
    """A sailing boat under the moon."""
    c = Canvas((16, 18, 58), (226, 120, 104))
    for k in range(30):
        c.paint(c.disc((0.618 * k) % 1, 0.02 + 0.011 * k, 0.0065), (255, 250, 220), 0.9)
    c.paint(c.disc(0.24, 0.22, 0.1) & ~c.disc(0.285, 0.195, 0.085), (250, 244, 214))
    waves = 0.012 * np.sin(26 * c.x) * np.sin(9 * c.x + 1)
    for k, color in enumerate([(40, 62, 120), (32, 50, 104), (24, 38, 86), (16, 26, 66)]):
        c.paint(c.y > 0.62 + 0.09 * k + waves * (1 + k / 2), color)
        if k == 0:
            c.paint(c.triangle([(0.60, 0.22), (0.84, 0.60), (0.60, 0.60)]), (246, 240, 226))
            c.paint(c.triangle([(0.57, 0.28), (0.57, 0.60), (0.42, 0.60)]), (236, 92, 62))
            c.paint(c.box(0.576, 0.18, 0.594, 0.64), (84, 54, 44))
            c.paint(c.disc(0.6, 0.62, 0.11, flat=2.2) & (c.y > 0.635), (150, 44, 50))
    return c.pixels()


def scan() -> Pixels:
    """The hills on an old print, scanned: faded, yellow, scratched and dusty."""
    colors = hills().astype(np.float64)
    faded = 85 + 0.35 * colors.mean(2, keepdims=True) + 0.15 * colors
    paper = faded * (1.0, 0.93, 0.72)
    paper[:, [29, 90, 91]] += 45
    paper[np.random.default_rng(0).random((SIDE, SIDE)) < 0.012] = (238, 230, 205)
    return np.rint(paper.clip(0, 255)).astype(np.uint8)


if __name__ == "__main__":
    main()
