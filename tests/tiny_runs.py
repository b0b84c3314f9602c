"""Recipes of runs that take a moment: a handful of pictures of 8x8 pixels."""

from pathlib import Path

import numpy as np
from PIL import Image

from colddiff_core.contracts.recipe import Recipe
from colddiff_core.models.recipe import load_recipe

_TINY = [
    "degradation={name='gaussian-mask', num_steps=3, center='random'}",
    "restorer={name='unet', channels=8, multipliers=[1, 2]}",
    "train={steps=6, batch_size=5, log_every=1, sample_every=0, checkpoint_every=2, lr=2e-3}",
]


def tiny_recipe(pictures: Path, *more: str) -> Recipe:
    """A recipe on the pictures in a folder, which is made if it is not there."""
    if not pictures.exists():
        pictures.mkdir()
        draws = np.random.default_rng(0)
        for k in range(12):
            Image.fromarray(draws.integers(0, 255, (8, 8), np.uint8)).save(pictures / f"{k}.png")
    data = f"data={{name='folder', folder='{pictures}', image_size=8, channels=1}}"
    return load_recipe("mnist-demo", [data, *_TINY, *more])
