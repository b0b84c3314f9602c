"""The model of a plan: trained, trained further, or one that is there already."""

from pathlib import Path
from typing import Any

from colddiff_cli.console import err
from colddiff_cli.training import train_with_progress
from colddiff_core import ColdDiffusion, Recipe, UsageError, build_table
from colddiff_core.models.facts import RECIPE, load_provenance
from colddiff_core.training.metrics import read_lines

_MOST_POINTS = 300  # of a curve in a page


def trained(recipe: Recipe, folder: Path, device: str) -> ColdDiffusion:
    """Train in `folder`, go on with a run that was stopped there, or take the finished model.

    Raises:
        UsageError: what is in `folder` does not fit.
        Interrupted: by a signal; the same command goes on.
    """
    if (folder / RECIPE).exists():
        err.print(f"{folder}: trained before, taken as it is")
        return ColdDiffusion.load(folder).to(device)
    return train_with_progress(recipe, folder, device)


def existing(folder: Path, recipe: Recipe, device: str) -> ColdDiffusion:
    """A model from elsewhere, if it undoes what the table is about.

    Raises:
        UsageError: its degradation is another, or it is no model folder.
    """
    process = ColdDiffusion.load(folder)
    expected = build_table("degradation", recipe.degradation)
    found, wanted = process.degradation.config, expected.config
    if found is None or (found.name, found.params) != (wanted.name, wanted.params):
        was = "unknown" if found is None else f"{found.name} {found.params}"
        raise UsageError(
            f"--model {folder}: undoes another degradation than the table's: {was}, expected "
            f"{wanted.name} {wanted.params}"
        )
    return process.to(device)


def training_facts(process: ColdDiffusion, folder: Path) -> dict[str, Any]:
    """How the model was trained, with its losses, as far as its folder says."""
    points = [
        [line["step"], line["loss"]]
        for line in read_lines(folder)
        if isinstance(line.get("step"), int) and isinstance(line.get("loss"), float)
    ]
    every = max(1, len(points) // _MOST_POINTS)
    training = load_provenance(folder).get("training")
    return {
        "recipe": None
        if process.recipe is None
        else process.recipe.model_dump(mode="json", exclude_none=True),
        **(training if isinstance(training, dict) else {}),
        "parameters": sum(p.numel() for p in process.restorer.parameters()),
        "loss": points[::every],
    }
