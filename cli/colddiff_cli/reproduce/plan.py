"""What is going to be done for one data set, decided once and then kept beside the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from colddiff_cli.console import err
from colddiff_cli.reproduce.budget import TRAINING_SHARE, Budget, images_in, small, steps_in
from colddiff_core import ImageDataset, Recipe, Split, UsageError, load_recipe
from colddiff_core.contracts.recipe import ComponentTable
from colddiff_core.disk import write_atomically
from colddiff_core.evaluation.features import FeatureNetwork
from colddiff_core.models.recipe import build_table
from colddiff_core.training.dry_run import dry_run

_FILE = "plan.json"
_MAX_BYTES = 1_000_000
_TIMED = 15.0  # seconds
_MOST_IMAGES = 10_000  # as the paper's test sets have


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        budget: of the data set.
        data: where the data are; None for what is bundled.
        images: to evaluate on; None for as many as the budget affords.
        settings: as for `--set`, over everything else.
        seed: of training, and of what evaluation draws.
        device: where to compute.
    """

    budget: Budget
    data: Path | None
    images: int | None
    settings: tuple[str, ...]
    seed: int
    device: str

    def facts(self, recipe: str) -> dict[str, Any]:
        """What decides about the plan of a recipe, as JSON can hold."""
        return {
            "recipe": recipe,
            "budget": self.budget.text,
            "data": None if self.data is None else str(self.data.resolve()),
            "images": self.images,
            "settings": list(self.settings),
            "seed": self.seed,
        }

    def names(self) -> list[str]:
        """Of what `settings` set."""
        return [setting.partition("=")[0] for setting in self.settings]


class Plan(BaseModel):
    """What is done, and why; this is what the file holds.

    Attributes:
        request: what decided about it, see `Request.facts`.
        recipe: to train; where a model is there already, the table's.
        images: evaluated on, as far as there are so many.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    schema_version: Literal[1] = 1
    request: dict[str, Any]
    recipe: Recipe
    images: int

    def dataset(self, split: Split) -> ImageDataset:
        """Open the data.

        Raises:
            UsageError: they are missing or damaged.
        """
        assert self.recipe.data is not None  # noqa: S101 - the paper's recipes have data
        dataset: ImageDataset = build_table("dataset", self.recipe.data, split=split)
        return dataset

    def count(self, dataset: ImageDataset) -> int:
        """How many of its images are taken; says so where more were asked for."""
        if self.request.get("images") and self.images > len(dataset):
            err.print(f"colddiff: --images {self.images}: there are {len(dataset)}, all are taken")
        return min(self.images, len(dataset))


def reuse(recipe: str, request: Request) -> Plan:
    """What is done with a model that is there already.

    Raises:
        UsageError: the data are not bundled, and no folder was named.
    """
    made = _with(recipe, request, [])
    images = request.images or _MOST_IMAGES
    return Plan(request=request.facts(recipe), recipe=made, images=images)


def check(recipe: str, request: Request, split: Split, features: FeatureNetwork | None) -> None:
    """Open the data before anything is trained, and show the feature network one of the images.

    Raises:
        UsageError: the data are missing, or not of the network's kind.
    """
    dataset = reuse(recipe, request).dataset(split)
    if features is not None:
        features(dataset.images([0]))


def plan(
    recipe: str, request: Request, folder: Path, *, passes_per_image: int, share: float = 1.0
) -> Plan:
    """Decide, or take what was decided in `folder` before.

    Args:
        recipe: name of the paper's recipe.
        request: what was asked for.
        folder: of this recipe's results.
        passes_per_image: through the network, to evaluate one image.
        share: of the budget, where a data set needs several recipes.

    Raises:
        UsageError: `folder` holds the results of another request, or the recipe does not fit.
    """
    path = folder / _FILE
    if path.exists():
        return _read(path, request.facts(recipe))
    made = _decide(recipe, request, passes_per_image, share)
    write_atomically(path, made.model_dump_json(indent=2, exclude_none=True) + "\n")
    return made


def _decide(name: str, request: Request, passes: int, share: float) -> Plan:
    budget = request.budget
    settings = [] if budget.unit == "full" else small(max(1, int(budget.amount)))
    recipe = _with(name, request, settings)
    images = request.images or _MOST_IMAGES
    if budget.unit == "minutes":
        with err.status(f"timing the network for {_TIMED:.0f} seconds"):
            found = dry_run(recipe, request.device, at_least=_TIMED)
        minutes = budget.amount * share
        steps = steps_in(minutes * TRAINING_SHARE, found.images_per_second, found.batch_size)
        recipe = _with(name, request, small(steps))
        left = minutes * (1 - TRAINING_SHARE) / 2  # the machine may slow down
        images = request.images or images_in(left, found.images_per_second, passes)
    return Plan(request=request.facts(name), recipe=recipe, images=images)


def _with(name: str, request: Request, settings: Sequence[str]) -> Recipe:
    recipe = load_recipe(name, [f"train.seed={request.seed}", *settings, *request.settings])
    return recipe.model_copy(update={"data": _data(recipe, request.data)})


def _data(recipe: Recipe, folder: Path | None) -> ComponentTable:
    table = recipe.data
    assert table is not None  # noqa: S101 - the paper's recipes have data
    if folder is not None:
        return ComponentTable(name=table.name, **{**table.params, "folder": str(folder)})
    if table.name == "mnist" and "folder" not in table.params:
        return ComponentTable(name="mnist-mini", **table.params)
    if table.name in ("mnist", "cifar10", "folder") and "folder" not in table.params:
        raise UsageError(f"--data: the data set {table.name} is not bundled; name its folder")
    return table


def _read(path: Path, asked: Mapping[str, Any]) -> Plan:
    try:
        with path.open("rb") as file:
            found = Plan.model_validate_json(file.read(_MAX_BYTES))
    except (OSError, ValidationError):
        raise UsageError(f"{path}: damaged; remove it, or name another folder with -o") from None
    different = [
        f"{name} was {found.request.get(name)!r} and is {value!r}"
        for name, value in asked.items()
        if found.request.get(name) != value
    ]
    if different:
        raise UsageError(
            f"{path.parent}: holds results of another request: {'; '.join(different)}; name "
            f"another folder with -o"
        )
    return found
