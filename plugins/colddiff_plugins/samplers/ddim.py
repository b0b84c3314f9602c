"""DDIM as the authors state it for cold diffusion: the endpoint is estimated anew at each step."""

from typing import ClassVar

from torch import Tensor

from colddiff_core import Context, Degradation, EndpointDegradation, Sampler, UsageError, name_of


class Ddim(Sampler):
    """z_hat = (x_t - a_t x0_hat) / b_t, x_s = a_s x0_hat + b_s z_hat.

    For a D that mixes the image with an endpoint, x_t = a_t x0 + b_t z (arXiv 2208.09392,
    section 5.1; Song et al., 2010.02502). `improved` is the same with z_hat = z, the endpoint that
    the context holds.
    """

    uses_context: ClassVar[bool] = False

    def step(
        self,
        x_t: Tensor,
        x0_hat: Tensor,
        t: Tensor,
        s: Tensor,
        degradation: Degradation,
        context: Context,
    ) -> Tensor:
        """Take one step; see `Sampler.step`.

        Raises:
            UsageError: the degradation has no endpoint.
        """
        if not isinstance(degradation, EndpointDegradation):
            raise UsageError(
                f"sampler 'ddim': needs a degradation with an endpoint, such as gaussian-noise; "
                f"{name_of(degradation)!r} has none, use 'improved'"
            )
        endpoint = degradation.estimate_endpoint(x_t, x0_hat, t)
        return degradation(x0_hat, s, {"endpoint": endpoint})  # type: ignore[no-any-return]
