"""Run an exported file in its runtime and compare it with torch.

A restorer that undoes a strong degradation magnifies small differences, rounding included, and a
loop does so again and again, until two correct programs differ. Where they differ by more than the
tolerance after all steps, each step is therefore compared by itself, from the same state.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from colddiff_core import Context, ExportError, ExportReport, Images, ModelFileError, Process
from colddiff_core.contracts import timesteps as schedules

if TYPE_CHECKING:
    from colddiff_exporters.opened import OpenedFile
    from colddiff_exporters.runtime import OnnxSampler

BATCHES = (1, 5)
"""Batch sizes that are tried: none of them the one the graph was traced with."""

SHORT = 4
"""Steps of the shortened schedule."""


@dataclass(frozen=True)
class Case:
    """One comparison that is to be made."""

    batch: int
    levels: tuple[int, ...]

    def __str__(self) -> str:
        """What a report calls it."""
        steps = len(self.levels) - 1
        return f"batch {self.batch}, " + (
            f"{steps} steps" if steps > 1 else f"level {self.levels[0]} to 0"
        )


@contextmanager
def usable() -> Iterator[None]:
    """Say that an export is at fault where its file cannot be opened or run.

    Raises:
        ExportError: instead of ModelFileError.
    """
    try:
        yield
    except ModelFileError as error:
        reason = str(error).partition(": ")[2]  # without the temporary name
        raise ExportError(f"the export could not be used: {reason}; no file was written") from error


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and each of its parts back into its own."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def compare_with_torch(
    report: ExportReport,
    file: "OpenedFile",
    process: Process,
    images: Tensor | None,
    single: "Callable[[], OpenedFile] | None" = None,
) -> ExportReport:
    """Restore the same degraded images both ways; each case has a context of its own.

    Args:
        report: of the export, with the largest difference that is accepted.
        file: the exported file, opened.
        process: what it was exported from.
        images: (N, C, H, W) clean images to degrade; noise when None.
        single: opens what takes single steps, if the file itself does not.

    Returns:
        The report, with what was found.

    Raises:
        ExportError: a difference is above the tolerance, in a single step as well, or is not a
            number.
    """
    draws = torch.Generator().manual_seed(0)
    checks, means, milliseconds = {}, {}, {}
    noise, signal, tolerance = 0.0, 0.0, report.tolerance
    for case in cases_of(file):
        x_t, context, arrays = _inputs(images, case, process, draws)
        start = time.perf_counter()
        if file.graph == "restorer":
            expected = _estimate(process, x_t, case.levels[0])
        else:
            expected = process.restore(x_t, case.levels, context)
        middle = time.perf_counter()
        found = file.run(x_t.numpy(), case.levels, arrays)
        end = time.perf_counter()
        error = _distance(found, expected)
        name = str(case)
        if not error <= tolerance:
            one = file if single is None else single()
            steps = [error] * (file.graph == "restorer") or [
                _distance(one.run(step.x_t.numpy(), (step.t, step.s), arrays), step.x_s)
                for step in process.steps(x_t, case.levels, context)
            ]
            worst = float(np.max(steps))  # NaN if any is, unlike max
            if not worst <= tolerance:
                raise ExportError(
                    f"the file and torch differ by {error:.2e} ({name}) and in one step by "
                    f"{worst:.2e}, more than the tolerance {tolerance:.0e}; no file was written"
                )
            name += f" (rounding grows; one step alone {worst:.0e})"
        checks[name] = error
        difference = found.astype(np.float64) - expected.numpy()
        means[name] = float(np.abs(difference).mean())
        noise += float((difference**2).sum())
        signal += float((expected.double() ** 2).sum())
        milliseconds[name] = ((middle - start) * 1e3, (end - middle) * 1e3)
    ratio = decibels(signal, noise)
    return replace(report, checks=checks, mean_errors=means, milliseconds=milliseconds, snr=ratio)


def compare_states(
    sampler: "OnnxSampler", process: Process, images: Tensor | None, tolerance: float
) -> dict[str, float]:
    """Compare the optional outputs of a sampler, each state with torch's step from the one before.

    Raises:
        ExportError: a difference is above the tolerance, or is not a number.
    """
    case, draws = cases_of(sampler)[-1], torch.Generator().manual_seed(1)
    x_t, context, arrays = _inputs(images, case, process, draws)
    states = torch.from_numpy(sampler.trajectory(x_t.numpy(), case.levels, arrays))
    direct = sampler.direct(x_t.numpy(), case.levels, arrays)
    found = {"x0_direct": _distance(direct, _estimate(process, x_t, case.levels[0]))}
    errors = [_distance(x_t.numpy(), states[0])]
    for k, (t, s) in enumerate(itertools.pairwise(case.levels)):
        step = next(process.steps(states[k], (t, s, 0) if s else (t, s), context))
        errors.append(_distance(states[k + 1].numpy(), step.x_s))
    found["trajectory"] = float(np.max(errors))  # NaN if any is, unlike max
    for name, error in found.items():
        if not error <= tolerance:
            raise ExportError(
                f"output {name!r} differs from torch by {error:.2e}, more than the tolerance "
                f"{tolerance:.0e}; no file was written"
            )
    return {f"{name}, {case}": error for name, error in found.items()}


@torch.no_grad()
def _estimate(process: Process, x_t: Tensor, t: int) -> Tensor:
    return process.estimate(x_t, torch.full((len(x_t),), t))


def decibels(signal: float, noise: float) -> float:
    """The ratio of two powers."""
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def cases_of(file: "OpenedFile") -> list[Case]:
    """Batches and schedules to compare a file with."""
    count = file.num_steps
    if file.graph == "restorer":
        levels = sorted({count, (count + 1) // 2, 1}, reverse=True)
        return [Case(batch, (level, 0)) for batch in BATCHES for level in levels]
    cases = [Case(batch, file.schedule()) for batch in BATCHES]
    if file.static_steps is None and count > 1:
        cases.append(Case(BATCHES[-1], schedules.evenly(count, min(SHORT, count - 1))))
    return cases


def _distance(found: Images, expected: Tensor) -> float:
    if found.shape != tuple(expected.shape):
        raise ExportError(f"the file gives {found.shape} where torch gives {tuple(expected.shape)}")
    return float(np.abs(found - expected.numpy()).max())


def _inputs(
    images: Tensor | None, case: Case, process: Process, draws: torch.Generator
) -> tuple[Tensor, Context, dict[str, NDArray[Any]]]:
    """Degraded images, and their context twice."""
    if images is None:
        x0 = torch.rand(case.batch, *process.image_shape, generator=draws) * 2 - 1
    else:
        x0 = images[torch.arange(case.batch) % len(images)]
    context = process.degradation.sample_context(x0, draws)
    arrays = {name: value.numpy() for name, value in context.items()}
    return process.degrade(x0, case.levels[0], context), context, arrays
