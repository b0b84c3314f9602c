"""`colddiff restore`: restore pictures with a model folder or an exported file."""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from colddiff_cli import options
from colddiff_cli.console import err, out, progress, show_json
from colddiff_cli.options import flag, levels_in, option, output_option
from colddiff_cli.reporting import tell_device, tell_level
from colddiff_core.contracts.errors import ColdDiffError, UsageError
from colddiff_core.pictures.reading import picture_header
from colddiff_core.restoration.engine import Room
from colddiff_core.restoration.hints import PictureHints
from colddiff_core.restoration.opening import open_model
from colddiff_core.restoration.pictures import PictureResult, restore_pictures


def _level(text: str) -> str:
    if text != "auto" and not text.isdecimal():
        raise UsageError(f"--level {text}: expected a number from 1 to the model's T, or auto")
    return text


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text, re.IGNORECASE)
    if not found:
        raise UsageError(f"--memory {text}: expected e.g. 2G or 800M")
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))


def restore(
    model: options.AnyModel,
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGES", help="Pictures of any size, already degraded.")
    ],
    output: Annotated[Path, output_option("DIR", "Where the pictures go.")],
    simulate: Annotated[
        bool,
        flag(
            "--simulate",
            "The pictures are clean: degrade them first, and write original, degraded and "
            "restored side by side.",
        ),
    ] = False,
    level: Annotated[
        str | None,
        option(
            "T|auto",
            "How degraded the pictures are; auto finds the level of each.",
            "fully, the model's T",
            parser=_level,
        ),
    ] = None,
    curve: Annotated[
        bool, flag("--curve", "Draw how well each level explains a picture, with auto.")
    ] = False,
    mask: Annotated[
        Path | None, option("FILE", "Where the pictures have a hole: a picture, white there.")
    ] = None,
    endpoint: Annotated[
        Path | None, option("FILE", "The picture, or noise, that they were turned into.")
    ] = None,
    color: Annotated[str | None, option("'#rrggbb'", "The colour that they were faded to.")] = None,
    resize: Annotated[
        bool, flag("--resize", "Bring pictures to the size that the model was trained on.")
    ] = False,
    memory: Annotated[
        int | None,
        option(
            "BYTES",
            "What this command may come to hold, e.g. 2G; larger pictures go in tiles.",
            "half of what is free",
            parser=_bytes,
        ),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Run an exported file, which may be a stranger's, in a process of its own, which "
            "ends after so long a batch, and by --memory.",
            show_default="none",
        ),
    ] = None,
    tile: Annotated[
        int | None,
        option("N", "Restore in tiles of N pixels a side.", "whole, or by the memory", min=1),
    ] = None,
    overlap: Annotated[
        int | None,
        option("N", "Pixels that neighbouring tiles share.", "by how far the model reaches", min=0),
    ] = None,
    overwrite: Annotated[
        bool, flag("--overwrite", "Replace files in DIR that colddiff has not restored.")
    ] = False,
    as_json: options.Json = False,
    sampler: options.SamplerName = None,
    steps: options.Steps = None,
    timesteps: options.Timesteps = None,
    batch_size: Annotated[int, option("N", "Pictures, or tiles, restored together.", min=1)] = 16,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Restore degraded pictures; each is written as DIR/NAME.png.

    What is random about the degradation is found in the picture, where that is possible.

    Example: `colddiff restore digits blurred/*.png -o restored`
    """
    if simulate and level == "auto":
        raise UsageError("--simulate: the level is known; give --level a number, or leave it out")
    if curve and level != "auto":
        raise UsageError("--curve: is for --level auto")
    opened = open_model(
        model,
        device=device,
        sampler=sampler,
        seconds=time_limit,
        memory=memory if sys.platform == "linux" else None,
    )
    with progress() as display:
        task = display.add_task("restoring", total=_pixels(images), note="")
        results = restore_pictures(
            opened,
            images,
            output,
            level=int(level) if level and level != "auto" else level,  # type: ignore[arg-type]
            steps=steps,
            timesteps=levels_in(timesteps),
            hints=PictureHints(mask, endpoint, color),
            simulate=simulate,
            seed=seed,
            resize=resize,
            room=Room(batch_size, memory, tile, overlap),
            overwrite=overwrite,
            on_pixels=lambda done: display.advance(task, done),
        )
        if device == "auto":
            tell_device(opened)
        rows, errors = [], []
        noted: Counter[str] = Counter()
        for result in results:
            rows.append(_row(result))
            for note in result.notes:
                if not noted[note]:
                    err.print(f"colddiff: {result.source}: {note}", style="yellow")
                noted[note] += 1
            if result.error is not None:
                errors.append(result.error)
                if len(images) > 1:
                    err.print(f"colddiff: {result.error}", style="yellow")
                continue
            if result.restored is not None and result.restored.found is not None:
                tell_level(result.source, result.restored.found, opened.num_steps, curve)
            if not as_json:
                out.print(str(result.output))
    for note, count in noted.items():
        if count > 1:
            err.print(f"colddiff: {count} pictures: {note}", style="yellow")
    if as_json:
        show_json({"pictures": rows})
    if len(images) == len(errors) == 1:
        raise errors[0]
    if errors:
        raise ColdDiffError(f"{len(errors)} of {len(images)} pictures could not be restored")


def _row(result: PictureResult) -> dict[str, Any]:
    restored = result.restored
    return {
        "source": str(result.source),
        "path": result.output and str(result.output),
        "level": restored and restored.level,
        "consistency_error": restored and restored.found and restored.found.error,
        "notes": list(result.notes),
        "error": result.error and str(result.error),
    }


def _pixels(images: list[Path]) -> int:
    """How many there are to restore, from the files' headers."""
    total = 0
    for path in images:
        try:
            header = picture_header(path)
        except ColdDiffError:  # which is reported when its turn comes
            continue
        total += header.height * header.width
    return total
