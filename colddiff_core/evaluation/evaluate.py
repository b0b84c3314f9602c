"""Evaluate a model on held-out images, and record how it was done."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.errors import UsageError
from colddiff_core.evaluation.comparison import ROWS, compare
from colddiff_core.evaluation.features import FeatureNetwork
from colddiff_core.evaluation.record import Evaluation, versions
from colddiff_core.evaluation.scores import PROTOCOL, Scores
from colddiff_core.models.folder import component_configs
from colddiff_core.pictures.value_range import from_uint8, to_uint8
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.randomness import generator

_DIGESTED = 500  # images at a time


def evaluate(
    process: ColdDiffusion,
    dataset: ImageDataset,
    *,
    split: str,
    count: int | None = None,
    timesteps: Sequence[int] | None = None,
    seed: int = 0,
    batch_size: int = 100,
    features: FeatureNetwork | None = None,
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
        features: what Fréchet distances are taken on; without them when None.
        on_batch: called with the number of images done and that of all.

    Raises:
        UsageError: the images do not have the model's shape, or there are not so many.
    """
    agreed = protocol(
        process,
        dataset,
        split=split,
        count=count,
        timesteps=timesteps,
        seed=seed,
        features=features,
    )
    count, levels = agreed["images"], agreed["timesteps"]
    device = process.device
    num_features = None if features is None else features.to(device).num_features
    scores = {name: Scores(process.image_shape, device, num_features) for name in ROWS}
    draws = generator(seed, "evaluate")
    for start in range(0, count, batch_size):
        indices = range(start, min(start + batch_size, count))
        x0 = from_uint8(dataset.images(indices).to(device))
        known = dataset.context(indices)
        found = compare(process, x0, draws, levels, batch_size=batch_size, known=known)
        clean = _features(features, x0)
        for name, images in found.rows.items():
            scores[name].update(images, x0, _features(features, images), clean)
        if on_batch is not None:
            on_batch(indices[-1] + 1, count)
    rows = {name: row.compute() for name, row in scores.items()}
    return Evaluation(rows, agreed, _components(process))


def protocol(
    process: ColdDiffusion,
    dataset: ImageDataset,
    *,
    split: str,
    count: int | None = None,
    timesteps: Sequence[int] | None = None,
    seed: int = 0,
    features: FeatureNetwork | None = None,
) -> dict[str, Any]:
    """How `evaluate` will do it, as JSON can hold; the arguments are the same.

    Raises:
        UsageError: the images do not have the model's shape, or there are not so many.
    """
    shape = tuple(process.image_shape)
    if tuple(dataset.image_shape) != shape:
        raise UsageError(f"data: its images are {tuple(dataset.image_shape)}, the model's {shape}")
    count = len(dataset) if count is None else count
    if not 1 <= count <= len(dataset):
        raise UsageError(f"images: expected 1 to {len(dataset)}, got {count}")
    if features is not None and count < 2:
        raise UsageError("images: a Fréchet distance needs 2 or more")
    levels = schedules.full(process.num_steps) if timesteps is None else tuple(timesteps)
    degradation = process.degradation.config
    return {
        "data": of_data(dataset, count),
        "split": split,
        "images": count,
        "image_shape": list(shape),
        "degradation": None
        if degradation is None
        else {"name": degradation.name, **degradation.params},
        "timesteps": list(levels),
        "seed": seed,
        "metrics": {**PROTOCOL, "frechet": None if features is None else of_distance(features)},
        "versions": versions(),
    }


def of_data(dataset: ImageDataset, count: int) -> dict[str, Any]:
    """What the first images are, for a protocol, wherever they came from."""
    digest = hashlib.sha256()
    for start in range(0, count, _DIGESTED):
        indices = range(start, min(start + _DIGESTED, count))
        digest.update(dataset.images(indices).numpy().tobytes())
        for name, known in sorted(dataset.context(indices).items()):
            digest.update(name.encode() + known.numpy().tobytes())
    return {
        "name": None if dataset.config is None else dataset.config.name,
        "sha256": digest.hexdigest(),
    }


def of_distance(features: FeatureNetwork) -> dict[str, Any]:
    """How Fréchet distances are taken, for a protocol."""
    return {
        "features": features.name,
        "sha256": features.sha256,
        "pictures": "clipped and rounded to 8 bits",
    }


def _features(network: FeatureNetwork | None, images: Tensor) -> Tensor | None:
    return None if network is None else network(to_uint8(images))


def _components(process: ColdDiffusion) -> tuple[str, ...]:
    """As a model folder records them; none of a process that `build` did not make."""
    try:
        return tuple(config.provenance for config in component_configs(process).values())
    except UsageError:
        return ()
