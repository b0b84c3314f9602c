"""Animorph: one image turns into another, a person into an animal in the paper.

| here | in the paper (arXiv 2208.09392, section 5.3 and appendix) |
|---|---|
| `endpoint` | z, an image of the other kind, fixed over the levels |
| cosine schedule | ᾱ_t |

    D(x, t) = √ᾱ_t x + √(1 - ᾱ_t) z
"""

from colddiff_core import EndpointDegradation
from colddiff_plugins.degradations._cosine import cosine_schedule


class Animorph(EndpointDegradation):
    """Turn the image into another one along a cosine schedule.

    Where the images of the other kind come from is not for the operator to know: the prior
    `dataset` draws them, or they are given as the context, `{"endpoint": images}`.

    Args:
        num_steps: T, the number of steps to the other image alone.
    """

    def __init__(self, *, num_steps: int = 200) -> None:
        super().__init__(num_steps, cosine_schedule)
