"""A training run: from a recipe, or from objects, to a model folder, whatever happens on the way.

`train` may be called again after any end: it goes on from the newest checkpoint, and on a CPU the
weights are, bit for bit, those of a run that was never interrupted.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.errors import ColdDiffError, Interrupted, UsageError
from colddiff_core.contracts.recipe import Recipe, TrainTable
from colddiff_core.contracts.steps import TrainingStep
from colddiff_core.disk import os_errors_as, remove_parts
from colddiff_core.models.facts import RECIPE
from colddiff_core.models.folder import save_model
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.events import emit
from colddiff_core.training.checkpoint import CHECKPOINTS, Checkpoint, Checkpoints, Progress
from colddiff_core.training.checks import check_parts
from colddiff_core.training.distributed import World, joined
from colddiff_core.training.engine import learning_rate
from colddiff_core.training.interrupts import Interrupts
from colddiff_core.training.lock import locked
from colddiff_core.training.metrics import MetricsFile
from colddiff_core.training.minibatch import Feed
from colddiff_core.training.resuming import check_same_run, facts_of
from colddiff_core.training.samples import SAMPLES, write_samples
from colddiff_core.training.setup import Task, fit_prior, prepare, task_of_objects, task_of_recipe
from colddiff_core.training.state import capture, resume

Device = str | torch.device | None
OnLog = Callable[[TrainingStep], None] | None

_log = logging.getLogger(__name__)


@overload
def train(
    recipe: Recipe, /, folder: Path | str, *, device: Device = None, on_log: OnLog = None
) -> ColdDiffusion: ...
@overload
def train(
    process: ColdDiffusion,
    /,
    images: ImageDataset | Iterable[Any],
    settings: TrainTable | Mapping[str, Any],
    folder: Path | str,
    *,
    device: Device = None,
    on_log: OnLog = None,
) -> ColdDiffusion: ...
def train(  # type: ignore[misc]  # the second place is the folder's after a recipe
    subject: Recipe | ColdDiffusion,
    /,
    images: Any = None,
    settings: Any = None,
    folder: Any = None,
    *,
    device: Device = None,
    on_log: OnLog = None,
) -> ColdDiffusion:
    """Train a restorer and write its model folder, or go on with a run that was stopped.

    Either by a recipe, `train(recipe, folder)`, or with objects that need not be registered,
    `train(process, images, settings, folder)`. What no recipe can name is saved as weights and
    opened again by `ColdDiffusion.load(folder, restorer=network)`.

    Ctrl-C, SIGTERM and SIGHUP are waited for with: the step is finished and saved, and the same
    call goes on from there. In the processes that `torchrun` starts, only the first writes, and
    calls `on_log`.

    Args:
        subject: the recipe, which says what to train on what; or the process, whose restorer, any
            torch module called as R(x_t, t), is changed in place.
        images: to learn from: a torch `Dataset`, a list, an array or any iterable of images
            (C, H, W), floating point in [-1, 1] or uint8; see `OwnImages`. The first are shown in
            the sample grids.
        settings: how to train, by the names of a recipe's `[train]` table.
        folder: becomes the model folder; `metrics.jsonl`, `samples/` and `checkpoints/` grow in it
            meanwhile.
        device: where to train; when None, where the process is, or on the CPU.
        on_log: called with each line of `metrics.jsonl`.

    Returns:
        The process with the averaged weights, on the device, in evaluation mode.

    Raises:
        UsageError: `folder` already holds a model, or another process trains in it, or what is to
            be trained does not fit together or is not that of the run in `folder`.
        Interrupted: by a signal; what was done is saved.
        ColdDiffError: the loss is no longer finite, or the disk is full; what was saved before
            still is.
    """
    place = images if isinstance(subject, Recipe) and folder is None else folder
    if not isinstance(place, str | Path) or place == "":
        raise UsageError(f"folder: expected the path of a folder to train in, got {place!r:.80}")
    folder = Path(place)
    with os_errors_as(UsageError, folder):  # too long, or not accessible
        if (folder / RECIPE).exists():
            raise UsageError(f"{folder}: already holds a model; name another folder")
    if isinstance(subject, Recipe):
        make, where = partial(task_of_recipe, subject), torch.device("cpu")
    elif isinstance(subject, ColdDiffusion):
        make, where = partial(task_of_objects, subject, images, settings), subject.device
    else:
        raise UsageError(f"train: expected a recipe or a process, got a {type(subject).__name__}")
    with joined(device or where) as world, ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(_gpus(world.device)))
        run = Run(make(), folder, world, on_log)
        world.on_first(lambda: stack.enter_context(locked(folder)))
        interrupts = stack.enter_context(Interrupts())
        run.begin(stack)
        run.go(interrupts)
        return run.finish()


class Run:
    """A run in its folder; see `train`."""

    def __init__(self, task: Task, folder: Path, world: World, on_log: OnLog) -> None:
        self.folder = folder
        self.world = world
        self.on_log = on_log
        self.task = task
        self.checkpoints = Checkpoints(folder)
        self.engine = prepare(task, world, world.on_first(self.checkpoints.precision))
        self.settings = self.engine.settings
        self.feed = Feed(
            task.data, self.engine.process, self.settings.batch_size, self.settings.seed
        )
        self.facts = world.on_first(lambda: facts_of(self.engine.averaged, task.data))
        self.progress = Progress()
        self.losses: list[Tensor] = []  # since the last line of metrics
        self.saved = 0  # step of the newest checkpoint
        self.began = time.perf_counter()
        self.seconds_before = 0.0
        self._restart_clock()

    def begin(self, stack: ExitStack) -> None:
        """Load the newest checkpoint, if there is one, try the parts, and open the metrics."""
        checkpoint = self.world.on_first(self._checkpoint)
        if checkpoint is None:
            fit_prior(self.engine.process, self.task.data)
        else:
            self.progress, losses = resume(self.engine, checkpoint)
            # The losses are sums over the processes; shapes have to agree when they are summed next
            first = self.world.rank == 0
            self.losses = [loss if first else torch.zeros_like(loss) for loss in losses]
            self.saved = checkpoint.step
            if first:
                _log.info("%s: goes on after step %d", self.folder, self.saved)
        check_parts(self.engine, self.feed)
        if self.world.rank == 0:
            self.metrics = stack.enter_context(MetricsFile(self.folder, self.progress.step))
        self.began, self.seconds_before = time.perf_counter(), self.progress.seconds
        self._restart_clock()

    def go(self, interrupts: Interrupts) -> None:
        """Train up to the last step, or until a signal comes."""
        settings = self.settings
        places = self.world.share(settings.batch_size)
        for step in range(self.progress.step + 1, settings.steps + 1):
            minibatches = self.feed.minibatches(step, places, settings.accumulate)
            self.losses.append(self.engine.step(step, minibatches))
            self.progress = replace(self.progress, step=step)
            last = step == settings.steps
            sampling = _due(step, settings.sample_every) or (last and settings.sample_every > 0)
            if step % settings.log_every == 0 or sampling or last:
                self._log()
            if sampling:
                self._write_samples()
            signal = int(self.world.max(interrupts.caught or 0))
            if _due(step, settings.checkpoint_every) or last or signal:
                self._save()
            if signal and not last:
                raise Interrupted(
                    f"{self.folder}: stopped after step {step} of {settings.steps}, which is "
                    f"saved; the same command goes on from there",
                    signal,
                )

    def finish(self) -> ColdDiffusion:
        """Write the model folder."""
        self._on_first(self._save_model)
        return self.engine.averaged

    def _checkpoint(self) -> Checkpoint | None:
        remove_parts(self.folder)
        remove_parts(self.folder / CHECKPOINTS)
        checkpoint = self.checkpoints.newest()
        if checkpoint is not None:
            check_same_run(checkpoint, self.facts, self.folder)
        return checkpoint

    def _log(self) -> None:
        step, settings = self.progress.step, self.settings
        shares = torch.stack(self.losses)
        mean = self.world.sum(shares).mean().item()  # waits for the device
        now = time.perf_counter()
        rate = (step - self.logged_step) * settings.batch_size / (now - self.logged)
        self._restart_clock()
        self.losses = []
        self.progress = replace(self.progress, loss=mean)
        line = TrainingStep(
            step,
            settings.steps,
            mean,
            learning_rate(step, settings),
            step * settings.batch_size,
            rate,
        )
        self._on_first(lambda: self.metrics.write(line))
        if not math.isfinite(mean):
            raise self._diverged(f"the loss is {mean}")
        if self.world.rank == 0:
            if self.on_log is not None:
                self.on_log(line)
            emit(
                "colddiff_training_step",
                step=line,
                process=self.engine.averaged,
                folder=self.folder,
            )

    def _write_samples(self) -> None:
        path = self.folder / SAMPLES / f"{self.progress.step:07d}.png"
        self._on_first(
            lambda: write_samples(
                self.engine.averaged, self.task.held_out, path, self.settings.seed
            )
        )
        self._restart_clock()

    def _save(self) -> None:
        losses = list(self.world.sum(torch.stack(self.losses))) if self.losses else []
        self.progress = replace(self.progress, seconds=self._seconds())

        def save() -> None:
            checkpoint = capture(self.engine, self.progress, losses, self.facts)
            if not all(tensor.isfinite().all() for tensor in checkpoint.tensors.values()):
                raise self._diverged("the weights are no longer finite")
            self.checkpoints.save(checkpoint, self.settings.keep_checkpoints)

        self._on_first(save)
        self.saved = self.progress.step
        self._restart_clock()

    def _save_model(self) -> None:
        progress, settings, data = self.progress, self.settings, self.task.data
        save_model(
            self.engine.averaged,
            self.folder,
            provenance={
                "data": data.config.provenance if data.config else None,
                "data_digest": self.facts["data_digest"],
                "seed": settings.seed,
                "training": {
                    "steps": settings.steps,
                    "images_seen": settings.steps * settings.batch_size,
                    "final_loss": progress.loss,
                    "seconds": round(progress.seconds, 1),
                    "device": str(self.world.device),
                    "processes": self.world.size,
                    "resumed_at": list(progress.resumed_at),
                },
            },
        )

    def _on_first(self, write: Callable[[], None]) -> None:
        """Let the first process write; what cannot be written ends the run, told with what is kept.

        Raises:
            ColdDiffError: it cannot be written.
        """

        def attempt() -> None:
            try:
                write()
            except UsageError as error:
                raise ColdDiffError(
                    f"{error}; {self._kept()}, and the same command goes on from there"
                ) from error

        self.world.on_first(attempt)

    def _diverged(self, what: str) -> ColdDiffError:
        return ColdDiffError(
            f"{what} at step {self.progress.step}: {self._kept()}; try a lower learning rate than "
            f"train.lr={self.settings.lr:g}, in another folder"
        )

    def _kept(self) -> str:
        return f"step {self.saved} is saved" if self.saved else "nothing was saved"

    def _seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.began

    def _restart_clock(self) -> None:
        self.logged, self.logged_step = time.perf_counter(), self.progress.step


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _gpus(device: torch.device) -> list[int]:
    """Whose random state is to be left as it was."""
    if device.type != "cuda":
        return []
    return [torch.cuda.current_device() if device.index is None else device.index]
