"""`colddiff export`: a model folder in one file that runs anywhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colddiff_cli.options import Model

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core.exporter import ExportReport
    from colddiff_core.recipe import Recipe


def export(
    model: Model,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="The file format.")
    ] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The file.", show_default="MODEL.onnx"),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="naive (Algorithm 1), improved (Algorithm 2) or another.",
            show_default="the model's own",
        ),
    ] = None,
    opset: Annotated[
        int | None,
        typer.Option(metavar="N", help="ONNX operator set.", show_default="the format's own"),
    ] = None,
) -> None:
    """Export a model with its whole sampling loop, and check the file against torch.

    If ONNX Runtime and torch disagree, no file is left. The file runs without this project;
    `colddiff restore FILE` runs it without torch.

    Example: `colddiff export digits --format onnx -o digits.onnx`
    """
    from colddiff_cli.console import err
    from colddiff_core.errors import UsageError
    from colddiff_core.model_folder import resolved_recipe
    from colddiff_core.process import ColdDiffusion
    from colddiff_core.registry import build

    exporter = build("exporter", format_, **({} if opset is None else {"opset": opset}))
    target = output or model.parent / (model.resolve().name + exporter.suffix)
    if target.suffix != exporter.suffix:
        raise UsageError(f"-o {target}: expected a name that ends in {exporter.suffix}")
    process = ColdDiffusion.load(model)
    recipe = resolved_recipe(process)
    if sampler is not None:
        process.sampler = build("sampler", sampler)
    with err.status("exporting and checking"):
        report = exporter.export(process, target, images=held_out_images(recipe))
    show(report)


def held_out_images(recipe: "Recipe", count: int = 8) -> "Tensor | None":
    """Test images of the model's data set to check on; None where the data set is not at hand."""
    from colddiff_cli.console import err
    from colddiff_core.errors import UsageError
    from colddiff_core.recipe import build_table
    from colddiff_core.value_range import from_uint8

    if recipe.data is None:
        return None
    try:
        dataset = build_table("dataset", recipe.data, split="test")
    except UsageError as error:
        err.print(f"colddiff: checking on noise, the data set is not at hand: {error}")
        return None
    return from_uint8(dataset.images(range(min(count, len(dataset)))))


def show(report: "ExportReport") -> None:
    """Print what was written and how well it agrees with torch."""
    from rich.table import Table

    from colddiff_cli.console import out

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Checked against torch")
    table.add_column("Largest difference", justify="right")
    for case, error in report.checks.items():
        table.add_row(case, f"{error:.1e}")
    out.print(table)
    out.print(
        f"{report.path}  {report.size / 1e6:.1f} MB, {report.nodes} nodes, "
        f"tolerance {report.tolerance:.0e}",
        markup=False,
    )
