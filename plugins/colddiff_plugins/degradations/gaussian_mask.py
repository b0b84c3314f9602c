"""Gaussian mask: the image fades to mid grey around a centre, further out at each step.

| here | in the paper (arXiv 2208.09392, section 4.2 and appendix) |
|---|---|
| `std_i` | β_i, the standard deviation of the mask of step i = 0…T-1, pixels |
| `kept[t]` | A_t = Π_{i<t} z_i with z_i = 1 - exp(-r² / 2β_i²), r the distance from the centre |

    D(x, t) = A_t ∘ x

The T products are taken once; a level is one row of a table over r² (see `_radial`). A random
centre costs no more arithmetic: the same table, looked up at other distances.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import (
    NO_CONTEXT,
    Context,
    Degradation,
    Hints,
    ImageShape,
    TensorSpec,
)
from colddiff_core.contracts.errors import UsageError
from colddiff_plugins.degradations._find_center import center_of_hole, center_of_mask
from colddiff_plugins.degradations._radial import RadialIndex, kept, mask_stds, middle


class GaussianMask(Degradation):
    """Multiply by one more inverted Gaussian at each step, std_i = std + i * std_step.

    The authors' `kernel_std * (i + initial_mask)` is std = kernel_std * initial_mask and
    std_step = kernel_std.

    Args:
        image_shape: (C, H, W) of the images.
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
        image_shape: ImageShape,
        *,
        num_steps: int = 50,
        std: float = 1.1,
        std_step: float = 0.1,
        center: Literal["middle", "random"] = "middle",
    ) -> None:
        super().__init__(image_shape, num_steps)
        _, height, width = image_shape
        fixed, reach = middle(height, width) if center == "middle" else (None, (height, width))
        self._index = RadialIndex(height, width, reach)
        table = kept(mask_stds(std, std_step, num_steps), self._index.squared)
        self.register_buffer("_kept", table.float(), persistent=False)
        self.register_buffer("_center", fixed, persistent=False)
        self._kept: Tensor
        self._center: Tensor | None

    @property
    def context_spec(self) -> Mapping[str, TensorSpec]:
        """The centre of a random mask."""
        return {} if self._center is not None else {"center": TensorSpec(torch.int64, (2,))}

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Draw a centre for each image: row -1 to H - 1, column -1 to W - 1."""
        if self._center is not None:
            return NO_CONTEXT
        sides = self.image_shape[1:]
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
        if self._center is not None and "mask" in hints:
            raise UsageError(
                "mask: gaussian-mask with center = 'middle' has its hole in the middle of every "
                "picture; leave the mask out, or train with center = 'random'"
            )
        if self._center is not None or "center" in hints:
            return super().estimate_context(x_t, t, hints)
        self.check_hints(hints, ("mask", "center"))
        # On the CPU, since not every device knows float64
        kept = self._index.around(self._kept[t]).cpu()
        mask = hints.get("mask")
        center = (
            center_of_hole(x_t.cpu(), kept) if mask is None else center_of_mask(mask.cpu(), kept)
        )
        return {"center": center.to(x_t.device)}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        return self._multiply(x0, self._kept[t], context)

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, s) - D(x0, t) with one look-up and one product."""
        return self._multiply(x0, self._kept[s] - self._kept[t], context)

    def _multiply(self, x0: Tensor, values: Tensor, context: Context) -> Tensor:
        center = context["center"] if self._center is None else self._center
        mask: Tensor = self._index(values, center)
        return (mask.to(torch.promote_types(x0.dtype, torch.float32)) * x0).to(x0.dtype)
