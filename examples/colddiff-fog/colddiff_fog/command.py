"""`colddiff fog film`: watch the fog lift."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    import torch

    from colddiff_core import ColdDiffusion, UsageError
    from colddiff_core.pictures.batches import fit, from_batch, tile, to_batch
    from colddiff_core.pictures.reading import read_image
    from colddiff_core.pictures.writing import MAX_SIDE, write_animation
    from colddiff_core.registry.events import listening

    if output.suffix.lower() not in MAX_SIDE:
        raise UsageError(f"-o {output}: expected a name that ends in {' or '.join(MAX_SIDE)}")
    process = ColdDiffusion.load(model)
    channels, height, width = process.image_shape
    x0 = torch.from_numpy(
        to_batch(
            [fit(read_image(path, 1 if channels == 1 else 3), height, width) for path in pictures]
        )
    )
    context = process.sample_context(x0, torch.Generator().manual_seed(seed))
    camera = _Camera(process.degrade(x0, context=context))
    with listening(camera):
        process.restore(camera.frames[0], context=context)
    durations = [_HOLD_MS, *[_FRAME_MS] * (len(camera.frames) - 2), _HOLD_MS]
    frames = (tile([from_batch(images.numpy())]) for images in camera.frames)
    write_animation(output, frames, durations)
    typer.echo(str(output))
