"""`colddiff export`: a model folder in one file that runs anywhere."""

from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from colddiff_cli.console import err, out, show_table
from colddiff_cli.options import ModelFolder, Settings, flag, option, output_option
from colddiff_core.contracts.errors import ImageError, UsageError
from colddiff_core.contracts.exporter import Exporter, ExportReport
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.models.folder import resolved_recipe
from colddiff_core.models.recipe import build_table, parse_assignment
from colddiff_core.pictures.batches import fit, to_batch
from colddiff_core.pictures.reading import read_image
from colddiff_core.pictures.value_range import from_uint8
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build

_IMAGES = 64  # held-out pictures to check on, and to calibrate with


def export(
    model: ModelFolder,
    format_: Annotated[
        str, option("FORMAT", "The format, see `colddiff plugins list`.", True, "--format")
    ] = "onnx",
    path: Annotated[Path | None, output_option("PATH", "The file.", "MODEL.onnx")] = None,
    sampler: Annotated[
        str | None,
        option(
            "NAME", "naive (Algorithm 1), improved (Algorithm 2) or another.", "the model's own"
        ),
    ] = None,
    graph: Annotated[
        str | None,
        option(
            "KIND",
            "sampler (the whole loop), step (one step of it) or restorer (the network).",
            "sampler",
        ),
    ] = None,
    trajectory: Annotated[
        bool, flag("--trajectory", "Let the file also give every state of the loop.")
    ] = False,
    static_steps: Annotated[
        int | None,
        option("N", "Fix the number of steps, for runtimes that need to know it.", "any"),
    ] = None,
    precision: Annotated[
        str | None, option("NAME", "Of the network: fp32, fp16 or int8.", "fp32")
    ] = None,
    opset: Annotated[int | None, option("N", "ONNX operator set, 18 to 21.", "20")] = None,
    tolerance: Annotated[
        float | None, option("X", "Largest difference from torch.", "by precision")
    ] = None,
    verify: Annotated[
        bool, flag("--verify/--no-verify", "Run the file and compare it with torch.")
    ] = True,
    images: Annotated[
        list[Path] | None,
        option(
            "IMAGE",
            "Clean pictures to check on and to calibrate int8 with; may be repeated.",
            "held-out pictures of the data set",
        ),
    ] = None,
    settings: Settings = None,
) -> None:
    """Export a model with its whole sampling loop, and check the file against torch.

    If the file and torch disagree, no file is left. The file runs without this project;
    `colddiff restore FILE` runs it without torch. What else a format can be told is
    `--set KEY=VALUE`; `colddiff plugins info FORMAT` lists it.

    Example: `colddiff export digits --format onnx -o digits.onnx`
    """
    # What is not said is the format's own affair; one that does not know an option refuses it
    said: dict[str, Any] = {
        "graph": graph,
        "trajectory": trajectory or None,
        "static_steps": static_steps,
        "precision": precision,
        "opset": opset,
        "tolerance": tolerance,
        "verify": None if verify else False,
    }
    params = {name: value for name, value in said.items() if value is not None}
    params |= map(parse_assignment, settings or [])
    exporter = build("exporter", format_, **params)
    target = _target(path, model, exporter, format_)
    process = ColdDiffusion.load(model)
    recipe = resolved_recipe(process)
    if sampler is not None:
        process.sampler = build("sampler", sampler)
    clean = read_images(images, process.image_shape) if images else None
    if clean is None:
        clean = held_out_images(recipe, _IMAGES)
    with err.status("exporting and checking"):
        report = exporter.export(process, target, images=clean)
    show(report)


def _target(output: Path | None, model: Path, exporter: Exporter, format_: str) -> Path:
    if exporter.suffix:
        target = output or model.parent / (model.resolve().name + exporter.suffix)
        if target.suffix != exporter.suffix:
            raise UsageError(f"-o {target}: expected a name that ends in {exporter.suffix}")
        return target
    target = output or model.parent / f"{model.resolve().name}-{format_.partition('@')[0]}"
    if target.exists() and target.resolve() == model.resolve():
        raise UsageError(f"-o {target}: is the model itself; name another folder")
    return target


def read_images(paths: list[Path], shape: tuple[int, int, int]) -> Tensor:
    """Pictures of any size, cropped and resized to (N, C, H, W) in [-1, 1].

    Raises:
        ImageError: one cannot be read.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise ImageError(f"--images: the model restores {channels} channels, pictures have 1 or 3")
    pictures = [fit(read_image(path, 1 if channels == 1 else 3), height, width) for path in paths]
    return torch.from_numpy(to_batch(pictures))


def held_out_images(recipe: Recipe, count: int = 8) -> Tensor | None:
    """Test images of the model's data set to check on; None where the data set is not at hand."""
    if recipe.data is None:
        return None
    try:
        dataset = build_table("dataset", recipe.data, split="test")
    except UsageError as error:
        err.print(f"colddiff: checking on noise, the data set is not at hand: {error}")
        return None
    return from_uint8(dataset.images(range(min(count, len(dataset)))))


def show(report: ExportReport) -> None:
    """Print what was written and how well it agrees with torch."""
    rows = []
    for case, error in report.checks.items():
        mean, times = report.mean_errors.get(case), report.milliseconds.get(case, ())
        figures = ("" if mean is None else f"{mean:.1e}", *(f"{value:.1f}" for value in times))
        rows.append((case, f"{error:.1e}", *figures))
    if rows:
        headings = ("Checked against torch", "Largest difference", "Mean", "torch ms", "file ms")
        show_table(rows, headings, numbers=True)
    else:
        err.print("colddiff: not checked against torch, as asked")
    ratio = "" if report.snr is None else f", signal to noise {report.snr:.1f} dB"
    out.print(
        f"{report.path}  {report.size / 1e6:.1f} MB, {report.nodes} nodes, "
        f"tolerance {report.tolerance:.0e}{ratio}"
    )
