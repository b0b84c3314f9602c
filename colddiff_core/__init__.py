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
    from colddiff_core.contracts.endpoint import EndpointDegradation
    from colddiff_core.contracts.errors import (
        ColdDiffError,
        ContextError,
        ExportError,
        ImageError,
        ModelFileError,
        ParameterError,
        UsageError,
    )
    from colddiff_core.contracts.exporter import Exporter, ExportReport
    from colddiff_core.contracts.locality import Locality
    from colddiff_core.contracts.model import Model
    from colddiff_core.contracts.prior import Prior
    from colddiff_core.contracts.process import Process
    from colddiff_core.contracts.recipe import Recipe, TrainTable
    from colddiff_core.contracts.restorer import Restorer
    from colddiff_core.contracts.sampler import Sampler
    from colddiff_core.contracts.steps import Step, TrainingStep
    from colddiff_core.evaluation.evaluate import evaluate
    from colddiff_core.models.recipe import load_recipe
    from colddiff_core.pictures.batches import from_batch, to_batch
    from colddiff_core.pictures.reading import (
        Picture,
        picture_header,
        read_image,
        read_mask,
        read_picture,
    )
    from colddiff_core.pictures.value_range import from_uint8, to_uint8
    from colddiff_core.pictures.writing import write_image
    from colddiff_core.process import ColdDiffusion
    from colddiff_core.registry.components import build
    from colddiff_core.registry.hookspecs import Component, hookimpl
    from colddiff_core.restoration.engine import Restored, Room
    from colddiff_core.restoration.estimating import find_levels
    from colddiff_core.restoration.hints import PictureHints
    from colddiff_core.restoration.level import FoundLevel
    from colddiff_core.restoration.opening import describe_model, open_model
    from colddiff_core.restoration.pictures import PictureResult, restore_pictures
    from colddiff_core.training.trainer import train

_HOME = {
    "Buildable": "contracts.component",
    "ColdDiffError": "contracts.errors",
    "ColdDiffusion": "process",
    "Component": "registry.hookspecs",
    "Context": "contracts.degradation",
    "ContextError": "contracts.errors",
    "Degradation": "contracts.degradation",
    "EndpointDegradation": "contracts.endpoint",
    "ExportError": "contracts.errors",
    "ExportReport": "contracts.exporter",
    "Exporter": "contracts.exporter",
    "FoundLevel": "restoration.level",
    "Hints": "contracts.degradation",
    "ImageDataset": "contracts.dataset",
    "ImageError": "contracts.errors",
    "ImageShape": "contracts.degradation",
    "Locality": "contracts.locality",
    "Model": "contracts.model",
    "ModelFileError": "contracts.errors",
    "NO_CONTEXT": "contracts.degradation",
    "ParameterError": "contracts.errors",
    "Picture": "pictures.reading",
    "PictureHints": "restoration.hints",
    "PictureResult": "restoration.pictures",
    "Prior": "contracts.prior",
    "Process": "contracts.process",
    "Recipe": "contracts.recipe",
    "Restored": "restoration.engine",
    "Restorer": "contracts.restorer",
    "Room": "restoration.engine",
    "Sampler": "contracts.sampler",
    "Step": "contracts.steps",
    "TensorSpec": "contracts.degradation",
    "TrainTable": "contracts.recipe",
    "TrainingStep": "contracts.steps",
    "UsageError": "contracts.errors",
    "build": "registry.components",
    "describe_model": "restoration.opening",
    "evaluate": "evaluation.evaluate",
    "find_levels": "restoration.estimating",
    "from_batch": "pictures.batches",
    "from_uint8": "pictures.value_range",
    "hookimpl": "registry.hookspecs",
    "load_recipe": "models.recipe",
    "open_model": "restoration.opening",
    "picture_header": "pictures.reading",
    "read_image": "pictures.reading",
    "read_mask": "pictures.reading",
    "read_picture": "pictures.reading",
    "restore_pictures": "restoration.pictures",
    "to_batch": "pictures.batches",
    "to_uint8": "pictures.value_range",
    "train": "training.trainer",
    "write_image": "pictures.writing",
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
    "EndpointDegradation",
    "ExportError",
    "ExportReport",
    "Exporter",
    "FoundLevel",
    "Hints",
    "ImageDataset",
    "ImageError",
    "ImageShape",
    "Locality",
    "Model",
    "ModelFileError",
    "ParameterError",
    "Picture",
    "PictureHints",
    "PictureResult",
    "Prior",
    "Process",
    "Recipe",
    "Restored",
    "Restorer",
    "Room",
    "Sampler",
    "Step",
    "TensorSpec",
    "TrainTable",
    "TrainingStep",
    "UsageError",
    "build",
    "describe_model",
    "evaluate",
    "find_levels",
    "from_batch",
    "from_uint8",
    "hookimpl",
    "load_recipe",
    "open_model",
    "picture_header",
    "read_image",
    "read_mask",
    "read_picture",
    "restore_pictures",
    "to_batch",
    "to_uint8",
    "train",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
