"""`colddiff evaluate`: the paper's rows and figures for a model of one's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from colddiff_cli import options
from colddiff_cli.console import counting, out, show_table
from colddiff_cli.labels import ROWS
from colddiff_cli.options import levels_in, option, output_option
from colddiff_core import ColdDiffusion, ImageDataset, UsageError
from colddiff_core import evaluate as run
from colddiff_core.contracts.recipe import ComponentTable
from colddiff_core.contracts.timesteps import chosen
from colddiff_core.devices import torch_device
from colddiff_core.disk import write_atomically
from colddiff_core.evaluation.features import feature_network
from colddiff_core.evaluation.record import Evaluation, read_evaluation
from colddiff_core.models.recipe import build_table, parse_assignment

_HEADINGS = {"rmse": "RMSE", "psnr": "PSNR", "ssim": "SSIM", "frechet": "Fréchet"}
_DIGITS = {"rmse": 4, "psnr": 2, "ssim": 4, "frechet": 2}


def evaluate(
    model: options.ModelFolder,
    data: Annotated[str | None, option("NAME", "A data set.", "the model's own")] = None,
    settings: options.Settings = None,
    split: Annotated[str, option("SPLIT", "test or train.")] = "test",
    images: Annotated[int | None, option("N", "The first so many images.", "all", min=1)] = None,
    steps: options.Steps = None,
    timesteps: options.Timesteps = None,
    features: options.Features = None,
    feature_weights: options.FeatureWeights = None,
    beside: Annotated[
        list[Path] | None,
        option(
            "FILE", "Show the figures of another model, as -o wrote them, too; may be repeated."
        ),
    ] = None,
    batch_size: Annotated[int, option("N", "Images at a time.", min=1)] = 100,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    file: Annotated[Path | None, output_option("FILE", "Write the JSON here as well.")] = None,
    as_json: options.Json = False,
) -> None:
    """Degrade held-out images, restore them in three ways, and print how far off they are.

    RMSE is on [0, 1], pooled over all pixels as in the paper; PSNR (dB) and SSIM are means over
    the images. A Fréchet distance is between a row's images and the clean ones. The JSON holds
    the protocol with the figures; figures of another protocol are not shown beside these.
    `--set` sets a parameter of the data set.

    Example: `colddiff evaluate digits --images 1000`
    """
    if feature_weights is not None and features is None:
        raise UsageError("--feature-weights: is for --features")
    others = {str(path): read_evaluation(path) for path in beside or []}
    network = None if features is None else feature_network(features, feature_weights)

    process = ColdDiffusion.load(model).to(torch_device(device))
    levels = chosen(process.num_steps, steps=steps, timesteps=levels_in(timesteps))
    dataset = _dataset(process, data, split, settings or [])
    asked: dict[str, Any] = {
        "split": split,
        "count": images,
        "timesteps": levels,
        "seed": seed,
        "features": network,
    }
    with counting("evaluating") as on_batch:
        found = run(
            process, dataset, **asked, beside=others, batch_size=batch_size, on_batch=on_batch
        )
    if file is not None:
        write_atomically(file, found.to_json() + "\n")
    if as_json:
        typer.echo(found.to_json())  # with the version of its own, as in the file
    else:
        _print({str(model): found, **others})


def _dataset(
    process: ColdDiffusion, name: str | None, split: str, settings: list[str]
) -> ImageDataset:
    if split not in ("test", "train"):
        raise UsageError(f"--split {split}: expected test or train")
    own = process.recipe.data if process.recipe else None
    name = name or (own.name if own else None)
    if name is None:
        raise UsageError("the model does not say what it was trained on; name a data set by --data")
    params = own.params if own and own.name == name else {}
    table = {"name": name, **params, **dict(map(parse_assignment, settings))}
    return build_table("dataset", ComponentTable(**table), split=split)  # type: ignore[no-any-return]


def _print(evaluations: Mapping[str, Evaluation]) -> None:
    found = next(iter(evaluations.values()))
    agreed = found.protocol
    figures = list(next(iter(found.rows.values())))
    rows = []
    for name, evaluation in evaluations.items():
        if len(evaluations) > 1:
            rows.append([f"{name}:"])
        for row, values in evaluation.rows.items():
            cells = (f"{values[f]:.{_DIGITS[f]}f}" if f in values else "" for f in figures)
            rows.append([ROWS.get(row, row), *cells])
    show_table(rows, ["", *(_HEADINGS[figure] for figure in figures)], numbers=True)
    distance = agreed["metrics"]["frechet"]
    data = agreed["data"]["name"] if agreed["data"] else "data"
    out.print(
        f"{agreed['images']} images of {data} ({agreed['split']}), "
        f"{len(agreed['timesteps']) - 1} steps, seed {agreed['seed']}, "
        + (f"Fréchet distance on {distance['features']}, " if distance else "")
        + f"protocol {found.protocol_hash}"
    )
