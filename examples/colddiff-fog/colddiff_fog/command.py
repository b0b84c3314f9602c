"""`colddiff fog film`: watch the fog lift."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from colddiff_core import hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core import Step

app = typer.Typer(name="fog", help="Fog, and how it lifts.", no_args_is_help=True)

_FRAME_MS, _HOLD_MS = 80, 1500


class _Camera:
    """Keeps what a sampling loop shows at each step."""

    def __init__(self, x_t: "Tensor") -> None:
        self.frames = [x_t]

    @hookimpl
    def colddiff_sampling_step(self, step: "Step") -> None:
        """Keep the images after a step."""
        self.frames.append(step.x_s)


@app.callback()
def fog() -> None:
    """Fog, and how it lifts."""


@app.command()
def film(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder.")],
    pictures: Annotated[list[Path], typer.Argument(metavar="IMAGES", help="Clear pictures.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A .gif or .webp animation.")
    ],
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the landscape.")] = 0,
) -> None:
    """Fog pictures up, restore them, and write one frame for each step of the restoration.

    Example: `colddiff fog film foggy picture.png -o clearing.gif`
    """
    import numpy as np
    import torch
    from PIL import Image

    from colddiff_core import (
        ColdDiffusion,
        UsageError,
        from_batch,
        listening,
        read_image,
        to_batch,
    )

    if output.suffix.lower() not in (".gif", ".webp"):
        raise UsageError(f"-o {output}: expected a name that ends in .gif or .webp")
    process = ColdDiffusion.load(model)
    channels, height, width = process.image_shape
    kind: Literal[1, 3] = 1 if channels == 1 else 3  # grey or colour
    sources = [Image.fromarray(read_image(path, kind).squeeze()) for path in pictures]
    fitted = [np.asarray(source.resize((width, height))) for source in sources]
    x0 = torch.from_numpy(to_batch([pixels.reshape(height, width, -1) for pixels in fitted]))
    context = process.sample_context(x0, torch.Generator().manual_seed(seed))
    camera = _Camera(process.degrade(x0, context=context))
    with listening(camera):
        process.restore(camera.frames[0], context=context)
    first, *others = (
        Image.fromarray(np.concatenate(from_batch(images.numpy()), axis=1).squeeze())
        for images in camera.frames
    )
    durations = [_HOLD_MS, *[_FRAME_MS] * (len(others) - 1), _HOLD_MS]
    first.save(output, save_all=True, append_images=others, duration=durations, loop=0)
    typer.echo(str(output))
