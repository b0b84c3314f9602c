"""Degrade clean pictures with the model's own operator, as a test of the model."""

import copy
from typing import TYPE_CHECKING

from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.model import Arrays, Images, Model

if TYPE_CHECKING:
    from colddiff_core.process import ColdDiffusion


class Simulation:
    """Degrade clean pictures.

    Args:
        model: whose operator it is, and whose prior, if it draws some of the context.
        level: to degrade to.
        seed: of what is drawn.

    Raises:
        UsageError: torch is not installed.
    """

    def __init__(self, model: Model, level: int, seed: int) -> None:
        self._process = operator_of(model, "--simulate: degrading")

        import torch

        self.level = level
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, x0: Images) -> tuple[Images, Arrays]:
        """Degrade images (B, C, H, W) of any size: (x_t, context)."""
        import torch

        clean = torch.from_numpy(x0)
        context = self._process.sample_context(clean, self._generator)
        x_t = self._process.degrade(clean, self.level, context)
        return x_t.numpy(), {name: value.numpy() for name, value in context.items()}


def operator_of(model: Model, why: str) -> "ColdDiffusion":
    """The degradation, sampler and prior of a model, on the CPU, around no network.

    Args:
        model: a model folder or an exported file.
        why: what torch is needed for, to begin the message if there is none.

    Raises:
        UsageError: torch is not installed, or a plugin that the recipe names.
    """
    try:
        import torch
    except ImportError:
        raise UsageError(f"{why} takes torch, which is not installed; pip install torch") from None

    from colddiff_core.models.recipe import build_table
    from colddiff_core.process import ColdDiffusion
    from colddiff_core.restoration.process_model import ProcessModel

    if isinstance(model, ProcessModel):
        own = model.process
        degradation, prior = copy.deepcopy((own.degradation, own.prior))
        return ColdDiffusion(degradation, torch.nn.Identity(), own.sampler, prior).cpu()
    recipe = model.recipe
    return ColdDiffusion(
        build_table("degradation", recipe.degradation),
        torch.nn.Identity(),
        build_table("sampler", recipe.sampler),
        None if recipe.prior is None else model.prior,
    )
