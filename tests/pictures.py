"""Pictures that are made up."""

import numpy as np

from colddiff_core.pictures.batches import Pixels


def photograph(height: int, width: int, channels: int = 3) -> Pixels:
    """Smooth colours with some edges."""
    y, x = np.mgrid[:height, :width]
    waves = [
        np.sin(x / (9 + c) + c) + np.cos(y / (7 + c)) + (x + y > height) for c in range(channels)
    ]
    scaled = (np.stack(waves, -1) + 2) / 5
    return (scaled * 255).astype(np.uint8)
