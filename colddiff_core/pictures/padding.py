"""Padding by reflection, of any amount."""

from collections.abc import Sequence

import torch
from torch import Tensor


def reflect_to(images: Tensor, size: Sequence[int]) -> Tensor:
    """Extend images at the bottom and on the right by their mirror image.

    Unlike torch's own padding it may be wider than the image, which is then reflected again.

    Args:
        images: (B, C, h, w).
        size: (H, W), h and w at least.

    Returns:
        (B, C, H, W); the edge pixels are not repeated.
    """
    for axis, wanted in zip((2, 3), size, strict=True):
        if (n := images.shape[axis]) != wanted:
            images = images.index_select(axis, _mirrored(n, wanted, images.device))
    return images


def _mirrored(n: int, wanted: int, device: torch.device) -> Tensor:
    """0, 1, …, n - 1, n - 2, …, 1, 0, 1, …: `wanted` places."""
    period = max(2 * n - 2, 1)
    place = torch.arange(wanted, device=device) % period
    return torch.minimum(place, period - place) if n > 1 else place
