"""A process as a model, run by torch."""

import math
from functools import cached_property

import numpy as np
import torch

from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.model import Arrays, Images, Model
from colddiff_core.contracts.prior import Prior
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.contracts.restorer import Restorer
from colddiff_core.devices import torch_device
from colddiff_core.models.folder import resolved_recipe
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build
from colddiff_core.restoration.footprint import working_memory

_MEASURED = 128  # pixels a side: what a pixel takes is much the same in larger images


class ProcessModel(Model):
    """A process, out of a model folder or put together by hand.

    Args:
        process: what restores; it is moved to the device, and put into evaluation mode.
        name: what messages call it.
        device: `auto`, or a device of torch: `cpu`, `cuda`, `cuda:1`, `mps`.
        sampler: another sampler than its own.

    Raises:
        UsageError: the device cannot be had, or it is no process.
    """

    def __init__(
        self,
        process: ColdDiffusion,
        *,
        name: str = "the process",
        device: str = "auto",
        sampler: str | None = None,
    ) -> None:
        if not isinstance(process, ColdDiffusion):
            raise UsageError(
                f"model: expected the path of one, or a process, got a {type(process).__name__}"
            )
        self.name = name
        self.fixed_sampler = False
        self.device = torch_device(device)
        self.note = "no GPU: torch finds no CUDA" if self.device == "cpu" else ""
        self.process = process.to(self.device).eval()
        if sampler is not None:
            process.sampler = build("sampler", sampler)
        self._recipe = resolved_recipe(process)
        self.image_shape = process.image_shape
        self.num_steps, self.context_names = process.num_steps, process.context_names
        self.locality = process.degradation.locality
        restorer = process.restorer
        if isinstance(restorer, Restorer):  # else a module of the user's own, who knows its sizes
            self.reach = restorer.reach
            self.size_multiple = restorer.size_multiple or 1
            self.size = process.image_shape[1:] if restorer.size_multiple is None else None

    @property
    def recipe(self) -> Recipe:
        """What it was trained with, with every parameter."""
        return self._recipe

    @property
    def prior(self) -> Prior:
        """What generation starts from; see `Model.prior`."""
        if self.process.prior is None:
            raise UsageError("generate: the model has no prior to start from")
        return self.process.prior

    def memory(self, height: int, width: int) -> int:
        """Bytes for an image of a size, from what a small one takes; see `Model.memory`."""
        return self._bytes_per_pixel * height * width

    @cached_property
    def _bytes_per_pixel(self) -> int:
        channels, *size = self.image_shape
        if isinstance(self.process.restorer, Restorer) and self.size is None:
            size = [_MEASURED, _MEASURED]
        x = torch.zeros(1, channels, *size, device=self.device)
        context = self.process.degradation.sample_context(x, torch.Generator())
        few = (self.num_steps, self.num_steps // 2, 0)[: self.num_steps + 1]
        return working_memory(lambda: self.process.restore(x, few, context)) // math.prod(size)

    def _restore(self, x_t: Images, levels: tuple[int, ...], context: Arrays) -> Images:
        tensors = {name: torch.from_numpy(a).to(self.device) for name, a in context.items()}
        x0 = self.process.restore(torch.from_numpy(x_t).to(self.device), levels, tensors)
        return np.asarray(x0.cpu().numpy())

    @torch.no_grad()
    def _estimate(self, x_t: Images, t: int, context: Arrays) -> Images:
        x = torch.from_numpy(x_t).to(self.device)
        levels = torch.full((len(x),), t, device=x.device)
        return np.asarray(self.process.estimate(x, levels).cpu().numpy())
