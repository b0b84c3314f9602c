"""`colddiff restore`: restore pictures with a model folder or an exported file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colddiff_cli.options import Device, SamplerName, Seed, Steps, Timesteps, chosen_levels

if TYPE_CHECKING:
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
    tile: Annotated[
        bool,
        typer.Option(
            "--tile", help="Restore pictures of any size in overlapping tiles of the model's size."
        ),
    ] = False,
    overlap: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Pixels that neighbouring tiles share.",
            show_default="by how far the degradation reaches",
        ),
    ] = None,
    sampler: SamplerName = None,
    steps: Steps = None,
    timesteps: Timesteps = None,
    batch_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pictures, or tiles, restored together.")
    ] = 16,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Restore degraded pictures; each is written as DIR/NAME.png.

    Example: `colddiff restore digits blurred/*.png -o restored`
    """
    from colddiff_cli.console import out, progress
    from colddiff_cli.models import open_model, tell_device
    from colddiff_cli.restoring import Restoring
    from colddiff_core.errors import UsageError
    from colddiff_core.images import write_image

    if tile and resize:
        raise UsageError("--tile and --resize: give one of them")
    if overlap is not None and not tile:
        raise UsageError("--overlap: is for --tile")
    targets = _targets(images, output)
    opened = open_model(model, device=device, sampler=sampler)
    levels = chosen_levels(opened.num_steps, steps, timesteps)
    for path in images:
        _read(path, opened, resize, tile)  # all are looked at before any is written
    if device == "auto":
        tell_device(opened)
    restoring = Restoring(opened, levels, batch_size, seed if simulate else None)
    if tile:
        pieces = restoring.tiled(overlap)
    with progress() as display:
        task = display.add_task("restoring", total=len(images), note="")
        read = (_read(path, opened, resize, tile) for path in images)
        results: Iterator[Pixels] = map(pieces, read) if tile else restoring.batched(read)
        for target, result in zip(targets, results, strict=True):
            write_image(target, result)
            out.print(str(target), markup=False)
            display.advance(task)


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


def _read(path: Path, model: "ExportedModel", resize: bool, tile: bool) -> "Pixels":
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
    if not tile and pixels.shape[:2] != (height, width):
        raise ImageError(
            f"{path}: is {pixels.shape[0]}x{pixels.shape[1]} (height x width), the model restores "
            f"{height}x{width}; --resize brings it to that size, --tile takes it as it is"
        )
    return pixels
