"""Colour mask: the image fades to one flat colour, for generation from that colour.

| here | in the paper (arXiv 2208.09392, section 5.3 and appendix) |
|---|---|
| `std_i` | β_i, the standard deviation of the mask of step i = 0…T-1, pixels |
| `kept` | P_t = Π_{i<t} (1 - exp(-r² / 2β_i²)), r the distance from the middle |
| `color` | c, one number a channel |
| `weight[t]` | A_t, how much of the image is left: P_t, or in reverse 1 - P_{T-t} |

    D(x, t) = A_t ∘ x + (1 - A_t) ∘ c

In reverse the colour comes in from the border, x_T = c, and generation grows the image from the
middle outwards. 1 - P_T is short of 1 where the widest mask does not reach: A_0 is set to 1, as
the authors' sampler has it, and T and std should be large enough for the image.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from colddiff_core import NO_CONTEXT, Context, Degradation, Hints, ImageShape, TensorSpec
from colddiff_plugins.degradations._radial import RadialTable, mask_stds

_TRACE = 1 / 255  # of the image: less does not show in a picture of 8 bits
_SPREAD = 0.5  # the authors draw each channel of the colour from [-0.5, 0.5)


class ColorMask(Degradation):
    """Cover the image with a flat colour, through Gaussians of std_i = std + i * std_step.

    Args:
        num_steps: T, the number of masks.
        std: standard deviation of the first mask, pixels.
        std_step: by how much it grows at each step, pixels.
        reverse: cover from the border inwards, so that x_T is the colour alone; else from the
            middle outwards.

    Raises:
        ParameterError: a std that is not positive.
    """

    def __init__(
        self,
        *,
        num_steps: int = 750,
        std: float = 0.05,
        std_step: float = 0.05,
        reverse: bool = True,
    ) -> None:
        super().__init__(num_steps)
        self._radial = RadialTable(mask_stds(std, std_step, num_steps), random=False)
        self._reverse = reverse

    def check(self, image_shape: ImageShape) -> None:
        """Refuse images too large for the masks' table; see `Degradation.check`."""
        self._radial.check(image_shape)

    def context_spec(self, image_shape: ImageShape) -> Mapping[str, TensorSpec]:
        """The colour of each image."""
        return {"color": TensorSpec(torch.float32, (image_shape[0], 1, 1))}

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Draw a muted colour for each image, as the authors do to train."""
        shape = (x0.shape[1], 1, 1)
        colors = [(2 * torch.rand(shape, generator=generator) - 1) * _SPREAD for _ in x0]
        return {"color": torch.stack(colors).to(x0.device)}

    def estimate_context(self, x_t: Tensor, t: Tensor, hints: Hints = NO_CONTEXT) -> Context:
        """The colour given, or the mean over the pixels where nothing else is left at level t.

        Raises:
            ContextError: the colour is mixed with the image everywhere, as at low levels.
            UsageError: a hint other than `color`.
        """
        flat = self._weight(x_t, t) < _TRACE
        if hints or not flat.flatten(1).any(1).all():
            return super().estimate_context(x_t, t, hints)
        covered = flat.to(torch.promote_types(x_t.dtype, torch.float32))
        color = (covered * x_t).sum((2, 3), keepdim=True) / covered.sum((2, 3), keepdim=True)
        return {"color": color.float()}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        weight = self._weight(x0, t)
        return (weight * x0 + (1 - weight) * context["color"].to(weight.dtype)).to(x0.dtype)

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, s) - D(x0, t) = (A_s - A_t) ∘ (x0 - c)."""
        change = self._weight(x0, s, t)
        return (change * (x0 - context["color"].to(change.dtype))).to(x0.dtype)

    def _weight(self, x0: Tensor, s: Tensor, t: Tensor | None = None) -> Tensor:
        """A_s, or A_s - A_t, (B, 1, H, W)."""
        weight, *places = self.table(self._make, *x0.shape[2:], like=x0)
        values = weight[s] if t is None else weight[s] - weight[t]
        spread = self._radial.spread(values, places, NO_CONTEXT)
        return spread.to(torch.promote_types(x0.dtype, torch.float32))

    def _make(self, height: int, width: int) -> tuple[Tensor, ...]:
        kept, *places = self._radial.make(height, width)
        if self._reverse:
            kept = 1 - kept.flip(0)
            kept[0] = 1
        return kept.float(), *places
