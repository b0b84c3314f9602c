"""`colddiff restore`: restore pictures with a model folder or an exported file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colddiff_cli.options import Device, SamplerName, Seed, Steps, Timesteps, chosen_schedule

if TYPE_CHECKING:
    from colddiff_core.contracts.exporter import ExportedModel
    from colddiff_core.pictures.images import Pixels


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
    level: Annotated[
        str | None,
        typer.Option(
            metavar="T|auto",
            help="How degraded the pictures are; auto finds the level of each.",
            show_default="fully, the model's T",
        ),
    ] = None,
    curve: Annotated[
        bool,
        typer.Option("--curve", help="Draw how well each level explains a picture, with auto."),
    ] = False,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the pictures have a hole: a picture, white there."
        ),
    ] = None,
    endpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The picture, or noise, that they were turned into."),
    ] = None,
    color: Annotated[
        str | None,
        typer.Option(metavar="'#rrggbb'", help="The colour that they were faded to."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for programs: paths, levels and errors.")
    ] = False,
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

    What is random about the degradation is found in the picture, where that is possible.

    Example: `colddiff restore digits blurred/*.png -o restored`
    """
    from colddiff_cli.already_degraded import AlreadyDegraded
    from colddiff_cli.console import out, progress
    from colddiff_cli.hints import read_hints
    from colddiff_cli.level_report import tell
    from colddiff_cli.models import open_model, tell_device
    from colddiff_cli.restoring import Restored, Restoring
    from colddiff_cli.simulation import Simulation
    from colddiff_core.pictures.images import write_image

    _check(simulate, resize, tile, overlap, level, curve, mask or endpoint or color)
    targets = _targets(images, output)
    opened = open_model(model, device=device, sampler=sampler)
    start, schedule = chosen_schedule(opened.num_steps, steps, timesteps, level)
    hints = read_hints(opened.image_shape, mask=mask, endpoint=endpoint, color=color, resize=resize)
    for path in images:
        _read(path, opened, resize, tile)  # all are looked at before any is written
    if device == "auto":
        tell_device(opened)
    source: Simulation | AlreadyDegraded
    if simulate:
        source = Simulation(opened, start or opened.num_steps, seed)
    else:
        source = AlreadyDegraded(opened, hints)
    restoring = Restoring(opened, schedule, start, batch_size, source)
    if tile:
        pieces = restoring.tiled(overlap)
    rows = []
    with progress() as display:
        task = display.add_task("restoring", total=len(images), note="")
        read = (_read(path, opened, resize, tile) for path in images)
        results: Iterator[Restored] = map(pieces, read) if tile else restoring.batched(read)
        for path, target, result in zip(images, targets, results, strict=True):
            write_image(target, result.pixels)
            if result.found is not None:
                tell(path, result.found, opened.num_steps, curve)
            if not as_json:
                out.print(str(target), markup=False)
            rows.append(
                {
                    "path": str(target),
                    "level": result.level,
                    "consistency_error": result.found and result.found.error,
                }
            )
            display.advance(task)
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "pictures": rows}, indent=2))


def _check(
    simulate: bool,
    resize: bool,
    tile: bool,
    overlap: int | None,
    level: str | None,
    curve: bool,
    hint: object,
) -> None:
    """Refuse options that exclude each other."""
    from colddiff_core.contracts.errors import UsageError

    if tile and resize:
        raise UsageError("--tile and --resize: give one of them")
    if overlap is not None and not tile:
        raise UsageError("--overlap: is for --tile")
    if tile and hint:
        raise UsageError("--tile: --mask, --endpoint and --color are for pictures of one size")
    if simulate and hint:
        raise UsageError("--simulate: draws what --mask, --endpoint and --color would tell")
    if simulate and level == "auto":
        raise UsageError("--simulate: the level is known; give --level a number, or leave it out")
    if curve and level != "auto":
        raise UsageError("--curve: is for --level auto")


def _targets(images: list[Path], folder: Path) -> list[Path]:
    from colddiff_core.contracts.errors import UsageError

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
    from colddiff_core.contracts.errors import ImageError
    from colddiff_core.pictures.images import fit, read_image

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
