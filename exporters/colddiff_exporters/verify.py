"""Run an exported file in ONNX Runtime and compare it with torch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colddiff_core import timesteps as schedules
from colddiff_core.errors import ExportError
from colddiff_core.process import ColdDiffusion
from colddiff_exporters.runtime import OnnxSampler

BATCHES = (1, 5)
"""Batch sizes that are tried: none of them the one the graph was traced with."""

SHORT = 4
"""Steps of the shortened schedule."""


def compare_with_torch(
    path: Path, process: ColdDiffusion, images: Tensor | None, tolerance: float
) -> dict[str, float]:
    """Restore the same degraded images both ways.

    Args:
        path: the exported file.
        process: what it was exported from.
        images: (N, C, H, W) clean images to degrade; noise when None.
        tolerance: the largest absolute difference that is accepted.

    Returns:
        The largest absolute difference of a pixel, for each combination tried.

    Raises:
        ExportError: a difference is above the tolerance, or not a number.
    """
    sampler = OnnxSampler(path, device="cpu")
    draws = torch.Generator().manual_seed(0)
    errors = {}
    for batch, levels in _cases(process.num_steps):
        x0 = _take(images, batch, process, draws)
        context = process.degradation.sample_context(x0, draws)
        x_t = process.degrade(x0, levels[0], context)
        expected = process.restore(x_t, levels, context).numpy()
        arrays = {name: value.numpy() for name, value in context.items()}
        found = sampler.restore(x_t.numpy(), levels, arrays)
        error = float(np.abs(found - expected).max())
        case = f"batch {batch}, {len(levels) - 1} steps"
        if not error <= tolerance:
            raise ExportError(
                f"ONNX Runtime and torch differ by {error:.2e} ({case}), more than the tolerance "
                f"{tolerance:.0e}; no file was written"
            )
        errors[case] = error
    return errors


def _cases(num_steps: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    for batch in BATCHES:
        yield batch, schedules.full(num_steps)
    if num_steps > 1:
        yield BATCHES[-1], schedules.evenly(num_steps, min(SHORT, num_steps - 1))


def _take(
    images: Tensor | None, batch: int, process: ColdDiffusion, draws: torch.Generator
) -> Tensor:
    if images is None:
        return torch.rand(batch, *process.degradation.image_shape, generator=draws) * 2 - 1
    return images[torch.arange(batch) % len(images)]
