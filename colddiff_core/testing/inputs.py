"""Inputs that are drawn from a seed: images and levels; and how results are compared."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core.contracts.degradation import Context, ImageShape

CLOSE = 1e-4
"""Largest difference of results that should be equal but for rounding, where images are in
[-1, 1]."""


def seeded(seed: int) -> torch.Generator:
    """A CPU generator."""
    return torch.Generator().manual_seed(seed)


def images(n: int, shape: ImageShape, draws: torch.Generator) -> Tensor:
    """Noise and smooth images in turn, in [-1, 1], both ends among the values of the noise."""
    channels, height, width = shape
    noise = 0.7 * torch.randn(n, *shape, generator=draws)
    coarse = torch.rand(n, channels, 4, 4, generator=draws) * 2 - 1
    smooth = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
    return torch.where(torch.arange(n)[:, None, None, None] % 2 == 0, noise, smooth).clamp(-1, 1)


def levels(n: int, num_steps: int, draws: torch.Generator) -> Tensor:
    """Levels 0, 1 and T where there is room, and any others, in any order; one alone is above 0."""
    drawn = torch.randint(0, num_steps + 1, (n,), generator=draws)
    if n == 1:
        return drawn.clamp(min=1)
    drawn[: min(n, 3)] = torch.tensor([num_steps, 0, 1])[:n]
    return drawn[torch.randperm(n, generator=draws)]


def take(context: Context, index: slice) -> dict[str, Tensor]:
    """The context, or other arguments, of some images of a batch."""
    return {name: value[index] for name, value in context.items()}


def distances(found: Tensor, expected: Tensor) -> Tensor:
    """(B,): the largest difference in each image, in units of its largest value if over 1."""
    found, expected = found.detach().double(), expected.detach().double()
    off = (found - expected).abs().flatten(1).amax(1)
    return off / expected.abs().flatten(1).amax(1).clamp(min=1)
