"""Animorph: one image turns into another, a person into an animal in the paper.

| here | in the paper (arXiv 2208.09392, section 5.3 and appendix) |
|---|---|
| `endpoint` | z, an image of the other kind, fixed over the levels |
| cosine schedule | ᾱ_t |

    D(x, t) = √ᾱ_t x + √(1 - ᾱ_t) z
"""

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import Context, ImageShape
from colddiff_plugins.degradations._cosine import cosine_schedule
from colddiff_plugins.degradations.endpoint import EndpointDegradation, stand_in


class Animorph(EndpointDegradation):
    """Turn the image into another one along a cosine schedule.

    Where the images of the other kind come from is not for the operator to know: the prior
    `dataset` draws them, or they are given as the context, `{"endpoint": images}`.

    Args:
        image_shape: (C, H, W) of the images.
        num_steps: T, the number of steps to the other image alone.
    """

    def __init__(self, image_shape: ImageShape, *, num_steps: int = 200) -> None:
        super().__init__(image_shape, num_steps, cosine_schedule)

    def sample_context(
        self,
        x0: Tensor,
        generator: torch.Generator,  # noqa: ARG002 - nothing is drawn
    ) -> Context:
        """Let each image, turned by 180°, stand in for one of the other kind."""
        return stand_in(x0)
