"""The core of colddiff: contracts, hooks, process, training and model folders.

Everything public is here, and nothing is imported until it is used: `import colddiff_core` costs
no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colddiff_core.dataset import ImageDataset
    from colddiff_core.degradation import Context, Degradation, Hints, TensorSpec
    from colddiff_core.errors import ColdDiffError, ContextError, ParameterError, UsageError
    from colddiff_core.exporter import Exporter
    from colddiff_core.hookspecs import Component, hookimpl
    from colddiff_core.prior import Prior
    from colddiff_core.process import ColdDiffusion, Step
    from colddiff_core.registry import build
    from colddiff_core.restorer import Restorer
    from colddiff_core.sampler import Sampler

_HOME = {
    "ColdDiffError": "errors",
    "ColdDiffusion": "process",
    "Component": "hookspecs",
    "Context": "degradation",
    "ContextError": "errors",
    "Degradation": "degradation",
    "Exporter": "exporter",
    "Hints": "degradation",
    "ImageDataset": "dataset",
    "ParameterError": "errors",
    "Prior": "prior",
    "Restorer": "restorer",
    "Sampler": "sampler",
    "Step": "process",
    "TensorSpec": "degradation",
    "UsageError": "errors",
    "build": "registry",
    "hookimpl": "hookspecs",
}

__all__ = [
    "ColdDiffError",
    "ColdDiffusion",
    "Component",
    "Context",
    "ContextError",
    "Degradation",
    "Exporter",
    "Hints",
    "ImageDataset",
    "ParameterError",
    "Prior",
    "Restorer",
    "Sampler",
    "Step",
    "TensorSpec",
    "UsageError",
    "build",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
