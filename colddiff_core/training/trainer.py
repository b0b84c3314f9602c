"""The training loop: minimise |R(D(x0, t), t) - x0| (equation 1 of arXiv 2208.09392)."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core.dataset import ImageDataset
from colddiff_core.errors import ColdDiffError, RecipeError, UsageError
from colddiff_core.events import emit
from colddiff_core.images import from_batch, tile, write_image
from colddiff_core.model_facts import RECIPE
from colddiff_core.model_folder import build_process, save_model
from colddiff_core.process import ColdDiffusion
from colddiff_core.recipe import Recipe, TrainTable, build_table
from colddiff_core.training.ema import Ema
from colddiff_core.training.randomness import batches, generator
from colddiff_core.value_range import from_uint8, to_uint8_levels

METRICS, SAMPLES = "metrics.jsonl", "samples"
_GRID = 8  # held-out images in a sample grid
_FIT_BATCH = 500  # images a prior sees at a time


@dataclass(frozen=True)
class TrainingStep:
    """What a line of `metrics.jsonl` says.

    Attributes:
        step: steps done, from 1.
        steps: steps in all.
        loss: mean absolute error on [-1, 1], averaged since the line before.
        lr: learning rate of the step.
        images_seen: training images used so far.
        images_per_second: since the line before.
    """

    step: int
    steps: int
    loss: float
    lr: float
    images_seen: int
    images_per_second: float


def train(
    recipe: Recipe,
    folder: Path,
    *,
    device: str | torch.device = "cpu",
    on_log: Callable[[TrainingStep], None] | None = None,
) -> ColdDiffusion:
    """Train a restorer and write its model folder.

    Args:
        recipe: what to train on what.
        folder: becomes the model folder; `metrics.jsonl` and `samples/` grow in it meanwhile.
        device: where to train.
        on_log: called with each line of `metrics.jsonl`.

    Returns:
        The process with the averaged weights, on `device`, in evaluation mode.

    Raises:
        UsageError: `folder` already holds a model, or the recipe does not fit together.
        ColdDiffError: the loss is no longer finite.
    """
    if recipe.data is None:
        raise RecipeError("the recipe has no [data] table, so there is nothing to train on")
    if (folder / RECIPE).exists():
        raise UsageError(f"{folder}: already holds a model; name another folder")
    settings = recipe.train or TrainTable()
    training: ImageDataset = build_table("dataset", recipe.data, split="train")
    held_out: ImageDataset = build_table("dataset", recipe.data, split="test")
    process = _new_process(recipe, training, settings.seed).to(device)
    network = process.restorer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ema = Ema(network, settings.ema_decay)
    averaged = ColdDiffusion(process.degradation, ema.network, process.sampler, process.prior)
    averaged.eval()
    averaged.recipe = recipe.model_copy(update={"train": settings})
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made a folder: {error.strerror}") from error
    began = logged = time.perf_counter()
    losses: list[Tensor] = []
    order = batches(len(training), settings.batch_size, settings.seed)
    with (folder / METRICS).open("w", encoding="utf-8") as metrics:
        for step in range(1, settings.steps + 1):
            lr = learning_rate(step, settings)
            for group in optimizer.param_groups:
                group["lr"] = lr
            x0 = from_uint8(training.images(next(order)).to(device))
            draws = generator(settings.seed, "draw", step)
            loss = reconstruction_loss(process, x0, draws, quantize=settings.quantize)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            ema.update(network)
            losses.append(loss.detach())
            last = step == settings.steps
            sampling = settings.sample_every and (step % settings.sample_every == 0 or last)
            if step % settings.log_every == 0 or sampling or last:
                mean = torch.stack(losses).mean().item()  # the only wait for the device
                now = time.perf_counter()
                rate = len(losses) * settings.batch_size / (now - logged)
                logged, losses = now, []
                seen = step * settings.batch_size
                line = TrainingStep(step, settings.steps, mean, lr, seen, rate)
                metrics.write(json.dumps(line.__dict__) + "\n")
                metrics.flush()
                if not math.isfinite(mean):
                    raise ColdDiffError(
                        f"the loss is {mean} at step {step}: nothing was saved; try a lower "
                        f"learning rate than train.lr={settings.lr:g}"
                    )
                if on_log is not None:
                    on_log(line)
                emit("colddiff_training_step", step=line, process=averaged, folder=folder)
            if sampling:
                _write_samples(averaged, held_out, folder / SAMPLES / f"{step:07d}.png", settings)
                logged = time.perf_counter()
    save_model(
        averaged,
        folder,
        provenance={
            "data": training.config.provenance if training.config else None,
            "seed": settings.seed,
            "training": {
                "steps": settings.steps,
                "images_seen": settings.steps * settings.batch_size,
                "final_loss": mean,
                "seconds": round(time.perf_counter() - began, 1),
                "device": str(device),
            },
        },
    )
    return averaged


def reconstruction_loss(
    process: ColdDiffusion,
    x0: Tensor,
    draws: torch.Generator,
    *,
    quantize: bool = False,
) -> Tensor:
    """Mean |R(D(x0, t), t) - x0| with one level per image, uniform on 1…T.

    Args:
        process: gives D, R and the context.
        x0: (B, C, H, W) clean images in [-1, 1].
        draws: on the CPU, for levels and context.
        quantize: round x_t to 8 bits.
    """
    t = torch.randint(1, process.num_steps + 1, (len(x0),), generator=draws).to(x0.device)
    with torch.no_grad():
        x_t = process.degradation(x0, t, process.sample_context(x0, draws))
        if quantize:
            x_t = to_uint8_levels(x_t)
    return F.l1_loss(process.restorer(x_t, t), x0)


def learning_rate(step: int, settings: TrainTable) -> float:
    """The learning rate of a step (from 1): a linear warm-up, then constant or a cosine to 0."""
    if step <= settings.warmup_steps:
        return settings.lr * step / settings.warmup_steps
    if settings.lr_schedule == "constant":
        return settings.lr
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def _new_process(recipe: Recipe, training: ImageDataset, seed: int) -> ColdDiffusion:
    shape = training.image_shape
    if recipe.image_shape not in (None, shape):
        raise RecipeError(f"image_shape: the recipe says {recipe.image_shape}, the data {shape}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # torch initialises networks from its global state
        process = build_process(recipe, shape)
    if process.prior is not None:
        every = range(len(training))
        process.prior.fit(
            from_uint8(training.images(every[k : k + _FIT_BATCH]))
            for k in range(0, len(training), _FIT_BATCH)
        )
    return process


def _write_samples(
    process: ColdDiffusion, held_out: ImageDataset, path: Path, settings: TrainTable
) -> None:
    """One row each: original, degraded, direct reconstruction, sampled."""
    device = next(process.parameters()).device
    x0 = from_uint8(held_out.images(range(min(_GRID, len(held_out)))).to(device))
    context = process.sample_context(x0, generator(settings.seed, "samples"))
    x_t = process.degrade(x0, context=context)
    direct = next(process.steps(x_t, context=context)).x0_hat
    sampled = process.restore(x_t, context=context)
    rows = [from_batch(images.cpu().numpy()) for images in (x0, x_t, direct, sampled)]
    write_image(path, tile(rows))
