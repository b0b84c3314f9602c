"""A few steps of a run, to see that it fits and what it costs; nothing is written."""

import itertools
import sys
import time
from dataclasses import dataclass

import torch

from colddiff_core.contracts.recipe import Recipe
from colddiff_core.models.folder import resolved_recipe
from colddiff_core.training.checks import check_parts
from colddiff_core.training.distributed import World, joined
from colddiff_core.training.minibatch import Feed
from colddiff_core.training.setup import fit_prior, prepare, task_of_recipe

_WARM_UP, _TIMED = 2, 5  # steps
_LONG = 20.0  # seconds, after which no further step is timed


@dataclass(frozen=True)
class DryRun:
    """What a few steps showed.

    Attributes:
        recipe: resolved, every parameter written out.
        parameters: numbers that training changes.
        memory: bytes at the most, None where the system does not tell.
        memory_of: whose memory it is.
        images_per_second: of all processes together, sample grids and checkpoints not counted.
        steps: of the whole run.
        batch_size: images of a step.
        device: of this process.
    """

    recipe: Recipe
    parameters: int
    memory: int | None
    memory_of: str
    images_per_second: float
    steps: int
    batch_size: int
    device: str


def dry_run(recipe: Recipe, device: str | torch.device = "cpu", *, at_least: float = 0.0) -> DryRun:
    """Train for a few steps and forget it.

    Args:
        recipe: what to train on what.
        device: where.
        at_least: seconds to go on for; a rate over a few steps is a rough one.

    Raises:
        UsageError: the recipe does not fit together.
    """
    with joined(device) as world, torch.random.fork_rng(devices=[]):
        task = task_of_recipe(recipe)
        engine = prepare(task, world)
        fit_prior(engine.process, task.data)
        settings = engine.settings
        feed = Feed(task.data, engine.process, settings.batch_size, settings.seed)
        check_parts(engine, feed)
        places = world.share(settings.batch_size)
        began = now = 0.0
        timed = 0
        for step in itertools.count(1):
            loss = engine.step(step, feed.minibatches(step, places, settings.accumulate))
            loss.item()  # waits for the device
            now = time.perf_counter()
            if step <= _WARM_UP:
                began = now
            else:
                timed += 1
                enough = timed >= _TIMED and now - began >= at_least
                if world.max(int(enough or now - began > max(_LONG, at_least))):
                    break
        memory, memory_of = _memory(world)
        return DryRun(
            resolved_recipe(engine.averaged),
            sum(parameter.numel() for parameter in engine.network.parameters()),
            memory,
            memory_of,
            timed * settings.batch_size / (now - began),
            settings.steps,
            settings.batch_size,
            str(world.device),
        )


def _memory(world: World) -> tuple[int | None, str]:
    """Bytes at the most, and whose they are."""
    if world.device.type == "cuda":
        return torch.cuda.max_memory_allocated(world.device), "of tensors on the GPU"
    if sys.platform == "win32":
        return None, "of this process"
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes
    return peak * (1 if sys.platform == "darwin" else 1024), "of this process, torch included"
