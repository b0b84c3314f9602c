"""From a recipe, or from objects, to an engine, with nothing written."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.errors import RecipeError, UsageError
from colddiff_core.contracts.recipe import ComponentTable, Recipe, TrainTable
from colddiff_core.contracts.restorer import Restorer
from colddiff_core.models.folder import resolved_recipe
from colddiff_core.models.recipe import build_table
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.schema import validate_table
from colddiff_core.training.checks import check_compiler, check_process
from colddiff_core.training.distributed import World
from colddiff_core.training.engine import Engine
from colddiff_core.training.images import as_x0, data_of

_FIT_BATCH = 500  # images a prior sees at a time
_WARM_UP = 100  # steps, unless the run is short


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What is to be learnt from what.

    Attributes:
        process: to be trained.
        data: to learn from.
        held_out: shown in sample grids.
        settings: how to train.
    """

    process: ColdDiffusion
    data: ImageDataset
    held_out: ImageDataset
    settings: TrainTable


def task_of_recipe(recipe: Recipe) -> Task:
    """Build the data sets and the process of a recipe.

    Raises:
        UsageError: the recipe has no data, or does not fit together.
    """
    if recipe.data is None:
        raise RecipeError("the recipe has no [data] table, so there is nothing to train on")
    settings = recipe.train or TrainTable()
    data, held_out = (
        build_table("dataset", recipe.data, split=split) for split in ("train", "test")
    )
    shape = data.image_shape
    if recipe.image_shape not in (None, shape):
        raise RecipeError(f"image_shape: the recipe says {recipe.image_shape}, the data {shape}")
    torch.manual_seed(settings.seed)  # torch initialises networks from its global state
    process = ColdDiffusion.from_recipe(recipe, shape)
    process.recipe = recipe
    return Task(process, data, held_out, settings)


def task_of_objects(
    process: ColdDiffusion,
    images: ImageDataset | Iterable[Any],
    settings: TrainTable | Mapping[str, Any],
) -> Task:
    """Take a process and images as they are.

    Raises:
        UsageError: a setting is unknown or out of range, or the images do not fit the process.
    """
    if not isinstance(settings, TrainTable):
        checked = validate_table(TrainTable, settings, where="settings", error=RecipeError)
        settings = checked
    data = data_of(images)
    restorer = process.restorer
    if isinstance(restorer, Restorer) and tuple(restorer.image_shape) != tuple(data.image_shape):
        raise UsageError(
            f"images: are {tuple(data.image_shape)}, and the restorer was made for "
            f"{tuple(restorer.image_shape)}"
        )
    process.image_shape = data.image_shape
    process.recipe = resolved_recipe(process)
    table = ComponentTable.of(data.config) if data.config else None
    process.recipe = process.recipe.model_copy(update={"data": table})
    return Task(process, data, data, settings)


def prepare(task: Task, world: World, precision: str | None = None) -> Engine:
    """Make the engine that trains; no prior is fitted.

    Args:
        task: what it learns.
        world: the processes that train together.
        precision: what `auto` was taken for when the run began; None at its beginning.

    Raises:
        UsageError: the settings do not fit each other, the network or the machine.
    """
    settings = task.settings
    smallest = world.size * settings.accumulate
    if settings.batch_size < smallest:
        raise RecipeError(
            f"train.batch_size: expected {smallest} or more, an image for each of {world.size} "
            f"processes x {settings.accumulate} parts; got {settings.batch_size}"
        )
    if "warmup_steps" not in settings.model_fields_set:
        few = min(_WARM_UP, settings.steps // 10)
        settings = settings.model_copy(update={"warmup_steps": few})
    elif settings.warmup_steps >= settings.steps:
        _log.warning(
            "train.warmup_steps = %d: the learning rate still rises when the run ends, after "
            "train.steps = %d",
            *(settings.warmup_steps, settings.steps),
        )
    if settings.precision == "auto":
        if precision not in ("bf16", "fp32"):
            precision = "bf16" if _computes_in_bf16(world.device) else "fp32"
        settings = settings.model_copy(update={"precision": precision})
        _log.info("train.precision: auto is %s on %s", precision, world.device)
    check_process(task.process)
    if settings.compile:
        check_compiler(world.device)
    engine = Engine(task.process, settings, world)
    assert task.process.recipe is not None  # noqa: S101 - each way to a task sets it
    engine.averaged.recipe = task.process.recipe.model_copy(update={"train": settings})
    return engine


def fit_prior(process: ColdDiffusion, data: ImageDataset) -> None:
    """Let the prior learn what it learns before training."""
    if process.prior is not None:
        every = range(len(data))
        process.prior.fit(
            as_x0(data.images(every[k : k + _FIT_BATCH])) for k in range(0, len(data), _FIT_BATCH)
        )


def _computes_in_bf16(device: torch.device) -> bool:
    """Whether that is any faster: old CPUs emulate it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    of_cpu: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    capabilities = of_cpu()  # none where torch is too old to tell
    names = ("avx512_bf16", "amx_bf16", "bf16")  # the last is what ARM calls it
    return device.type == "cpu" and any(capabilities.get(name) for name in names)
