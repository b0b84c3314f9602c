"""`colddiff degrade`: see an operator at work, without any model."""

from pathlib import Path
from typing import Annotated

import typer

from colddiff_cli.options import Settings


def degrade(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A degradation, see `colddiff plugins list`."),
    ],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A clean picture.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="PNG", help="Where the strip goes.")
    ],
    settings: Settings = None,
    columns: Annotated[
        int, typer.Option(min=2, help="Pictures in the strip, from t = 0 to t = T.")
    ] = 6,
    size: Annotated[
        int | None,
        typer.Option(min=1, help="Resize and crop to a square of so many pixels first."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="For what the operator draws.")] = 0,
) -> None:
    """Draw a strip: the picture at levels from clean to fully degraded.

    Example: `colddiff degrade gaussian-blur cat.jpg -o blur.png --set std=2`
    """
    from colddiff_cli.console import out
    from colddiff_core.errors import UsageError
    from colddiff_core.images import fit, from_batch, read_image, tile, to_batch, write_image

    if output.suffix.lower() != ".png":
        raise UsageError(f"-o {output}: expected a name that ends in .png")
    pixels = read_image(image)
    if size is not None:
        pixels = fit(pixels, size, size)

    import torch

    from colddiff_core.recipe import parse_assignment
    from colddiff_core.registry import build

    height, width, channels = pixels.shape
    params = dict(map(parse_assignment, settings or []))
    degradation = build("degradation", name, image_shape=(channels, height, width), **params)
    x0 = torch.from_numpy(to_batch([pixels]))
    context = degradation.sample_context(x0, torch.Generator().manual_seed(seed))
    last = degradation.num_steps
    levels = sorted({round(k * last / (columns - 1)) for k in range(columns)})
    with torch.no_grad():
        strip = [degradation(x0, torch.tensor([t]), context) for t in levels]
    write_image(output, tile([from_batch(torch.cat(strip).numpy())]))
    out.print(str(output), markup=False)
