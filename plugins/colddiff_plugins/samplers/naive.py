"""Algorithm 1 of arXiv 2208.09392: restore, degrade to the next level, repeat."""

from torch import Tensor

from colddiff_core import Context, Degradation, Sampler


class Naive(Sampler):
    """x_s = D(x0_hat, s). Forgets x_t, so the errors of the restorer add up."""

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
        return degradation(x0_hat, s, context)  # type: ignore[no-any-return]
