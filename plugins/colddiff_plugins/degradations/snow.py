"""Snow: falling flakes, streaked by the wind, more and longer at each step.

| here | in the paper (arXiv 2208.09392, section 4.4) and the authors' code |
|---|---|
| `layer` | base: a normal field, its middle zoomed in; what is random, with the wind's direction |
| `threshold[t]` | θ_t: flakes are where the layer reaches it |
| `streak[t]` | g_t, the motion blur: a 1-D Gaussian of std σ_t, truncated, zero beyond the border |
| `tone[t]` | how much of the image's own brightness is kept; the rest is whitened |

    u = (x + 1) / 2
    f = g_t * clip(layer where layer >= θ_t, else 0)
    v = tone_t u + (1 - tone_t) max(u, 1.5 luma(u) + 0.5)
    D(x, t) = 2 clip(v + f + (f turned by 180°), 0, 1) - 1

θ, σ and tone change linearly from t = 1 to T. Each level is made from the clean image, so its cost
does not depend on t: the blur is one matrix product with a row of a table, along either axis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import NO_CONTEXT, Context, Degradation, ImageShape, ParameterError, TensorSpec

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class _Storm:
    """The constants of a level of severity; pairs are those of t = 1 and t = T.

    Attributes:
        mean: of the normal field.
        std: of the normal field.
        zoom: into the field, how much larger flakes are than pixels.
        taps: of the motion blur, pixels.
        threshold: θ.
        streak: σ, pixels.
        tone: the weight of the image's own brightness.
    """

    mean: float
    std: float
    zoom: Fraction
    taps: int
    threshold: tuple[float, float]
    streak: tuple[float, float]
    tone: tuple[float, float]


_STORMS = {
    1: _Storm(0.1, 0.3, Fraction(3), 5, (0.7, 0.3), (0.5, 5), (0.95, 0.7)),
    2: _Storm(0.55, 0.3, Fraction("2.5"), 11, (1.15, 0.7), (0.05, 12), (0.95, 0.55)),
    3: _Storm(0.55, 0.3, Fraction("2.5"), 11, (1.15, 0.7), (0.05, 16), (0.95, 0.4)),
    4: _Storm(0.55, 0.3, Fraction("2.5"), 11, (1.15, 0.55), (0.05, 20), (0.95, 0.3)),
}


class Snow(Degradation):
    """Let snow fall on the image.

    Args:
        num_steps: T, the number of steps to full severity.
        level: severity of the storm.
        brighten: whiten the image as well, as snow on the ground does.

    Raises:
        ParameterError: an unknown level.
    """

    def __init__(
        self, *, num_steps: int = 200, level: Literal[1, 2, 3, 4] = 1, brighten: bool = True
    ) -> None:
        super().__init__(num_steps)
        if level not in _STORMS:
            raise ParameterError(f"level: expected one of {[*_STORMS]}, got {level}")
        self._storm = _STORMS[level]
        self._brighten = brighten
        threshold, streak, tone = (
            # in float32, as the authors' thresholds are: flakes at the edge are the same ones
            torch.linspace(*ends, num_steps)
            for ends in (self._storm.threshold, self._storm.streak, self._storm.tone)
        )
        taps = _with_row_0(_taps(streak.double(), self._storm.taps), _delta(self._storm.taps))
        none = torch.tensor(torch.inf)  # a threshold that nothing reaches, at t = 0
        self._threshold = nn.Buffer(_with_row_0(threshold, none), persistent=False)
        self._tone = nn.Buffer(_with_row_0(tone, torch.tensor(1.0)), persistent=False)
        self._taps = nn.Buffer(F.pad(taps, (0, 1)).float(), persistent=False)
        self._luma = nn.Buffer(torch.tensor(_LUMA)[:, None, None], persistent=False)

    def check(self, image_shape: ImageShape) -> None:
        """Refuse what is neither grey nor red, green and blue; see `Degradation.check`."""
        if image_shape[0] not in (1, 3):
            raise ParameterError(f"snow falls on images of 1 or 3 channels, got {image_shape[0]}")

    def context_spec(self, image_shape: ImageShape) -> Mapping[str, TensorSpec]:
        """The snow field before the threshold, and whether the wind blows along the rows axis."""
        _, height, width = image_shape
        return {
            "layer": TensorSpec(torch.float32, (1, height, width)),
            "vertical": TensorSpec(torch.bool, ()),
        }

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Draw a snow field and a wind for each image."""
        fields, winds = [], []
        for _ in x0:
            fields.append(torch.randn((1, *x0.shape[2:]), generator=generator))
            winds.append(torch.rand((), generator=generator) > 0.5)
        field = self._storm.mean + self._storm.std * torch.stack(fields)
        layer = zoom_in(field, self._storm.zoom)
        return {"layer": layer.to(x0.device), "vertical": torch.stack(winds).to(x0.device)}

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, t); see `Degradation.forward`."""
        dtype = torch.promote_types(x0.dtype, torch.float32)
        u = (x0.to(dtype) + 1) / 2
        v = u
        if self._brighten:
            luma = u if u.shape[1] == 1 else (self._luma.to(dtype) * u).sum(1, keepdim=True)
            tone = self._tone[t].to(dtype)[:, None, None, None]
            v = tone * u + (1 - tone) * torch.maximum(u, 1.5 * luma + 0.5)
        flakes = self._flakes(t, context["layer"].to(dtype), context["vertical"])
        y = (v + flakes + flakes.flip(2, 3)).clamp(0, 1) * 2 - 1
        return torch.where(t[:, None, None, None] == 0, x0, y.to(x0.dtype))

    def _flakes(self, t: Tensor, layer: Tensor, vertical: Tensor) -> Tensor:
        """f, (B, 1, H, W)."""
        threshold = self._threshold[t][:, None, None, None]
        taps, calm = self._taps[t].to(layer.dtype), self._taps[0].to(layer.dtype)
        wind = vertical[:, None]
        (tap_h,) = self.table(self._tap_between, layer.shape[2], like=layer)
        (tap_w,) = self.table(self._tap_between, layer.shape[3], like=layer)
        rows = torch.where(wind, taps, calm)[:, tap_h][:, None]
        columns = torch.where(wind, calm, taps)[:, tap_w][:, None]
        flakes = torch.where(layer >= threshold, layer, 0).clamp(0, 1)
        return rows @ flakes @ columns.mT

    def _tap_between(self, n: int) -> tuple[Tensor]:
        """(n, n): which tap leads from a pixel to another; beyond the last, the zero after it."""
        pixel, count = torch.arange(n), self._storm.taps
        tap = pixel - pixel[:, None] + count // 2
        return (torch.where((tap >= 0) & (tap < count), tap, count),)


def zoom_in(field: Tensor, zoom: Fraction) -> Tensor:
    """Enlarge the middle of (B, 1, H, W) linearly, end points aligned, to the same size."""
    size = field.shape[2:]
    small = [-(-n // zoom) for n in size]
    large = [round(n * zoom) for n in small]
    middle = _crop(field, small)
    return _crop(F.interpolate(middle, large, mode="bilinear", align_corners=True), size)


def _crop(field: Tensor, size: Sequence[int]) -> Tensor:
    """The central part of an image."""
    top, left = ((n - m) // 2 for n, m in zip(field.shape[2:], size, strict=True))
    return field[:, :, top : top + size[0], left : left + size[1]]


def _taps(std: Tensor, count: int) -> Tensor:
    """(T, count): Gaussian taps that sum to 1."""
    offset = torch.arange(count, dtype=std.dtype) - count // 2
    taps = torch.exp(-((offset / std[:, None]) ** 2) / 2)
    return taps / taps.sum(1, keepdim=True)


def _delta(count: int) -> Tensor:
    """(count,): the taps of no blur."""
    return (torch.arange(count) == count // 2).double()


def _with_row_0(table: Tensor, row: Tensor) -> Tensor:
    return torch.cat([row[None], table])
