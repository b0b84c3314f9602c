"""Training a restorer: `train(recipe, folder)` makes a model folder.

Nothing is imported until it is used, so that what reads runs back needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colddiff_core.training.trainer import train

_HOME = {"train": "trainer"}

__all__ = ["train"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
