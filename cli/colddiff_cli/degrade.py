"""`colddiff degrade`: see an operator at work, without any model."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from colddiff_cli.console import out
from colddiff_cli.options import Seed, Settings, option, output_option
from colddiff_core.contracts.errors import ImageError, UsageError
from colddiff_core.models.recipe import parse_assignment
from colddiff_core.pictures.batches import Pixels, fit, from_batch, tile, to_batch
from colddiff_core.pictures.reading import read_image
from colddiff_core.pictures.writing import MAX_SIDE, write_animation, write_image
from colddiff_core.registry.components import build

_STRIP = ".png"
_COLUMNS = 6
_FRAMES = 50
_RIDE_MS = 2500  # of an animation, from clean to degraded
_HOLD_MS = 800  # at both ends
_SHORTEST_MS = 40  # viewers slow down what is much faster


def degrade(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A degradation, see `colddiff plugins list`.")
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES", help="Clean pictures.")],
    output: Annotated[Path, output_option("FILE", "A .png strip, or a .gif or .webp animation.")],
    settings: Settings = None,
    columns: Annotated[
        int | None,
        option("N", "Pictures in a row of the strip, from t = 0 to t = T.", str(_COLUMNS), min=2),
    ] = None,
    frames: Annotated[
        int | None,
        option(
            "N",
            "Frames of the animation, from t = 0 to t = T.",
            f"every level, {_FRAMES} at most",
            min=2,
        ),
    ] = None,
    size: Annotated[
        int | None,
        option("N", "Resize and crop to a square of so many pixels first.", min=1, max=4096),
    ] = None,
    endpoint: Annotated[
        Path | None, option("IMAGE", "What the pictures turn into, for animorph and blend.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Show pictures at levels from clean to fully degraded.

    A strip has a row for each picture; in an animation they are side by side.

    Example: `colddiff degrade snow cat.jpg dog.jpg -o snow.gif --size 128`
    """
    animated = _is_animation(output, columns, frames)
    _check_kept(images, output)
    pictures = _read(images, size)

    height, width, channels = pictures[0].shape
    params = dict(map(parse_assignment, settings or []))
    degradation = build("degradation", name, **params)
    degradation.check((channels, height, width))
    x0 = torch.from_numpy(to_batch(pictures))
    context = dict(degradation.sample_context(x0, torch.Generator().manual_seed(seed)))
    if endpoint is not None:
        if "endpoint" not in context:
            raise UsageError(f"--endpoint: {name} does not turn pictures into another one")
        other = fit(read_image(endpoint, 1 if channels == 1 else 3), height, width)
        context["endpoint"] = torch.from_numpy(to_batch([other])).expand_as(x0)
    last = degradation.num_steps
    count = (frames or min(_FRAMES, last + 1)) if animated else (columns or _COLUMNS)
    levels = sorted({round(k * last / (count - 1)) for k in range(count)})

    @torch.no_grad()
    def degraded(t: int) -> list[Pixels]:
        return from_batch(degradation(x0, torch.full((len(x0),), t), context).numpy())

    if animated:
        write_animation(output, (tile([degraded(t)]) for t in levels), _milliseconds(len(levels)))
    else:
        rows = zip(*(degraded(t) for t in levels), strict=True)
        write_image(output, tile(list(rows)))
    out.print(str(output))


def _is_animation(output: Path, columns: int | None, frames: int | None) -> bool:
    ending = output.suffix.lower()
    if ending not in (_STRIP, *MAX_SIDE):
        *others, last = (_STRIP, *MAX_SIDE)
        raise UsageError(f"-o {output}: expected a name that ends in {', '.join(others)} or {last}")
    if ending == _STRIP and frames is not None:
        raise UsageError(f"--frames: {output} is a strip, which has --columns")
    if ending != _STRIP and columns is not None:
        raise UsageError(f"--columns: {output} is an animation, which has --frames")
    return ending != _STRIP


def _check_kept(images: list[Path], output: Path) -> None:
    for image in images:
        if output.exists() and output.resolve() == image.resolve():
            raise UsageError(f"{image} would be overwritten; name another file with -o")


def _read(images: list[Path], size: int | None) -> list[Pixels]:
    """Pictures of one shape; grey ones among coloured ones become coloured."""
    pictures = [read_image(path) for path in images]
    if size is not None:
        pictures = [fit(pixels, size, size) for pixels in pictures]
    first, *others = [pixels.shape[:2] for pixels in pictures]
    for path, shape in zip(images[1:], others, strict=True):
        if shape != first:
            raise ImageError(
                f"{path}: is {shape[0]}x{shape[1]} (height x width), {images[0]} is "
                f"{first[0]}x{first[1]}; --size brings them to one size"
            )
    channels = max(pixels.shape[2] for pixels in pictures)
    return [pixels.repeat(channels // pixels.shape[2], axis=2) for pixels in pictures]


def _milliseconds(frames: int) -> list[int]:
    ride = [max(_RIDE_MS // frames, _SHORTEST_MS)] * frames
    ride[0] = ride[-1] = max(_HOLD_MS, ride[0])
    return ride
