"""How far from D(x0, t) a sampling loop gets on its way down."""

from collections.abc import Sequence

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import NO_CONTEXT, Context
from colddiff_core.evaluation.comparison import rmse
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build

ALGORITHMS = ("naive", "improved")


def drift(
    process: ColdDiffusion,
    x0: Tensor,
    generator: torch.Generator,
    timesteps: Sequence[int],
    known: Context = NO_CONTEXT,
) -> dict[str, list[float]]:
    """Follow Algorithms 1 and 2 from the same degraded images down to level 0.

    The paper's argument for Algorithm 2 (section 3.3) is that its x_t stays near D(x0, t) although
    R errs.

    Args:
        process: gives the degradation and the restorer; its sampler is not used.
        x0: (N, C, H, W) clean images in [-1, 1], on the device of the process.
        generator: on the CPU, for what the degradation draws.
        timesteps: levels, strictly decreasing to 0.
        known: of the context, as for `ColdDiffusion.sample_context`.

    Returns:
        RMSE on [0, 1] of x_t against D(x0, t) at each of the levels, by algorithm; the last is the
        error of the restored images.
    """
    context = process.sample_context(x0, generator, known)
    with torch.no_grad():
        truth = [process.degrade(x0, t, context) for t in timesteps]
    errors = {}
    for name in ALGORITHMS:
        other = ColdDiffusion(process.degradation, process.restorer, build("sampler", name))
        states = other.trajectory(truth[0], timesteps, context)
        errors[name] = [rmse(x, expected) for x, expected in zip(states, truth, strict=True)]
    return errors
