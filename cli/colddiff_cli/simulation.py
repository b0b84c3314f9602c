"""Degrade clean pictures with the model's own operator, as a test of the model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colddiff_cli.model_operator import operator_of
from colddiff_core.contracts.exporter import ExportedModel
from colddiff_core.pictures.images import Pixels, to_batch

Images = NDArray[np.float32]

_WHY = "--simulate: degrading"


class Simulation:
    """Degrade clean pictures.

    Args:
        model: whose operator it is, and whose prior, if it draws some of the context.
        level: to degrade to.
        seed: of what is drawn.

    Raises:
        UsageError: torch is not installed.
    """

    def __init__(self, model: ExportedModel, level: int, seed: int) -> None:
        self._process = operator_of(model, _WHY)

        import torch

        self._model = model
        self.level = level
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, x0: Images) -> tuple[Images, Mapping[str, NDArray[Any]]]:
        """Degrade a batch: (x_t, context)."""
        import torch

        clean = torch.from_numpy(x0)
        context = self._process.sample_context(clean, self._generator)
        x_t = self._process.degrade(clean, self.level, context)
        return x_t.numpy(), {name: value.numpy() for name, value in context.items()}

    def whole(self, pixels: Pixels, grid: int) -> Images:
        """Degrade one picture of any size, (C, H, W), mirrored up to multiples of `grid`."""
        import torch

        height, width, _ = pixels.shape
        beyond = [(0, -side % grid) for side in (height, width)]
        padded = np.pad(pixels, [*beyond, (0, 0)], mode="symmetric")
        degradation = self._process.degradation
        x0 = torch.from_numpy(to_batch([padded]))
        context = degradation.sample_context(x0, self._generator)
        x_t: torch.Tensor = degradation(x0, torch.tensor([self.level]), context)
        inside: Images = x_t[0, :, :height, :width].numpy()
        return inside
