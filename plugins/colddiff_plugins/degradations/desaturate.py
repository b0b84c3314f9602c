"""Desaturation: the colours fade to the mean of the channels.

| here | in the paper (arXiv 2208.09392, appendix) |
|---|---|
| `color[t]` | w_t, the weight of the colour: 1 - t / T (linear) or factor^t (geometric) |

    D(x, t) = x + (1 - w_t) (mean over the channels of x - x)

The grey is the plain mean, not a luma. D changes nothing at t = 0, bit for bit.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from colddiff_core import NO_CONTEXT, Context, Degradation, ImageShape, Locality, ParameterError


class Desaturate(Degradation):
    """Mix in more of the grey image at each step.

    Args:
        num_steps: T, the number of steps to full severity.
        schedule: how the weight of the colour falls: linear to 0, or by `factor` a step.
        factor: what a geometric step leaves of the colour, between 0 and 1.
        final_gray: at t = T, leave no colour whatever the schedule.

    Raises:
        ParameterError: a factor out of range.
    """

    def __init__(
        self,
        *,
        num_steps: int = 20,
        schedule: Literal["linear", "geometric"] = "linear",
        factor: float = 0.9,
        final_gray: bool = False,
    ) -> None:
        super().__init__(num_steps)
        if not 0 < factor < 1:
            raise ParameterError(f"factor: expected a number between 0 and 1, got {factor:g}")
        t = torch.arange(num_steps + 1, dtype=torch.float64)
        color = 1 - t / num_steps if schedule == "linear" else factor**t
        if final_gray:
            color[-1] = 0
        self._color = nn.Buffer(color.float(), persistent=False)

    @property
    def locality(self) -> Locality:
        """Each pixel by itself."""
        return Locality(reach=0)

    def check(self, image_shape: ImageShape) -> None:
        """Refuse images without colour; see `Degradation.check`."""
        if image_shape[0] < 2:
            raise ParameterError(
                f"expected colour images, 2 channels or more, got {image_shape[0]}"
            )

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        return x0 + self.difference(x0, torch.zeros_like(t), t, context)

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, s) - D(x0, t) = (w_s - w_t) (x0 - grey)."""
        x = x0.to(torch.promote_types(x0.dtype, torch.float32))
        change = (self._color[s] - self._color[t]).to(x.dtype)[:, None, None, None]
        return (change * (x - x.mean(1, keepdim=True))).to(x0.dtype)
