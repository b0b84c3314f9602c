"""The cosine schedule of Nichol and Dhariwal (arXiv 2102.09672), as the authors use it.

| here | there |
|---|---|
| `v` | f(t) = cos²((t / T + s) / (1 + s) · π / 2), s = 0.008 |
| `beta` | β_t = 1 - f(t) / f(t - 1), at most 0.999 |
| `kept` | ᾱ_t = Π (1 - β) |
"""

import torch
from torch import Tensor

_OFFSET = 0.008
_LARGEST_BETA = 0.999


def cosine_schedule(num_steps: int) -> tuple[Tensor, Tensor]:
    """√ᾱ_t and √(1 - ᾱ_t) for t = 0…T: how much is image, and how much endpoint."""
    t = torch.arange(num_steps + 1, dtype=torch.float64)
    v = torch.cos((t / num_steps + _OFFSET) / (1 + _OFFSET) * torch.pi / 2) ** 2
    beta = (1 - v[1:] / v[:-1]).clamp(0, _LARGEST_BETA)
    kept = torch.cat([torch.ones_like(v[:1]), torch.cumprod(1 - beta, dim=0)])
    return kept.sqrt(), (1 - kept).sqrt()
