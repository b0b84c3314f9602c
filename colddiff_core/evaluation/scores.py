"""Figures of merit of one row of a table, accumulated batch by batch."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, MeanSquaredError
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import FrechetInceptionDistance

from colddiff_core.contracts.degradation import ImageShape

PROTOCOL: Mapping[str, Any] = {
    "range": [0, 1],
    "clamped": False,
    "rmse": "pooled over all pixels of all images",
    "psnr": "dB, mean over images, each at most 100",
    "ssim": {
        "window": "gaussian",
        "size": 11,
        "sigma": 1.5,
        "k1": 0.01,
        "k2": 0.03,
        "borders": "whole windows only",
    },
}
"""How the figures are taken; figures that were taken otherwise cannot be compared with them.

With whole windows the degraded rows of the paper's tables come out within 3 %; with reflected
borders, the default of torchmetrics, some are twice as large.
"""

_WINDOW = 11  # pixels; SSIM of a smaller image is not defined
_MOST_PSNR = 100.0  # dB, an error of 1e-5: identical images have no other

_log = logging.getLogger(__name__)


class Scores:
    """RMSE, PSNR, SSIM and Fréchet distance of images against the clean ones.

    Args:
        image_shape: (C, H, W); without SSIM if a side is shorter than its window of 11 pixels.
        device: where the images are.
        num_features: F, of what the Fréchet distance is taken on; without it when None.
    """

    def __init__(
        self, image_shape: ImageShape, device: torch.device, num_features: int | None = None
    ) -> None:
        self._rmse = MeanSquaredError(squared=False)
        self._psnr = MeanMetric()
        self._ssim = MeanMetric() if min(image_shape[1:]) >= _WINDOW else None
        self._frechet = None if num_features is None else frechet_distance(num_features)
        for metric in (self._rmse, self._psnr, self._ssim, self._frechet):
            if metric is not None:
                metric.to(device).set_dtype(torch.float64)

    @torch.no_grad()
    def update(
        self,
        images: Tensor,
        x0: Tensor,
        features: Tensor | None = None,
        clean_features: Tensor | None = None,
    ) -> None:
        """Take a batch into account.

        Args:
            images: (B, C, H, W) in [-1, 1], not clamped.
            x0: (B, C, H, W) clean images in [-1, 1].
            features: (B, F) float64, of the images, for the Fréchet distance.
            clean_features: (B, F) float64, of the clean ones.
        """
        found, expected = (((tensor.double() + 1) / 2).contiguous() for tensor in (images, x0))
        self._rmse.update(found, expected)
        error = (found - expected).square().mean((1, 2, 3))
        self._psnr.update((-10 * error.log10()).clamp(max=_MOST_PSNR))
        if self._ssim is not None:
            self._ssim.update(ssim(found.float(), expected.float()))
        if self._frechet is not None and features is not None and clean_features is not None:
            self._frechet.update(features, real=False)
            self._frechet.update(clean_features, real=True)

    def compute(self) -> dict[str, float]:
        """The figures by name."""
        figures = {"rmse": self._rmse.compute().item(), "psnr": self._psnr.compute().item()}
        if self._ssim is not None:
            figures["ssim"] = self._ssim.compute().item()
        if self._frechet is not None:
            figures["frechet"] = self._frechet.compute().item()
        return figures


def ssim(images: Tensor, x0: Tensor) -> Tensor:
    """Structural similarity of each image, (B,), over the windows that lie wholly in it.

    Args:
        images: (B, C, H, W) in [0, 1], at least 11 pixels a side.
        x0: (B, C, H, W) clean images in [0, 1].
    """
    _, everywhere = structural_similarity_index_measure(
        images, x0, data_range=1.0, reduction="none", return_full_image=True
    )
    cut = _WINDOW // 2
    inside: Tensor = everywhere[..., cut:-cut, cut:-cut]
    return inside.mean((1, 2, 3))


def frechet_distance(num_features: int) -> FrechetInceptionDistance:
    """A distance that takes features, (B, F) float64, in the place of images.

    |μ - μ'|² + tr(Σ + Σ' - 2 (ΣΣ')^½), the squared Fréchet distance of two Gaussians (Heusel et
    al., arXiv 1706.08500); means and covariances are accumulated in float64.
    """
    return FrechetInceptionDistance(_Features(num_features))


def warn_of_few(count: int, num_features: int | None) -> None:
    """Warn where a Fréchet distance of so many images would be mostly bias."""
    if num_features is not None and count <= num_features:
        _log.warning(
            "a Fréchet distance of %d images on %d features says little: their covariance takes "
            "more images than features",
            *(count, num_features),
        )


class _Features(nn.Identity):
    """What torchmetrics takes for a network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
