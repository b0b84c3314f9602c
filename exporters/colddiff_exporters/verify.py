"""Run an exported file in its runtime and compare it with torch.

A restorer that undoes a strong degradation magnifies small differences, rounding included, and a
loop does so again and again, until two correct programs differ. Where they differ by more than the
tolerance after all steps, each step is therefore compared by itself, from the same state.
"""

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.degradation import Context, Degradation
from colddiff_core.contracts.errors import ExportError
from colddiff_core.contracts.process import Process
from colddiff_core.contracts.sampler import Sampler

if TYPE_CHECKING:
    from colddiff_exporters.runtime import OnnxSampler

BATCHES = (1, 5)
"""Batch sizes that are tried: none of them the one the graph was traced with."""

SHORT = 4
"""Steps of the shortened schedule."""


class Runner(Protocol):
    """An opened file that runs any levels, a part of a schedule for example."""

    def run(
        self, x_t: NDArray[np.float32], levels: Sequence[int], context: Mapping[str, NDArray[Any]]
    ) -> NDArray[np.float32]:
        """See `OnnxSampler.run`."""


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


@dataclass(frozen=True)
class Agreement:
    """What the comparisons found; see `ExportReport`."""

    checks: Mapping[str, float]
    mean_errors: Mapping[str, float]
    milliseconds: Mapping[str, tuple[float, float]]
    snr: float


def compare_with_torch(
    runner: Runner,
    process: Process,
    images: Tensor | None,
    tolerance: float,
    cases: Sequence[Case],
) -> Agreement:
    """Restore the same degraded images both ways; each case has a context of its own.

    Args:
        runner: the exported file, opened.
        process: what it was exported from.
        images: (N, C, H, W) clean images to degrade; noise when None.
        tolerance: the largest absolute difference that is accepted.
        cases: batches and schedules.

    Raises:
        ExportError: a difference is above the tolerance, in a single step as well, or is not a
            number.
    """
    draws = torch.Generator().manual_seed(0)
    checks, means, milliseconds = {}, {}, {}
    noise, signal = 0.0, 0.0
    for case in cases:
        x0 = _take(images, case.batch, process, draws)
        context = process.degradation.sample_context(x0, draws)
        x_t = process.degrade(x0, case.levels[0], context)
        start = time.perf_counter()
        expected = process.restore(x_t, case.levels, context)
        middle = time.perf_counter()
        arrays = {name: value.numpy() for name, value in context.items()}
        found = runner.run(x_t.numpy(), case.levels, arrays)
        end = time.perf_counter()
        error = _distance(found, expected)
        name = str(case)
        if not error <= tolerance:
            steps = [
                _distance(runner.run(step.x_t.numpy(), (step.t, step.s), arrays), step.x_s)
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
    return Agreement(checks, means, milliseconds, decibels(signal, noise))


def compare_states(
    sampler: "OnnxSampler",
    process: Process,
    images: Tensor | None,
    tolerance: float,
    case: Case,
) -> dict[str, float]:
    """Compare the optional outputs of a sampler, each state with torch's step from the one before.

    Raises:
        ExportError: a difference is above the tolerance, or is not a number.
    """
    draws = torch.Generator().manual_seed(1)
    x0 = _take(images, case.batch, process, draws)
    context = process.degradation.sample_context(x0, draws)
    x_t = process.degrade(x0, case.levels[0], context)
    arrays = {name: value.numpy() for name, value in context.items()}
    states = torch.from_numpy(sampler.trajectory(x_t.numpy(), case.levels, arrays))
    direct = sampler.direct(x_t.numpy(), case.levels, arrays)
    found = {"x0_direct": _distance(direct, next(process.steps(x_t, case.levels, context)).x0_hat)}
    errors = [_distance(x_t.numpy(), states[0])]
    for k, (t, s) in enumerate(itertools.pairwise(case.levels)):
        t_batch, s_batch = (torch.full((case.batch,), level) for level in (t, s))
        expected = one_step(process, states[k], t_batch, s_batch, context)
        errors.append(_distance(states[k + 1].numpy(), expected))
    found["trajectory"] = float(np.max(errors))  # NaN if any is, unlike max
    for name, error in found.items():
        if not error <= tolerance:
            raise ExportError(
                f"output {name!r} differs from torch by {error:.2e}, more than the tolerance "
                f"{tolerance:.0e}; no file was written"
            )
    return {f"{name}, {case}": error for name, error in found.items()}


@torch.no_grad()
def one_step(process: Process, x: Tensor, t: Tensor, s: Tensor, context: Context) -> Tensor:
    """One step of the process from any state."""
    x0_hat = process.restorer(x, t)
    return process.sampler.step(x, x0_hat, t, s, process.degradation, context)


class Direct(Sampler):
    """x_s = x0_hat: what a restorer alone does."""

    def step(
        self,
        x_t: Tensor,  # noqa: ARG002 - the contract of a sampler
        x0_hat: Tensor,
        t: Tensor,  # noqa: ARG002
        s: Tensor,  # noqa: ARG002
        degradation: Degradation,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> Tensor:
        """Take the estimate as it is."""
        return x0_hat


def decibels(signal: float, noise: float) -> float:
    """The ratio of two powers."""
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def loop_cases(num_steps: int, static_steps: int | None = None) -> Iterator[Case]:
    """Batches and schedules for a file with a loop."""
    if static_steps is not None:
        yield from (Case(batch, schedules.evenly(num_steps, static_steps)) for batch in BATCHES)
        return
    yield from (Case(batch, schedules.full(num_steps)) for batch in BATCHES)
    if num_steps > 1:
        short = min(SHORT, num_steps - 1)
        yield Case(BATCHES[-1], schedules.evenly(num_steps, short))


def direct_cases(num_steps: int) -> list[Case]:
    """Batches and levels for a restorer alone."""
    levels = sorted({num_steps, (num_steps + 1) // 2, 1}, reverse=True)
    return [Case(batch, (level, 0)) for batch in BATCHES for level in levels]


def _distance(found: NDArray[np.float32], expected: Tensor) -> float:
    return float(np.abs(found - expected.numpy()).max())


def _take(images: Tensor | None, batch: int, process: Process, draws: torch.Generator) -> Tensor:
    if images is None:
        return torch.rand(batch, *process.image_shape, generator=draws) * 2 - 1
    return images[torch.arange(batch) % len(images)]
