"""Training under a progress bar, for `train` and `demo`."""

from pathlib import Path

from colddiff_cli.console import progress
from colddiff_core.process import ColdDiffusion
from colddiff_core.recipe import Recipe
from colddiff_core.training import TrainingStep, train


def train_with_progress(recipe: Recipe, folder: Path, device: str) -> ColdDiffusion:
    """Train, and show loss, rate and time left on stderr."""
    with progress() as display:
        task = display.add_task("training", total=None, note="")

        def show(step: TrainingStep) -> None:
            note = f"loss {step.loss:.4f}  {step.images_per_second:.0f} images/s"
            display.update(task, total=step.steps, completed=step.step, note=note)

        return train(recipe, folder, device=device, on_log=show)
