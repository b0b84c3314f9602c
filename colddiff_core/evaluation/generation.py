"""How near generated images come to real ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.errors import UsageError
from colddiff_core.evaluation.evaluate import of_data, of_distance
from colddiff_core.evaluation.features import FeatureNetwork
from colddiff_core.evaluation.record import versions
from colddiff_core.evaluation.scores import frechet_distance, warn_of_few
from colddiff_core.pictures.value_range import to_uint8
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.randomness import generator

_SHOWN = 16


@dataclass(frozen=True)
class Generated:
    """The distance of generated images from real ones, and the first of them.

    Attributes:
        frechet: between the features of as many generated images as real ones.
        images: (16 or fewer, C, H, W) float32 in [-1, 1], on the CPU.
    """

    frechet: float
    images: Tensor


def evaluate_generated(
    process: ColdDiffusion,
    dataset: ImageDataset,
    features: FeatureNetwork,
    *,
    count: int,
    seed: int = 0,
    batch_size: int = 100,
    on_batch: Callable[[int, int], None] | None = None,
) -> Generated:
    """Generate images and measure their Fréchet distance from the first real ones.

    Args:
        process: the model with its sampler and prior, in evaluation mode.
        dataset: real images.
        features: what the distance is taken on.
        count: number of images of either kind, 2 or more.
        seed: of what the prior draws.
        batch_size: images generated together.
        on_batch: called with the number of images done and that of all.

    Raises:
        UsageError: there is no prior, or there are not so many real images.
    """
    if not 2 <= count <= len(dataset):
        raise UsageError(f"images: expected 2 to {len(dataset)}, got {count}")
    device = process.device
    warn_of_few(count, features.num_features)
    metric = frechet_distance(features.to(device).num_features).to(device)
    draws = generator(seed, "generate")
    shown: list[Tensor] = []
    for start in range(0, count, batch_size):
        indices = range(start, min(start + batch_size, count))
        images = process.generate(len(indices), generator=draws)
        metric.update(features(to_uint8(images)), real=False)
        metric.update(features(dataset.images(indices).to(device)), real=True)
        if sum(map(len, shown)) < _SHOWN:
            shown.append(images.cpu())
        if on_batch is not None:
            on_batch(indices[-1] + 1, count)
    return Generated(metric.compute().item(), torch.cat(shown)[:_SHOWN])


def generation_protocol(
    dataset: ImageDataset, features: FeatureNetwork, count: int, seed: int
) -> dict[str, Any]:
    """How such distances are taken, as JSON can hold; the models may be of any kind."""
    return {
        "data": of_data(dataset, count),
        "images": count,
        "image_shape": list(dataset.image_shape),
        "seed": seed,
        "metrics": {"frechet": of_distance(features)},
        "versions": versions(),
    }
