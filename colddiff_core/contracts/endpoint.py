"""Degradations that mix the image with an endpoint: x_t = a_t x0 + b_t z.

| here | in the paper (arXiv 2208.09392, section 5) |
|---|---|
| `endpoint` | z, what the image turns into: noise, or another image |
| `signal[t]`, `mixed[t]` | a_t and b_t; a_0 = 1 and b_0 = 0 |
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from colddiff_core.contracts.degradation import (
    NO_CONTEXT,
    Context,
    Degradation,
    Hints,
    ImageShape,
    TensorSpec,
)

_TRACE = 1 / 255  # of the image: less does not show in a picture of 8 bits


class EndpointDegradation(Degradation):
    """D(x0, t) = a_t x0 + b_t z; a subclass gives the coefficients, and may draw z.

    The endpoint can be read off x_t and an estimate of x0, which is what `ddim` needs.

    Args:
        num_steps: T.
        schedule: from T to a_t and b_t for t = 0…T, each (T + 1,).
    """

    def __init__(self, num_steps: int, schedule: Callable[[int], tuple[Tensor, Tensor]]) -> None:
        super().__init__(num_steps)
        signal, mixed = schedule(num_steps)
        self._signal = nn.Buffer(signal.float(), persistent=False)
        self._mixed = nn.Buffer(mixed.float(), persistent=False)

    def context_spec(self, image_shape: ImageShape) -> Mapping[str, TensorSpec]:
        """The endpoint of each image."""
        return {"endpoint": TensorSpec(torch.float32, image_shape)}

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Each image, turned by 180°: a stand-in for what only the user's own pictures can give."""
        return {"endpoint": x0.flip(2, 3).float()}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        return self._mix(x0, self._signal[t], self._mixed[t], context)

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, s) - D(x0, t) = (a_s - a_t) x0 + (b_s - b_t) z."""
        signal = self._signal[s] - self._signal[t]
        return self._mix(x0, signal, self._mixed[s] - self._mixed[t], context)

    def estimate_context(self, x_t: Tensor, t: Tensor, hints: Hints = NO_CONTEXT) -> Context:
        """The endpoint given, or the image itself where D has left nothing else, as at t = T.

        Raises:
            ContextError: there is more left of the image, so that the two cannot be told apart.
            UsageError: a hint other than `endpoint`.
        """
        if hints or (self._signal[t] > _TRACE).any():
            return super().estimate_context(x_t, t, hints)
        return {"endpoint": (x_t / self._mixed[t][:, None, None, None]).float()}

    def estimate_endpoint(self, x_t: Tensor, x0_hat: Tensor, t: Tensor) -> Tensor:
        """The z for which D(x0_hat, t) is x_t: (x_t - a_t x0_hat) / b_t.

        Args:
            x_t: (B, C, H, W) images at level `t`.
            x0_hat: (B, C, H, W), an estimate of x0.
            t: (B,) int64 levels, 1 to T.
        """
        dtype = torch.promote_types(x_t.dtype, torch.float32)
        signal, mixed = (
            table[t].to(dtype)[:, None, None, None] for table in (self._signal, self._mixed)
        )
        return ((x_t - signal * x0_hat) / mixed).to(x_t.dtype)

    def _mix(self, x0: Tensor, signal: Tensor, mixed: Tensor, context: Context) -> Tensor:
        dtype = torch.promote_types(x0.dtype, torch.float32)
        signal, mixed = (a.to(dtype)[:, None, None, None] for a in (signal, mixed))
        return (signal * x0 + mixed * context["endpoint"].to(dtype)).to(x0.dtype)
