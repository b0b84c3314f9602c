"""Evaluate a model on held-out images, and record how it was done."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from colddiff_core import timesteps as schedules
from colddiff_core.dataset import ImageDataset
from colddiff_core.errors import UsageError
from colddiff_core.evaluation.comparison import ROWS, compare
from colddiff_core.evaluation.scores import PROTOCOL, Scores
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.randomness import generator
from colddiff_core.value_range import from_uint8


@dataclass(frozen=True)
class Evaluation:
    """A table, and the protocol it was made by.

    Attributes:
        rows: for each of `comparison.ROWS` its figures by name: rmse, psnr, ssim.
        protocol: data, number of images, schedule, seed, metrics and versions, as JSON can hold.
    """

    rows: Mapping[str, Mapping[str, float]]
    protocol: Mapping[str, Any]

    @property
    def protocol_hash(self) -> str:
        """Names the protocol: figures of another must not stand in one table with these."""
        text = json.dumps({**self.protocol, "versions": None}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def evaluate(
    process: ColdDiffusion,
    dataset: ImageDataset,
    *,
    split: str,
    count: int | None = None,
    timesteps: Sequence[int] | None = None,
    seed: int = 0,
    batch_size: int = 100,
    on_batch: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Degrade images of a data set, restore them in the ways of the paper, and measure.

    Args:
        process: the model, in evaluation mode.
        dataset: clean images, and what is known of their degradation; the first `count` are taken.
        split: which part of its data set that is, for the protocol.
        count: number of images; all when None.
        timesteps: levels, strictly decreasing to 0; all from T when None.
        seed: of what the degradation draws; the figures do not depend on `batch_size`.
        batch_size: images restored together.
        on_batch: called with the number of images done and that of all.

    Raises:
        UsageError: the images do not have the model's shape, or there are not so many.
    """
    shape = tuple(process.degradation.image_shape)
    if tuple(dataset.image_shape) != shape:
        raise UsageError(f"data: its images are {tuple(dataset.image_shape)}, the model's {shape}")
    count = len(dataset) if count is None else count
    if not 1 <= count <= len(dataset):
        raise UsageError(f"images: expected 1 to {len(dataset)}, got {count}")
    levels = schedules.full(process.num_steps) if timesteps is None else tuple(timesteps)
    device = next(process.parameters(), torch.empty(0)).device
    scores = {name: Scores(process.degradation.image_shape, device) for name in ROWS}
    draws = generator(seed, "evaluate")
    for start in range(0, count, batch_size):
        indices = range(start, min(start + batch_size, count))
        x0 = from_uint8(dataset.images(indices).to(device))
        known = dataset.context(indices)
        found = compare(process, x0, draws, levels, batch_size=batch_size, known=known)
        for name, images in found.rows.items():
            scores[name].update(images, x0)
        if on_batch is not None:
            on_batch(indices[-1] + 1, count)
    rows = {name: row.compute() for name, row in scores.items()}
    return Evaluation(rows, _protocol(process, dataset, split, count, levels, seed))


def _protocol(
    process: ColdDiffusion,
    dataset: ImageDataset,
    split: str,
    count: int,
    levels: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    degradation, data = process.degradation.config, dataset.config
    return {
        "data": None if data is None else {"name": data.name, **_public(data.params)},
        "split": split,
        "images": count,
        "image_shape": list(process.degradation.image_shape),
        "degradation": None
        if degradation is None
        else {"name": degradation.name, **degradation.params},
        "timesteps": list(levels),
        "seed": seed,
        "metrics": PROTOCOL,
        "versions": {name: version(name) for name in ("colddiff", "torch", "torchmetrics")},
    }


def _public(params: Mapping[str, Any]) -> dict[str, Any]:
    """Without the folders of a machine, which say nothing to anybody else."""
    return {name: value for name, value in params.items() if name != "folder"}
