"""The core of colddiff: contracts, hooks, process, restoring, training and model folders.

Everything public is here, and nothing is imported until it is used: `import colddiff_core` costs
no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colddiff_core.contracts.component import Buildable
    from colddiff_core.contracts.dataset import ImageDataset
    from colddiff_core.contracts.degradation import (
        NO_CONTEXT,
        Context,
        Degradation,
        Hints,
        ImageShape,
        TensorSpec,
    )
    from colddiff_core.contracts.errors import (
        ColdDiffError,
        ContextError,
        ParameterError,
        UsageError,
    )
    from colddiff_core.contracts.exporter import Exporter
    from colddiff_core.contracts.locality import Locality
    from colddiff_core.contracts.prior import Prior
    from colddiff_core.contracts.process import Process
    from colddiff_core.contracts.restorer import Restorer
    from colddiff_core.contracts.sampler import Sampler
    from colddiff_core.contracts.steps import Step, TrainingStep
    from colddiff_core.evaluation.evaluate import evaluate
    from colddiff_core.models.recipe import load_recipe
    from colddiff_core.pictures.value_range import from_uint8, to_uint8
    from colddiff_core.process import ColdDiffusion
    from colddiff_core.registry.components import build
    from colddiff_core.registry.hookspecs import Component, hookimpl
    from colddiff_core.training.trainer import train

_HOME = {
    "Buildable": "contracts.component",
    "ColdDiffError": "contracts.errors",
    "ColdDiffusion": "process",
    "Component": "registry.hookspecs",
    "Context": "contracts.degradation",
    "ContextError": "contracts.errors",
    "Degradation": "contracts.degradation",
    "Exporter": "contracts.exporter",
    "Hints": "contracts.degradation",
    "ImageDataset": "contracts.dataset",
    "ImageShape": "contracts.degradation",
    "Locality": "contracts.locality",
    "NO_CONTEXT": "contracts.degradation",
    "ParameterError": "contracts.errors",
    "Prior": "contracts.prior",
    "Process": "contracts.process",
    "Restorer": "contracts.restorer",
    "Sampler": "contracts.sampler",
    "Step": "contracts.steps",
    "TensorSpec": "contracts.degradation",
    "TrainingStep": "contracts.steps",
    "UsageError": "contracts.errors",
    "build": "registry.components",
    "evaluate": "evaluation.evaluate",
    "from_uint8": "pictures.value_range",
    "hookimpl": "registry.hookspecs",
    "load_recipe": "models.recipe",
    "to_uint8": "pictures.value_range",
    "train": "training.trainer",
}

__all__ = [
    "NO_CONTEXT",
    "Buildable",
    "ColdDiffError",
    "ColdDiffusion",
    "Component",
    "Context",
    "ContextError",
    "Degradation",
    "Exporter",
    "Hints",
    "ImageDataset",
    "ImageShape",
    "Locality",
    "ParameterError",
    "Prior",
    "Process",
    "Restorer",
    "Sampler",
    "Step",
    "TensorSpec",
    "TrainingStep",
    "UsageError",
    "build",
    "evaluate",
    "from_uint8",
    "hookimpl",
    "load_recipe",
    "to_uint8",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
