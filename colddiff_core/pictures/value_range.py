"""Between the 8-bit values of pictures and the range [-1, 1] of the process."""

import torch
from torch import Tensor


def from_uint8(images: Tensor) -> Tensor:
    """Map uint8 0…255 to float32 in [-1, 1]; move the bytes to a GPU first, they are a quarter."""
    return images.float() / 255 * 2 - 1


def to_uint8_levels(images: Tensor) -> Tensor:
    """Round images in [-1, 1] to the 256 levels that a picture file can hold, clipping beyond."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """The picture of images in [-1, 1]: uint8 0…255, rounded, clipped beyond."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
