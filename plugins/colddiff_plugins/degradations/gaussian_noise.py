"""Gaussian noise: the degradation of ordinary ("hot") diffusion, with the noise drawn once.

| here | in the paper (arXiv 2208.09392, section 5.1) |
|---|---|
| `endpoint` | z, standard normal noise, fixed over the levels |
| cosine schedule | ᾱ_t |

    D(x, t) = √ᾱ_t x + √(1 - ᾱ_t) z
"""

import torch
from torch import Tensor

from colddiff_core import Context, EndpointDegradation
from colddiff_plugins.degradations._cosine import cosine_schedule


class GaussianNoise(EndpointDegradation):
    """Turn the image into noise along a cosine schedule.

    Args:
        num_steps: T, the number of steps to noise alone.
    """

    def __init__(self, *, num_steps: int = 200) -> None:
        super().__init__(num_steps, cosine_schedule)

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Draw standard normal noise for each image."""
        noise = [torch.randn(image.shape, generator=generator) for image in x0]
        return {"endpoint": torch.stack(noise).to(x0.device)}
