"""Animorph: one image turns into another, a person into an animal in the paper.

| here | in the paper (arXiv 2208.09392, section 5.3 and appendix) |
|---|---|
| `endpoint` | z, an image of the other kind, fixed over the levels |
| cosine schedule | ᾱ_t |

    D(x, t) = √ᾱ_t x + √(1 - ᾱ_t) z
"""

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import Context
from colddiff_core.contracts.endpoint import EndpointDegradation
from colddiff_plugins.degradations._cosine import cosine_schedule
from colddiff_plugins.degradations._stand_in import stand_in


class Animorph(EndpointDegradation):
    """Turn the image into another one along a cosine schedule.

    Where the images of the other kind come from is not for the operator to know: the prior
    `dataset` draws them, or they are given as the context, `{"endpoint": images}`.

    Args:
        num_steps: T, the number of steps to the other image alone.
    """

    def __init__(self, *, num_steps: int = 200) -> None:
        super().__init__(num_steps, cosine_schedule)

    def sample_context(
        self,
        x0: Tensor,
        generator: torch.Generator,  # noqa: ARG002 - nothing is drawn
    ) -> Context:
        """Let each image, turned by 180°, stand in for one of the other kind."""
        return stand_in(x0)
