"""Algorithm 2 of arXiv 2208.09392, "transformation agnostic cold sampling" (TACoS)."""

from torch import Tensor

from colddiff_core import Context, Degradation, Sampler


class Improved(Sampler):
    """x_s = x_t - D(x0_hat, t) + D(x0_hat, s).

    For a D linear in its level the errors of the restorer cancel to first order (section 3.3).
    """

    def step(
        self,
        x_t: Tensor,
        x0_hat: Tensor,
        t: Tensor,
        s: Tensor,
        degradation: Degradation,
        context: Context,
    ) -> Tensor:
        """Take one step; see `Sampler.step`."""
        return x_t + degradation.difference(x0_hat, t, s, context)
