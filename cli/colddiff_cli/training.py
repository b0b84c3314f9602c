"""Training under a progress bar, for `train` and `demo`."""

import logging
from pathlib import Path

import typer

from colddiff_cli.console import err, out, progress
from colddiff_core.contracts.errors import ColdDiffError, Interrupted
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.contracts.steps import TrainingStep
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.distributed import is_first
from colddiff_core.training.dry_run import dry_run
from colddiff_core.training.trainer import train


def train_to_the_end(recipe: Recipe, folder: Path, device: str) -> None:
    """Train and print the folder; of several processes, only the first speaks.

    Raises:
        typer.Exit: stopped by a signal, or not the first process.
        ColdDiffError: see `train`.
    """
    logging.getLogger("colddiff_core.training").setLevel(logging.INFO)  # where it goes on from
    try:
        train_with_progress(recipe, folder, device)
    except Interrupted as stopped:
        if is_first():
            err.print(f"colddiff: {stopped}")
        raise typer.Exit(stopped.exit_code) from None
    except ColdDiffError as error:
        if is_first():
            raise
        raise typer.Exit(error.exit_code) from None
    if is_first():
        out.print(str(folder))


def rehearse(recipe: Recipe, device: str) -> None:
    """Print the resolved recipe and, as comments below it, what a few steps of it cost."""
    with err.status("trying a few steps"):
        found = dry_run(recipe, device)
    memory = "unknown" if found.memory is None else f"{found.memory / 2**30:.2f} GiB"
    hours = found.steps * found.batch_size / found.images_per_second / 3600
    lines = (
        *found.recipe.to_toml().splitlines(),
        "",
        f"# parameters: {found.parameters:,}",
        f"# memory: {memory} at the most, {found.memory_of}",
        f"# images per second: {found.images_per_second:.1f} on {found.device}",
        f"# {found.steps:,} steps of {found.batch_size} images: {hours:.2f} hours",
    )
    if is_first():
        out.print(*lines, sep="\n")


def train_with_progress(recipe: Recipe, folder: Path, device: str) -> ColdDiffusion:
    """Train, and show loss, rate and time left on stderr."""
    with progress() as display:
        task = display.add_task("training", total=None, note="")

        def show(step: TrainingStep) -> None:
            note = f"loss {step.loss:.4f}  {step.images_per_second:.0f} images/s"
            display.update(task, total=step.steps, completed=step.step, note=note)

        return train(recipe, folder, device=device, on_log=show)
