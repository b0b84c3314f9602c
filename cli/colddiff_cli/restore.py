"""`colddiff restore`: restore pictures with a model folder or an exported file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colddiff_cli.options import Device, SamplerName, Seed, Steps, Timesteps, chosen_levels

if TYPE_CHECKING:
    from colddiff_core.degradation import Degradation
    from colddiff_core.exporter import ExportedModel
    from colddiff_core.images import Pixels


def restore(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model folder or an .onnx file.")
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGES", help="Pictures, already degraded.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the pictures go.")
    ],
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="The pictures are clean: degrade them first, and write original, degraded and "
            "restored side by side.",
        ),
    ] = False,
    resize: Annotated[
        bool, typer.Option("--resize", help="Resize and crop pictures to the model's size.")
    ] = False,
    sampler: SamplerName = None,
    steps: Steps = None,
    timesteps: Timesteps = None,
    batch_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pictures restored together.")
    ] = 16,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Restore degraded pictures; each is written as DIR/NAME.png.

    Example: `colddiff restore digits blurred/*.png -o restored`
    """
    from colddiff_cli.console import out, progress
    from colddiff_cli.models import open_model
    from colddiff_core.images import from_batch, tile, to_batch, write_image

    targets = _targets(images, output)
    opened = open_model(model, device=device, sampler=sampler)
    levels = chosen_levels(opened.num_steps, steps, timesteps)
    pictures = [_read(path, opened, resize) for path in images]
    degrade = _Simulation(opened, levels[0], seed) if simulate else None
    with progress() as display:
        task = display.add_task("restoring", total=len(pictures), note="")
        for start in range(0, len(pictures), batch_size):
            batch = to_batch(pictures[start : start + batch_size])
            x_t, context = degrade(batch) if degrade else (batch, None)
            restored = from_batch(opened.restore(x_t, levels, context))
            rows = zip(from_batch(batch), from_batch(x_t), restored, strict=True)
            for target, row in zip(targets[start : start + batch_size], rows, strict=True):
                write_image(target, tile([row]) if simulate else row[2])
                out.print(str(target), markup=False)
            display.advance(task, len(batch))


class _Simulation:
    """Degrade clean batches with the model's own operator."""

    def __init__(self, model: "ExportedModel", level: int, seed: int) -> None:
        import torch

        from colddiff_core.recipe import build_table

        self._degradation: Degradation = build_table(
            "degradation", model.recipe.degradation, image_shape=model.image_shape
        )
        self._level = level
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, x0: Any) -> tuple[Any, dict[str, Any]]:
        import torch

        clean = torch.from_numpy(x0)
        context = self._degradation.sample_context(clean, self._generator)
        levels = torch.full((len(clean),), self._level)
        x_t = self._degradation(clean, levels, context)
        return x_t.numpy(), {name: value.numpy() for name, value in context.items()}


def _targets(images: list[Path], folder: Path) -> list[Path]:
    from colddiff_core.errors import UsageError

    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder}: expected a folder, this is a file")
    targets: dict[Path, Path] = {}
    for image in images:
        target = folder / f"{image.stem}.png"
        if target in targets:
            raise UsageError(f"{targets[target]} and {image} would both be written to {target}")
        if target.exists() and target.resolve() == image.resolve():
            raise UsageError(f"{image} would be overwritten; name another folder with -o")
        targets[target] = image
    return list(targets)


def _read(path: Path, model: "ExportedModel", resize: bool) -> "Pixels":
    from colddiff_core.errors import ImageError
    from colddiff_core.images import fit, read_image

    channels, height, width = model.image_shape
    pixels = read_image(path)
    if pixels.shape[2] != channels:
        names = {1: "grey (1 channel)", 3: "colour (3 channels)"}
        raise ImageError(
            f"{path}: is {names[pixels.shape[2]]}, the model restores "
            f"{names.get(channels, f'{channels} channels')} pictures"
        )
    if resize:
        return fit(pixels, height, width)
    if pixels.shape[:2] != (height, width):
        raise ImageError(
            f"{path}: is {pixels.shape[0]}x{pixels.shape[1]} (height x width), the model restores "
            f"{height}x{width}; --resize brings it to that size"
        )
    return pixels
