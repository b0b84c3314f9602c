"""`colddiff demo`: the whole road, from bundled digits to one ONNX file, in a few minutes."""

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import torch

from colddiff_cli.console import err, out, show_table
from colddiff_cli.labels import ROWS
from colddiff_cli.options import option, output_option
from colddiff_cli.training import train_with_progress
from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import write_atomically
from colddiff_core.evaluation.comparison import compare, rmse
from colddiff_core.models.recipe import build_table, load_recipe
from colddiff_core.pictures.batches import from_batch, tile
from colddiff_core.pictures.value_range import from_uint8
from colddiff_core.pictures.writing import write_image
from colddiff_core.registry.components import build
from colddiff_core.restoration.opening import open_model
from colddiff_core.training.randomness import generator

RECIPE = "mnist-demo"
_RESULTS = "results.json"
_MARKER = ".made-by-colddiff-demo"  # only a folder that holds it is ever replaced
_SHOWN = 10  # digits in the picture
_MEASURED = 200  # held-out digits behind the figures
_FOLDERS = ("original", "degraded")  # of single digits, to try `colddiff restore` on


def demo(
    output: Annotated[Path, output_option("DIR", "Where everything goes.")] = Path("colddiff-demo"),
    steps: Annotated[
        int, option("N", "Training steps; fewer are faster and restore worse.", min=1)
    ] = 500,
) -> None:
    """Train, restore and export on bundled digits: three minutes on two cores.

    Trains a small network to undo a heavy blur of MNIST digits, restores held-out digits in one
    step, by Algorithm 1 and by Algorithm 2, exports the whole sampler as one ONNX file, and
    restores the same digits from that file. Needs no network and no GPU.
    """
    if output.exists() and not is_replaceable(output):
        raise UsageError(f"{output}: exists and is not from a demo; name another folder with -o")
    recipe = load_recipe(RECIPE, [f"train.steps={steps}"])
    model, exported = output / "model", output / "model.onnx"
    if output.exists():
        shutil.rmtree(output)
    write_atomically(output / _MARKER, "colddiff demo replaces the folder that this file is in\n")
    err.print(f"Training a restorer for {steps} steps; recipe {RECIPE}", style="bold")
    process = train_with_progress(recipe, model, "cpu")

    assert recipe.data is not None  # noqa: S101 - it was just trained on
    dataset = build_table("dataset", recipe.data, split="test")
    x0 = from_uint8(dataset.images(range(_MEASURED)))
    with err.status(f"restoring {_MEASURED} held-out digits in torch"):
        found = compare(process, x0, generator(0, "demo"))
    with err.status("exporting, and checking the file against torch"):
        report = build("exporter", "onnx").export(process, exported, images=x0)
    with err.status(f"restoring {_MEASURED} held-out digits from the ONNX file"):
        from_file = open_model(exported, device="cpu").restore(found["degraded"].numpy())
    rows = {"original": x0, **found, "onnx": torch.from_numpy(from_file)}
    errors = {name: rmse(images, x0) for name, images in rows.items() if name != "original"}
    difference = (rows["onnx"] - rows["improved"]).abs().max().item()
    pictures = {name: from_batch(images[:_SHOWN].numpy()) for name, images in rows.items()}
    write_image(output / "restored.png", tile(list(pictures.values()), zoom=2))
    for name in _FOLDERS:
        for k, picture in enumerate(pictures[name]):
            write_image(output / name / f"{k}.png", picture)
    results = {
        "images": _MEASURED,
        "steps": steps,
        "rmse": errors,
        "rmse_over_degraded": {name: e / errors["degraded"] for name, e in errors.items()},
        "onnx_max_difference": difference,
        "onnx_checks": dict(report.checks),
    }
    write_atomically(output / _RESULTS, json.dumps(results, indent=2) + "\n")
    _print(results, output)
    out.print(str(output.resolve()))


def is_replaceable(folder: Path) -> bool:
    """Whether a demo may replace `folder`: it is empty, or an earlier demo made it."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    return not names or _MARKER in names


def _print(results: dict[str, Any], output: Path) -> None:
    show_table(
        [
            (ROWS[name], f"{error:.3f}", f"{results['rmse_over_degraded'][name]:.2f}")
            for name, error in results["rmse"].items()
        ],
        ("", "RMSE", "of degraded"),
        title=f"RMSE on {results['images']} held-out digits, range [0, 1]",
        numbers=True,
    )
    out.print(
        f"ONNX Runtime and torch differ by at most {results['onnx_max_difference']:.1e}.",
        "",
        f"{output / 'restored.png'}  original, degraded, one step, Algorithms 1 and 2, ONNX",
        f"{output / 'original'}, {output / 'degraded'}  the digits one by one",
        f"{output / 'model'}  the model folder",
        f"{output / 'model.onnx'}  restorer, degradation and sampling loop in one file",
        f"{output / _RESULTS}  these figures",
        sep="\n",
    )
