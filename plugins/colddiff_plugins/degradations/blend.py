"""Blend: from a clean picture to its real, degraded one, for which there is no formula.

| here | in InDI (Delbracio and Milanfar, arXiv 2303.11435) |
|---|---|
| `endpoint` | y, the degraded picture of the pair |
| t / T | t, from 0 to 1 |

    D(x, t) = (1 - t/T) x + (t/T) z

With the sampler `ddim` a step is theirs, x_s = (1 - s/t) R(x_t, t) + (s/t) x_t. It takes no
context, so that a degraded picture alone can be restored.
"""

import torch
from torch import Tensor

from colddiff_core import EndpointDegradation, Locality


class Blend(EndpointDegradation):
    """Turn the image evenly into its degraded picture.

    Where the degraded pictures come from is not for the operator to know: the data set `paired`
    gives them, or they are given as the context, `{"endpoint": images}`.

    Args:
        num_steps: T, the number of steps to the degraded picture.
    """

    def __init__(self, *, num_steps: int = 20) -> None:
        super().__init__(num_steps, _evenly)

    @property
    def locality(self) -> Locality:
        """Each pixel by itself, from its degraded one."""
        return Locality(reach=0)


def _evenly(num_steps: int) -> tuple[Tensor, Tensor]:
    """1 - t/T and t/T for t = 0…T."""
    mixed = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
    return 1 - mixed, mixed
