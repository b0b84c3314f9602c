"""Small parts to put around a component that is checked."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from colddiff_core.contracts.degradation import (
    NO_CONTEXT,
    Context,
    Degradation,
    ImageShape,
    TensorSpec,
)
from colddiff_core.contracts.restorer import Restorer


class TinyRestorer(Restorer):
    """R(x_t, t) = x_t + 0.1 conv(sigmoid(conv(x_t) + level)), which trains and exports in a moment.

    Args:
        image_shape: (C, H, W) of the images.
    """

    size_multiple = 1
    reach = 2

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__(image_shape)
        self.inner = nn.Conv2d(image_shape[0], 8, 3, padding=1)
        self.outer = nn.Conv2d(8, image_shape[0], 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """R(x_t, t); see `Restorer.forward`."""
        level = (t.to(x_t.dtype) / 100)[:, None, None, None]
        return x_t + 0.1 * self.outer(torch.sigmoid(self.inner(x_t) + level))  # type: ignore[no-any-return]


class TypedFade(Degradation):
    """Towards a tone, for images that are marked; its context has a tensor of each type.

    Args:
        num_steps: T.
    """

    def __init__(self, *, num_steps: int = 3) -> None:
        super().__init__(num_steps)

    def context_spec(self, image_shape: ImageShape) -> Mapping[str, TensorSpec]:
        """A tone, a column from which on the image fades, and the mark."""
        return {
            "tone": TensorSpec(torch.float32, (image_shape[0], 1, 1)),
            "column": TensorSpec(torch.int64, ()),
            "marked": TensorSpec(torch.bool, ()),
        }

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Draw all three for each image."""
        _, channels, _, width = x0.shape
        drawn = torch.rand(len(x0), channels + 2, generator=generator)
        tone, column, marked = drawn[:, :channels, None, None], drawn[:, -2], drawn[:, -1]
        return {"tone": tone, "column": (column * width).long(), "marked": marked > 0.5}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        columns = torch.arange(x0.shape[3], device=x0.device)
        fades = (columns >= context["column"][:, None]) & context["marked"][:, None]
        weight = (t / self.num_steps)[:, None, None, None] * fades[:, None, None, :]
        return (x0 * (1 - weight) + context["tone"] * weight).to(x0.dtype)
