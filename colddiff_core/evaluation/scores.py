"""Figures of merit of one row of a table, accumulated batch by batch."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanSquaredError, Metric
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from colddiff_core.degradation import ImageShape

PROTOCOL: Mapping[str, Any] = {
    "range": [0, 1],
    "clamped": False,
    "rmse": "pooled over all pixels of all images",
    "psnr": "dB, mean over images",
    "ssim": {
        "window": "gaussian",
        "size": 11,
        "sigma": 1.5,
        "k1": 0.01,
        "k2": 0.03,
        "borders": "reflected",
    },
}
"""How the figures are taken; figures that were taken otherwise cannot be compared with them."""

_WINDOW = 11  # pixels; SSIM of a smaller image is not defined


class Scores:
    """RMSE, PSNR and SSIM of images against the clean ones.

    Args:
        image_shape: (C, H, W); without SSIM if a side is shorter than its window of 11 pixels.
        device: where the images are.
    """

    def __init__(self, image_shape: ImageShape, device: torch.device) -> None:
        psnr = PeakSignalNoiseRatio(data_range=1.0, dim=(1, 2, 3), reduction="elementwise_mean")
        self._metrics: dict[str, Metric] = {"rmse": MeanSquaredError(squared=False), "psnr": psnr}
        if min(image_shape[1:]) >= _WINDOW:
            self._metrics["ssim"] = StructuralSimilarityIndexMeasure(data_range=1.0)
        for metric in self._metrics.values():
            metric.to(device).set_dtype(torch.float64)

    @torch.no_grad()
    def update(self, images: Tensor, x0: Tensor) -> None:
        """Take a batch into account.

        Args:
            images: (B, C, H, W) in [-1, 1], not clamped.
            x0: (B, C, H, W) clean images in [-1, 1].
        """
        found, expected = (((tensor.double() + 1) / 2).contiguous() for tensor in (images, x0))
        for metric in self._metrics.values():
            metric.update(found, expected)

    def compute(self) -> dict[str, float]:
        """The figures by name."""
        return {name: metric.compute().item() for name, metric in self._metrics.items()}
