"""How far restored images are from the clean ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from colddiff_core.process import ColdDiffusion
from colddiff_core.registry import build


def rmse(images: Tensor, x0: Tensor) -> float:
    """Root mean squared error on [0, 1], pooled over all pixels of all images, as in the paper.

    Args:
        images: (N, C, H, W) in [-1, 1], not clamped.
        x0: (N, C, H, W) clean images in [-1, 1].
    """
    return ((images.double() - x0.double()) / 2).square().mean().sqrt().item()


@dataclass(frozen=True)
class Comparison:
    """The same images degraded to level T and restored in the ways of the paper.

    Attributes:
        x0: (N, C, H, W) clean images.
        rows: (N, C, H, W) each: `degraded`, `direct` (one step), `naive` (Algorithm 1) and
            `improved` (Algorithm 2).
    """

    x0: Tensor
    rows: Mapping[str, Tensor]

    def rmse(self) -> dict[str, float]:
        """The error of each row."""
        return {name: rmse(images, self.x0) for name, images in self.rows.items()}


def compare(
    process: ColdDiffusion, x0: Tensor, generator: torch.Generator, *, batch_size: int = 100
) -> Comparison:
    """Degrade images fully and restore them in one step, by Algorithm 1 and by Algorithm 2.

    Args:
        process: gives the degradation and the restorer; its sampler is not used.
        x0: (N, C, H, W) clean images in [-1, 1], on the device of the process.
        generator: on the CPU, for what the degradation draws.
        batch_size: images restored together.
    """
    naive, improved = (
        ColdDiffusion(process.degradation, process.restorer, build("sampler", name))
        for name in ("naive", "improved")
    )
    batches = []
    for batch in torch.split(x0, batch_size):
        context = process.sample_context(batch, generator)
        with torch.no_grad():
            x_t = process.degrade(batch, context=context)
        batches.append(
            {
                "degraded": x_t,
                "direct": naive.restore(x_t, (process.num_steps, 0), context),
                "naive": naive.restore(x_t, context=context),
                "improved": improved.restore(x_t, context=context),
            }
        )
    return Comparison(x0, {name: torch.cat([b[name] for b in batches]) for name in batches[0]})
