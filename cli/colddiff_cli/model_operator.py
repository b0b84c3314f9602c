"""The operator of a model, made again from its recipe; this is where torch comes in."""

from typing import TYPE_CHECKING

from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.exporter import ExportedModel

if TYPE_CHECKING:
    from colddiff_core.process import ColdDiffusion


def operator_of(model: ExportedModel, why: str) -> "ColdDiffusion":
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

    recipe = model.recipe
    return ColdDiffusion(
        build_table("degradation", recipe.degradation),
        torch.nn.Identity(),
        build_table("sampler", recipe.sampler),
        None if recipe.prior is None else model.prior,
    )
