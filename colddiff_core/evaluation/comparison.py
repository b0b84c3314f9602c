"""The same images restored in the ways of the paper."""

from collections.abc import Sequence

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import NO_CONTEXT, Context
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build

ROWS = ("degraded", "direct", "naive", "improved")
"""Not restored, restored in one step, by Algorithm 1 and by Algorithm 2."""


def rmse(images: Tensor, x0: Tensor) -> float:
    """Root mean squared error on [0, 1], pooled over all pixels of all images, as in the paper.

    Args:
        images: (N, C, H, W) in [-1, 1], not clamped.
        x0: (N, C, H, W) clean images in [-1, 1].
    """
    return ((images.double() - x0.double()) / 2).square().mean().sqrt().item()


def compare(
    process: ColdDiffusion,
    x0: Tensor,
    generator: torch.Generator,
    timesteps: Sequence[int] | None = None,
    *,
    batch_size: int = 100,
    known: Context = NO_CONTEXT,
) -> dict[str, Tensor]:
    """Degrade images and restore them in one step, by Algorithm 1 and by Algorithm 2.

    Args:
        process: gives the degradation and the restorer; its sampler is not used.
        x0: (N, C, H, W) clean images in [-1, 1], on the device of the process.
        generator: on the CPU, for what the degradation draws.
        timesteps: levels, strictly decreasing to 0; all from T when None. The images are degraded
            to the first.
        batch_size: images restored together.
        known: what is not drawn of the context of `x0`; see `ImageDataset.context`.

    Returns:
        (N, C, H, W) each, by the names of `ROWS`.
    """
    naive, improved = (
        ColdDiffusion(process.degradation, process.restorer, build("sampler", name))
        for name in ("naive", "improved")
    )
    level = process.num_steps if timesteps is None else timesteps[0]
    batches = []
    for start in range(0, len(x0), batch_size):
        part = slice(start, start + batch_size)
        batch, given = x0[part], {name: value[part] for name, value in known.items()}
        context = process.sample_context(batch, generator, given)
        with torch.no_grad():
            x_t = process.degrade(batch, level, context)
        batches.append(
            {
                "degraded": x_t,
                "direct": naive.restore(x_t, (level, 0), context),
                "naive": naive.restore(x_t, timesteps, context),
                "improved": improved.restore(x_t, timesteps, context),
            }
        )
    return {name: torch.cat([batch[name] for batch in batches]) for name in ROWS}
