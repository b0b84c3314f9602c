"""Gaussian mask: the image fades to mid grey around a centre, further out at each step.

| here | in the paper (arXiv 2208.09392, section 4.2 and appendix) |
|---|---|
| `std_i` | β_i, the standard deviation of the mask of step i = 0…T-1, pixels |
| `kept[t]` | A_t = Π_{i<t} z_i with z_i = 1 - exp(-r² / 2β_i²), r the distance from the centre |

    D(x, t) = A_t ∘ x

The T products are taken once; a level is one row of a table over r² (see `_radial`). A random
centre costs no more arithmetic: the same table, looked up at other distances.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from colddiff_core import (
    NO_CONTEXT,
    Context,
    Degradation,
    Hints,
    ImageShape,
    TensorSpec,
    UsageError,
)
from colddiff_plugins.degradations._find_center import center_of_hole, center_of_mask
from colddiff_plugins.degradations._radial import RadialTable, mask_stds


class GaussianMask(Degradation):
    """Multiply by one more inverted Gaussian at each step, std_i = std + i * std_step.

    The authors' `kernel_std * (i + initial_mask)` is std = kernel_std * initial_mask and
    std_step = kernel_std.

    Args:
        num_steps: T, the number of masks at full severity.
        std: standard deviation of the first mask, pixels.
        std_step: by how much it grows at each step, pixels.
        center: where the masks lie: at (H // 2 - 1, W // 2 - 1), or at a pixel drawn for each
            image, which may lie one row or column outside as in the authors' code.

    Raises:
        ParameterError: a std that is not positive.
    """

    def __init__(
        self,
        *,
        num_steps: int = 50,
        std: float = 1.1,
        std_step: float = 0.1,
        center: Literal["middle", "random"] = "middle",
    ) -> None:
        super().__init__(num_steps)
        self._random = center == "random"
        self._radial = RadialTable(mask_stds(std, std_step, num_steps), random=self._random)

    def check(self, image_shape: ImageShape) -> None:
        """Refuse images too large for the masks' table; see `Degradation.check`."""
        self._radial.check(image_shape)

    def context_spec(self, image_shape: ImageShape) -> Mapping[str, TensorSpec]:
        """The centre of a random mask."""
        return {"center": TensorSpec(torch.int64, (2,))} if self._random else {}

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Draw a centre for each image: row -1 to H - 1, column -1 to W - 1."""
        if not self._random:
            return NO_CONTEXT
        sides = x0.shape[2:]
        centers = [
            torch.cat([torch.randint(-1, n, (1,), generator=generator) for n in sides]) for _ in x0
        ]
        return {"center": torch.stack(centers).to(x0.device)}

    def estimate_context(self, x_t: Tensor, t: Tensor, hints: Hints = NO_CONTEXT) -> Context:
        """The centre of a random mask: given, or from a mask, or from the grey hole in the image.

        Only the place of a given `mask` is used; what it covers does not change the image.

        Raises:
            UsageError: the masks lie in the middle, so that there is nothing to be told, or a
                hint other than `center` or `mask`.
        """
        if not self._random and "mask" in hints:
            raise UsageError(
                "mask: gaussian-mask with center = 'middle' has its hole in the middle of every "
                "picture; leave the mask out, or train with center = 'random'"
            )
        if not self._random or "center" in hints:
            return super().estimate_context(x_t, t, hints)
        self.check_hints(hints, ("mask", "center"))
        # On the CPU, since not every device knows float64
        table, rank, *_ = self._kept(x_t)
        kept = self._radial.around(table[t], rank, x_t.shape[2:]).cpu()
        mask = hints.get("mask")
        center = (
            center_of_hole(x_t.cpu(), kept) if mask is None else center_of_mask(mask.cpu(), kept)
        )
        return {"center": center.to(x_t.device)}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        kept, *places = self._kept(x0)
        return self._multiply(x0, kept[t], places, context)

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, s) - D(x0, t) with one look-up and one product."""
        kept, *places = self._kept(x0)
        return self._multiply(x0, kept[s] - kept[t], places, context)

    def _kept(self, x0: Tensor) -> tuple[Tensor, ...]:
        return self.table(self._make, *x0.shape[2:], like=x0)

    def _make(self, height: int, width: int) -> tuple[Tensor, ...]:
        kept, *places = self._radial.make(height, width)
        return kept.float(), *places

    def _multiply(
        self, x0: Tensor, values: Tensor, places: Sequence[Tensor], context: Context
    ) -> Tensor:
        mask = self._radial.spread(values, places, context)
        return (mask.to(torch.promote_types(x0.dtype, torch.float32)) * x0).to(x0.dtype)
