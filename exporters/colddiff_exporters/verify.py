"""Run an exported file in ONNX Runtime and compare it with torch.

A restorer that undoes a strong degradation magnifies small differences, rounding included, and a
loop does so again and again, until two correct programs differ. Where they differ by more than the
tolerance after all steps, each step is therefore compared by itself, from the same state.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
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
        ExportError: a difference is above the tolerance, in a single step as well, or is not a
            number.
    """
    sampler = OnnxSampler(path, device="cpu")
    draws = torch.Generator().manual_seed(0)
    errors = {}
    for batch, levels in _cases(process.num_steps):
        x0 = _take(images, batch, process, draws)
        context = process.degradation.sample_context(x0, draws)
        x_t = process.degrade(x0, levels[0], context)
        expected = process.restore(x_t, levels, context)
        arrays = {name: value.numpy() for name, value in context.items()}
        found = sampler.restore(x_t.numpy(), levels, arrays)
        error = _distance(found, expected)
        case = f"batch {batch}, {len(levels) - 1} steps"
        if not error <= tolerance:
            steps = [
                _distance(sampler.run(step.x_t.numpy(), (step.t, step.s), arrays), step.x_s)
                for step in process.steps(x_t, levels, context)
            ]
            worst = float(np.max(steps))  # NaN if any is, unlike max
            if not worst <= tolerance:
                raise ExportError(
                    f"ONNX Runtime and torch differ by {error:.2e} ({case}) and in one step by "
                    f"{worst:.2e}, more than the tolerance {tolerance:.0e}; no file was written"
                )
            case += f" (rounding grows; one step alone {worst:.0e})"
        errors[case] = error
    return errors


def _distance(found: NDArray[np.float32], expected: Tensor) -> float:
    return float(np.abs(found - expected.numpy()).max())


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
