"""The contract of a sampler: one step of a sampling algorithm."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from colddiff_core.contracts.component import Buildable
from colddiff_core.contracts.degradation import Context, Degradation


class Sampler(Buildable, ABC):
    """One step x_t -> x_s (s < t) from the restorer's estimate of x_0; pure and without state.

    The loop, its schedule and the callbacks belong to `ColdDiffusion`.
    """

    uses_context: ClassVar[bool] = True
    """Whether a step looks at the context. Where none does, it is empty: neither restoring nor an
    exported file asks for a context, even if the degradation has one."""

    @abstractmethod
    def step(
        self,
        x_t: Tensor,
        x0_hat: Tensor,
        t: Tensor,
        s: Tensor,
        degradation: Degradation,
        context: Context,
    ) -> Tensor:
        """Take one step.

        Args:
            x_t: (B, C, H, W) images at level `t`.
            x0_hat: (B, C, H, W), the estimate R(x_t, t).
            t: (B,) int64 levels of `x_t`.
            s: (B,) int64 levels to reach, s < t.
            degradation: D.
            context: what is random about D, fixed over the steps; empty unless `uses_context`.

        Returns:
            x_s, (B, C, H, W).
        """
