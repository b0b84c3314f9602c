"""Evaluate a model on held-out images, and record how it was done."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.errors import ColdDiffError, UsageError
from colddiff_core.evaluation.comparison import ROWS, compare
from colddiff_core.evaluation.features import FeatureNetwork
from colddiff_core.evaluation.record import Evaluation, check_same_protocol, versions
from colddiff_core.evaluation.scores import PROTOCOL, Scores, warn_of_few
from colddiff_core.models.folder import components
from colddiff_core.models.recipe import build_table
from colddiff_core.pictures.value_range import to_uint8
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.images import as_x0, data_of
from colddiff_core.training.randomness import generator


def evaluate(
    process: ColdDiffusion | Path | str,
    images: ImageDataset | Iterable[Any] | None = None,
    *,
    split: str = "test",
    count: int | None = None,
    timesteps: Sequence[int] | None = None,
    seed: int = 0,
    batch_size: int = 100,
    features: FeatureNetwork | None = None,
    beside: Mapping[str, Evaluation] | None = None,
    on_batch: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Degrade images, restore them in the ways of the paper, and measure.

    Args:
        process: the model, which is put into evaluation mode, or its folder.
        images: clean images: a data set, or whatever `train` takes; those the model's recipe names
            when None. The first `count` are taken.
        split: which part of their data set they are, `train` or `test`.
        count: number of images; all when None.
        timesteps: levels, strictly decreasing to 0; all from T when None.
        seed: of what the degradation draws; the figures do not depend on `batch_size`.
        batch_size: images restored together.
        features: what Fréchet distances are taken on; without them when None.
        beside: evaluations that the figures are to stand in one table with, by name.
        on_batch: called with the number of images done and that of all.

    Raises:
        UsageError: the images do not have the model's shape, there are not so many, the model does
            not name any, or what is to stand beside was measured by another protocol.
        ColdDiffError: the restorer returned something else than finite images.
    """
    if isinstance(process, str | Path):
        process = ColdDiffusion.load(process)
    if not isinstance(process, ColdDiffusion):
        raise UsageError(
            f"evaluate: expected a process or the path of a model folder, got a "
            f"{type(process).__name__}"
        )
    if batch_size < 1:
        raise UsageError(f"batch_size: expected 1 or more, got {batch_size}")
    dataset = _own_data(process, split) if images is None else data_of(images)
    process.eval()
    agreed = _protocol(process, dataset, split, count, timesteps, seed, features)
    for name, other in (beside or {}).items():
        check_same_protocol(agreed, other.protocol, name)
    count, levels = agreed["images"], agreed["timesteps"]
    device = process.device
    num_features = None if features is None else features.to(device).num_features
    warn_of_few(count, num_features)
    scores = {name: Scores(process.image_shape, device, num_features) for name in ROWS}
    draws = generator(seed, "evaluate")
    for start in range(0, count, batch_size):
        indices = range(start, min(start + batch_size, count))
        x0 = as_x0(dataset.images(indices).to(device))
        known = dataset.context(indices)
        found = compare(process, x0, draws, levels, batch_size=batch_size, known=known)
        clean = _features(features, x0)
        for name, row in found.items():
            if not row.isfinite().all():
                raise ColdDiffError(
                    f"{name}: expected finite images, got values {row.min():.3g} to {row.max():.3g}"
                )
            scores[name].update(row, x0, _features(features, row), clean)
        if on_batch is not None:
            on_batch(indices[-1] + 1, count)
    rows = {name: score.compute() for name, score in scores.items()}
    return Evaluation(rows, agreed, tuple(components(process)))


def _protocol(
    process: ColdDiffusion,
    dataset: ImageDataset,
    split: str,
    count: int | None,
    timesteps: Sequence[int] | None,
    seed: int,
    features: FeatureNetwork | None,
) -> dict[str, Any]:
    """How it is done, as JSON can hold; the arguments are those of `evaluate`."""
    shape = tuple(process.image_shape)
    if tuple(dataset.image_shape) != shape:
        raise UsageError(f"data: its images are {tuple(dataset.image_shape)}, the model's {shape}")
    count = len(dataset) if count is None else count
    if not 1 <= count <= len(dataset):
        raise UsageError(f"images: expected 1 to {len(dataset)}, got {count}")
    if features is not None and count < 2:
        raise UsageError("images: a Fréchet distance needs 2 or more")
    levels = schedules.chosen(process.num_steps, timesteps=timesteps)
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
    name = None if dataset.config is None else dataset.config.name
    return {"name": name, "sha256": dataset.digest(range(count))}


def of_distance(features: FeatureNetwork) -> dict[str, Any]:
    """How Fréchet distances are taken, for a protocol."""
    return {
        "features": features.name,
        "sha256": features.sha256,
        "pictures": "clipped and rounded to 8 bits",
    }


def _features(network: FeatureNetwork | None, images: Tensor) -> Tensor | None:
    return None if network is None else network(to_uint8(images))


def _own_data(process: ColdDiffusion, split: str) -> ImageDataset:
    table = process.recipe.data if process.recipe else None
    if table is None:
        raise UsageError("images: none were given, and the model does not say what it learnt from")
    return build_table("dataset", table, split=split)  # type: ignore[no-any-return]
