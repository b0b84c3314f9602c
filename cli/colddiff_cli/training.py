"""Training under a progress bar."""

import logging
from pathlib import Path

from colddiff_cli.console import err, out, progress
from colddiff_core import ColdDiffusion, Recipe, TrainingStep, train
from colddiff_core.training.dry_run import dry_run


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
    out.print(*lines, sep="\n")


def train_with_progress(recipe: Recipe, folder: Path, device: str) -> ColdDiffusion:
    """Train, and show where it goes on from, loss, rate and time left on stderr."""
    logging.getLogger("colddiff_core.training").setLevel(logging.INFO)
    with progress() as display:
        task = display.add_task("training", total=None, note="")

        def show(step: TrainingStep) -> None:
            note = f"loss {step.loss:.4f}  {step.images_per_second:.0f} images/s"
            display.update(task, total=step.steps, completed=step.step, note=note)

        return train(recipe, folder, device=device, on_log=show)
