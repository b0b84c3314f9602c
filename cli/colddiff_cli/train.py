"""`colddiff train`: from a recipe to a model folder."""

from pathlib import Path
from typing import Annotated

import typer

from colddiff_cli.console import out
from colddiff_cli.options import Device, Settings, flag, output_option
from colddiff_cli.training import rehearse, train_with_progress
from colddiff_core import UsageError, load_recipe
from colddiff_core.devices import torch_device
from colddiff_core.models.facts import RECIPE


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A TOML file, or the name of a recipe.")
    ],
    folder: Annotated[Path | None, output_option("DIR", "The model folder.", "runs/RECIPE")] = None,
    settings: Settings = None,
    device: Device = "auto",
    dry_run: Annotated[
        bool, flag("--dry-run", "Print the whole recipe and what a few steps cost; write nothing.")
    ] = False,
) -> None:
    """Train a restorer and write a model folder, or go on with a run that was stopped.

    The folder receives the resolved recipe, the weights, where they come from, one line of
    `metrics.jsonl` for each logged step, and pictures in `samples/`.

    Ctrl-C and SIGTERM let the step be finished and saved; the exit code is then 130 or 143. To
    resume, also after a crash, run the same command again. Several GPUs:
    `torchrun --nproc-per-node 8 -m colddiff_cli train …`

    Example: `colddiff train mnist-demo -o digits --set train.steps=1000`
    """
    loaded = load_recipe(recipe, settings or [])
    folder = folder or Path("runs") / Path(recipe).stem
    if (folder / RECIPE).resolve() == Path(recipe).resolve():
        raise UsageError(
            f"-o {folder}: training writes its own {RECIPE} there, over {recipe}; rename {recipe}, "
            f"or name another folder"
        )
    where = torch_device(device)
    if dry_run:
        rehearse(loaded, where)
    else:
        train_with_progress(loaded, folder, where)
        out.print(str(folder))
