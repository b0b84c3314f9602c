"""Fog: the light of a pixel fades with its distance, and the light of the air takes its place.

| here | in the theory of atmospheric scattering |
|---|---|
| `x0`, `x_t` | J, the radiance of the scene, and I, what is seen |
| `depth` | d, the distance of each pixel, 0 to 1, drawn once per image |
| `thickness` t/T | β, how much light is scattered over a distance of 1 |
| `air` | A, the light of the air |

    D(x, t, d) = x exp(-β_t d) + A (1 - exp(-β_t d)),  β_t = thickness t/T

S. G. Narasimhan, S. K. Nayar: Vision and the Atmosphere. IJCV 48 (2002), equation 4.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from colddiff_core import (
    NO_CONTEXT,
    Context,
    Degradation,
    ImageShape,
    ParameterError,
    TensorSpec,
)

_CELLS = 4  # of the random field, along each side of the image
_NEAREST = 0.2  # so that all of the image fogs over


class Fog(Degradation):
    """Fog that thickens from level to level, over a random landscape.

    Args:
        num_steps: T, the number of levels above 0.
        thickness: β at t = T; what lies farthest keeps exp(-thickness) of its light.
        air: the light of the air, -1 (black) to 1 (white).

    Raises:
        ParameterError: the thickness is not positive, or the air is out of range.
    """

    def __init__(
        self,
        *,
        num_steps: int = 20,
        thickness: float = 4.0,
        air: float = 0.6,
    ) -> None:
        super().__init__(num_steps)
        if not thickness > 0:
            raise ParameterError(f"thickness: expected a positive number, got {thickness}")
        if not -1 <= air <= 1:
            raise ParameterError(f"air: expected -1 to 1, got {air}")
        self.air = air
        beta = torch.linspace(0, thickness, num_steps + 1)
        self.register_buffer("_beta", beta, persistent=False)
        self._beta: Tensor

    def context_spec(self, image_shape: ImageShape) -> Mapping[str, TensorSpec]:
        """The distance of each pixel."""
        return {"depth": TensorSpec(torch.float32, (1, *image_shape[1:]))}

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Draw a smooth field for each image, and add a slope towards the top."""
        height, width = x0.shape[2:]
        coarse = [torch.rand(1, _CELLS, _CELLS, generator=generator) for _ in x0]
        hills = functional.interpolate(
            torch.stack(coarse), (height, width), mode="bilinear", align_corners=True
        )
        slope = torch.linspace(1, 0, height)[:, None]
        depth = _NEAREST + (1 - _NEAREST) * (hills + slope) / 2
        return {"depth": depth.to(x0.device)}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        kept = self._transmission(t, context)
        return (x0 * kept + self.air * (1 - kept)).to(x0.dtype)

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, s) - D(x0, t) = (x0 - A) (exp(-β_s d) - exp(-β_t d))."""
        gained = self._transmission(s, context) - self._transmission(t, context)
        return ((x0 - self.air) * gained).to(x0.dtype)

    def _transmission(self, t: Tensor, context: Context) -> Tensor:
        return torch.exp(-self._beta[t][:, None, None, None] * context["depth"])
