"""A Gaussian mixture on the mean colours of the training images: where blur ends.

| here | in the paper (arXiv 2208.09392, section 5) |
|---|---|
| `weight`, `mean`, `factor` | the mixture: π_k, μ_k, and L_k with Σ_k = L_k L_kᵀ |
| `noise_std` | breaks the symmetry: a restorer given one flat colour can only return one image |

    x_T = μ_k + L_k ε_1 at every pixel, + noise_std ε_2 at each
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from colddiff_core import NO_CONTEXT, Context, ImageShape, ParameterError, Prior, UsageError

_ROUNDS = 200  # of expectation and maximisation
_GAIN = 1e-6  # of the mean log-likelihood, nats: less ends the fit
_RIDGE = 1e-6  # added to the variances, so that a degenerate cluster stays proper


class ChannelMeanGmm(Prior):
    """Draw a colour from a Gaussian mixture, and a little noise on top.

    Args:
        image_shape: (C, H, W) of the images.
        components: of the mixture.
        noise_std: standard deviation of the noise at each pixel, on [-1, 1].

    Raises:
        ParameterError: no component, or a negative deviation.
    """

    def __init__(
        self, image_shape: ImageShape, *, components: int = 1, noise_std: float = 0.002
    ) -> None:
        super().__init__(image_shape)
        if not 1 <= components <= 1000:
            raise ParameterError(f"components: expected 1 to 1000, got {components}")
        if noise_std < 0:
            raise ParameterError(f"noise_std: expected 0 or more, got {noise_std}")
        channels = image_shape[0]
        self.noise_std = noise_std
        self.weight = nn.Buffer(torch.zeros(components))
        self.mean = nn.Buffer(torch.zeros(components, channels))
        self.factor = nn.Buffer(torch.zeros(components, channels, channels))

    def fit(self, images: Iterable[Tensor]) -> None:
        """Fit the mixture to the per-channel means; see `Prior.fit`."""
        colors = torch.cat([batch.double().mean((2, 3)).cpu() for batch in images])
        count = len(self.weight)
        if len(colors) < 2 * count:
            raise ParameterError(
                f"components: {count} need at least {2 * count} images, got {len(colors)}"
            )
        for buffer, value in zip(self.buffers(), fit_gmm(colors, count), strict=True):
            buffer.copy_(value)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Context]:
        """Draw colours; see `Prior.sample`.

        Raises:
            UsageError: it was not fitted.
        """
        if not self.weight.any():
            raise UsageError("prior 'channel-mean-gmm': is not fitted; training does that")
        weight, mean, factor = (buffer.cpu() for buffer in (self.weight, self.mean, self.factor))
        x_T = []  # noqa: N806 - the paper's symbol
        for _ in range(n):
            k = int(torch.multinomial(weight, 1, generator=generator))
            color = mean[k] + factor[k] @ torch.randn(len(mean[k]), generator=generator)
            noise = torch.randn(self.image_shape, generator=generator)
            x_T.append(color[:, None, None] + self.noise_std * noise)
        return torch.stack(x_T), NO_CONTEXT


def fit_gmm(points: Tensor, components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Fit a Gaussian mixture with full covariances by expectation-maximisation.

    Args:
        points: (N, C) float64.
        components: K.

    Returns:
        Weights (K,), means (K, C) and lower Cholesky factors of the covariances (K, C, C).
    """
    channels = points.shape[1]
    # Starts from slices along the direction in which the points spread most: no randomness
    axis = torch.linalg.eigh(torch.cov(points.T).reshape(channels, channels)).eigenvectors[:, -1]
    order = (points @ axis).argsort()
    share = torch.zeros(len(points), components, dtype=points.dtype)
    for k, part in enumerate(order.tensor_split(components)):
        share[part, k] = 1
    likelihood = -math.inf
    ridge = _RIDGE * torch.eye(channels, dtype=points.dtype)
    for _ in range(_ROUNDS):
        mass = share.sum(0).clamp(min=1e-12)
        mean = share.T @ points / mass[:, None]
        off = points - mean[:, None]
        covariance = torch.einsum("nk,kni,knj->kij", share, off, off) / mass[:, None, None]
        factor = torch.linalg.cholesky(covariance + ridge)
        white = torch.linalg.solve_triangular(factor, off.mT, upper=False)
        log_det = factor.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = -log_det - channels / 2 * math.log(2 * math.pi)
        log_p = (mass / len(points)).log() + constant - white.square().sum(1).T / 2
        share = log_p.softmax(1)
        before, likelihood = likelihood, log_p.logsumexp(1).mean().item()
        if likelihood - before < _GAIN:
            break
    return mass / mass.sum(), mean, factor
