"""Gaussian blur: D(x, t) = K_{t-1} * … * K_0 * x, at the cost of one transform for any t.

| here | in the paper (arXiv 2208.09392, section 4.1 and appendix) |
|---|---|
| `std_i` | σ_i, the standard deviation of step i = 0…T-1, pixels |
| `taps` | g_i(j) ∝ exp(-j² / 2σ_i²), |j| ≤ kernel_size // 2, summing to 1; K_i = g_i ⊗ g_i |
| `h[t]` | per axis, the product of the transfer functions of g_0 … g_{t-1} |
| `V` | the real Fourier basis (circular) or the DCT-I basis (reflect), in which K is diagonal |

Blurring level by level takes t convolutions. In the basis V every step is a product with a row of
numbers, so the T products are taken once, in float64, and

    D(x, t) = x + V_h (V_h⁻¹ x V_w⁻ᵀ ∘ (h_t ⊗ h_t - 1)) V_wᵀ

which is x itself, bit for bit, at t = 0. Reflect means without repeating the edge pixel, as in
numpy: such an image is one period of an even signal, whose Fourier basis is the DCT-I.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from colddiff_core import NO_CONTEXT, Context, Degradation, ImageShape, Locality, ParameterError

_MAX_KERNEL = 4095  # pixels; a recipe may come from anybody


class GaussianBlur(Degradation):
    """Blur a little more at each step, with kernels truncated at `kernel_size` and normalised.

    Args:
        num_steps: T, the number of blurs at full severity.
        kernel_size: taps of each kernel, odd, pixels.
        std: standard deviation of the first kernel, pixels.
        std_step: how it grows: by this much a step (linear), or by its exponential.
        schedule: linear, std_i = std + i * std_step; exponential, std_i = std * exp(i * std_step).
        padding: what lies beyond the border: the opposite side (circular) or the mirror image
            without the edge pixel (reflect).
        final_mean: at t = T, replace the image by the mean of each channel (for generation).

    Raises:
        ParameterError: an even kernel, or a std that is not positive.
    """

    def __init__(
        self,
        *,
        num_steps: int = 20,
        kernel_size: int = 11,
        std: float = 7.0,
        std_step: float = 0.0,
        schedule: Literal["linear", "exponential"] = "linear",
        padding: Literal["circular", "reflect"] = "circular",
        final_mean: bool = False,
    ) -> None:
        super().__init__(num_steps)
        if not 1 <= kernel_size <= _MAX_KERNEL or kernel_size % 2 == 0:
            raise ParameterError(
                f"kernel_size: expected an odd number of pixels up to {_MAX_KERNEL}, "
                f"got {kernel_size}"
            )
        i = torch.arange(num_steps, dtype=torch.float64)
        std_i = std + i * std_step if schedule == "linear" else std * torch.exp(i * std_step)
        if not (std_i.min() > 0 and std_i.isfinite().all()):
            raise ParameterError(
                f"std: every step needs a positive one, got {std_i.min():g} to {std_i.max():g}"
            )
        self._std, self._kernel_size = std_i.tolist(), kernel_size
        self._padding = padding
        is_mean = torch.zeros(num_steps + 1)
        is_mean[-1] = float(final_mean)
        self._is_mean = nn.Buffer(is_mean, persistent=False)
        self._final_mean = final_mean
        taps = _gaussian_taps(self._std, kernel_size)
        j = torch.arange(taps.shape[1], dtype=taps.dtype)
        self._reach = math.ceil(2 * math.sqrt((2 * taps * j**2).sum()))  # variances add up

    @property
    def locality(self) -> Locality | None:
        """Twice the deviation of all blurs together; none where the mean of the image is taken."""
        return None if self._final_mean else Locality(reach=self._reach)

    def check(self, image_shape: ImageShape) -> None:
        """Refuse what has no mirror image; see `Degradation.check`."""
        if self._padding == "reflect" and min(image_shape[1:]) < 2:
            raise ParameterError("padding: reflect needs at least 2 pixels a side")

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        return x0 + self.difference(x0, torch.zeros_like(t), t, context)

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, s) - D(x0, t) with one transform pair, because D is linear in x0."""
        dtype = torch.promote_types(x0.dtype, torch.float32)  # sums over an axis need 24 bits
        x = x0.to(dtype)
        v_h, v_inverse_h, h_h = self.table(self._axis, x.shape[2], like=x)
        v_w, v_inverse_w, h_w = self.table(self._axis, x.shape[3], like=x)
        change = (_outer(h_h[s], h_w[s]) - _outer(h_h[t], h_w[t])).to(dtype)
        spectrum = v_inverse_h.to(dtype) @ x @ v_inverse_w.to(dtype).mT
        y = v_h.to(dtype) @ (spectrum * change) @ v_w.to(dtype).mT
        if self._final_mean:
            weight = (self._is_mean[s] - self._is_mean[t]).to(dtype)
            y = y + weight[:, None, None, None] * x.mean((2, 3), keepdim=True)
        return y.to(x0.dtype)

    def _axis(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """V, V⁻¹ and h of an axis of n pixels."""
        basis = _fourier_basis if self._padding == "circular" else _dct1_basis
        v, v_inverse, frequency = basis(n)
        h = _cumulative_transfer(_gaussian_taps(self._std, self._kernel_size), frequency)
        if self._final_mean:
            h[-1] = 0  # the mean is added by itself: the DCT-I has no row for it
        return v.float(), v_inverse.float(), h.float()


def _outer(rows: Tensor, columns: Tensor) -> Tensor:
    """(B, H) and (B, W) to (B, 1, H, W)."""
    return rows[:, None, :, None] * columns[:, None, None, :]


def _gaussian_taps(std: Sequence[float], kernel_size: int) -> Tensor:
    """(T, kernel_size // 2 + 1): the taps of each kernel from its centre outwards."""
    j = torch.arange(kernel_size // 2 + 1, dtype=torch.float64)
    taps = torch.exp(-(j**2) / (2 * torch.tensor(std, dtype=torch.float64)[:, None] ** 2))
    return taps / (taps[:, :1] + 2 * taps[:, 1:].sum(1, keepdim=True))


def _cumulative_transfer(taps: Tensor, frequency: Tensor) -> Tensor:
    """(T + 1, n): row t holds the product of the first t transfer functions at n frequencies."""
    j = torch.arange(taps.shape[1], dtype=taps.dtype)
    cosines = torch.cos(j[:, None] * frequency)
    cosines[1:] *= 2  # each tap but the centre stands on both sides
    steps = torch.cumprod(taps @ cosines, dim=0)
    return torch.cat([torch.ones_like(steps[:1]), steps])


def _fourier_basis(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Orthonormal cosines and sines of period n: (V, V⁻¹, radians per pixel of each column)."""
    j = torch.arange(n, dtype=torch.float64)
    k = (j + 1) // 2  # 0, 1, 1, 2, 2, …: a cosine and a sine at each frequency
    frequency = 2 * torch.pi * k / n
    phase = torch.where(j % 2 == 1, 0.0, -torch.pi / 2)  # cos(a - π/2) = sin(a)
    phase[0] = 0
    v = torch.cos(j[:, None] * frequency + phase)
    v = v / v.norm(dim=0)
    return v, v.T.contiguous(), frequency


def _dct1_basis(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cosines of the even extension, period 2(n - 1): (V, V⁻¹, radians per pixel)."""
    j = torch.arange(n, dtype=torch.float64)
    frequency = torch.pi * j / (n - 1)
    v = torch.cos(j[:, None] * frequency)
    weight = torch.ones(n, dtype=torch.float64)
    weight[[0, -1]] = 0.5  # the ends stand once in a period, the others twice
    return v, 2 / (n - 1) * weight[:, None] * v * weight, frequency
