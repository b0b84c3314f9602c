"""From a recipe to a data set and an engine, with nothing written."""

import torch

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.errors import RecipeError
from colddiff_core.contracts.recipe import Recipe, TrainTable
from colddiff_core.models.recipe import build_table
from colddiff_core.pictures.value_range import from_uint8
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.distributed import World
from colddiff_core.training.engine import Engine

_FIT_BATCH = 500  # images a prior sees at a time


def prepare(recipe: Recipe, world: World) -> tuple[Engine, ImageDataset]:
    """Build the data set and the network of a recipe; no prior is fitted.

    Raises:
        UsageError: the recipe has no data, or does not fit together.
    """
    if recipe.data is None:
        raise RecipeError("the recipe has no [data] table, so there is nothing to train on")
    settings = recipe.train or TrainTable()
    smallest = world.size * settings.accumulate
    if settings.batch_size < smallest:
        raise RecipeError(
            f"train.batch_size: expected {smallest} or more, an image for each of {world.size} "
            f"processes x {settings.accumulate} parts; got {settings.batch_size}"
        )
    dataset: ImageDataset = build_table("dataset", recipe.data, split="train")
    shape = dataset.image_shape
    if recipe.image_shape not in (None, shape):
        raise RecipeError(f"image_shape: the recipe says {recipe.image_shape}, the data {shape}")
    torch.manual_seed(settings.seed)  # torch initialises networks from its global state
    engine = Engine(ColdDiffusion.from_recipe(recipe, shape), settings, world)
    engine.averaged.recipe = recipe.model_copy(update={"train": settings})
    return engine, dataset


def fit_prior(process: ColdDiffusion, dataset: ImageDataset) -> None:
    """Let the prior learn what it learns before training."""
    if process.prior is not None:
        every = range(len(dataset))
        process.prior.fit(
            from_uint8(dataset.images(every[k : k + _FIT_BATCH]))
            for k in range(0, len(dataset), _FIT_BATCH)
        )
