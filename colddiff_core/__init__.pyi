# The public names and where they live; read at run time, too, by `lazy_loader`.

from .contracts.component import Buildable, name_of
from .contracts.dataset import ImageDataset, Split
from .contracts.degradation import NO_CONTEXT, Context, Degradation, Hints, ImageShape, TensorSpec
from .contracts.endpoint import EndpointDegradation
from .contracts.errors import (
    ColdDiffError,
    ContextError,
    DatasetError,
    ExportError,
    ImageError,
    ModelFileError,
    ParameterError,
    UsageError,
)
from .contracts.exporter import Exporter, ExportReport
from .contracts.finding import Finding
from .contracts.locality import Locality
from .contracts.model import Arrays, Images, Model
from .contracts.prior import Prior
from .contracts.process import Process
from .contracts.recipe import ComponentTable, Recipe, TrainTable
from .contracts.restorer import Restorer
from .contracts.sampler import Sampler
from .contracts.steps import Step, TrainingStep
from .disk import atomic_path
from .evaluation.evaluate import evaluate
from .evaluation.features import FeatureNetwork, feature_network
from .models.recipe import build_table, load_recipe
from .pictures.batches import Pixels, fit, from_batch, tile, to_batch
from .pictures.reading import Picture, picture_header, read_image, read_mask, read_picture
from .pictures.value_range import from_uint8, to_uint8
from .pictures.writing import write_image
from .process import ColdDiffusion
from .registry.components import build
from .registry.events import listening
from .registry.hookspecs import Component, hookimpl
from .restoration.engine import Restored, Room
from .restoration.estimating import find_levels
from .restoration.hints import PictureHints
from .restoration.level import FoundLevel
from .restoration.opening import describe_model, open_model
from .restoration.pictures import PictureResult, restore_pictures
from .testing.parametrize import parametrize_with_checks
from .training.trainer import train

__all__ = [
    "NO_CONTEXT",
    "Arrays",
    "Buildable",
    "ColdDiffError",
    "ColdDiffusion",
    "Component",
    "ComponentTable",
    "Context",
    "ContextError",
    "DatasetError",
    "Degradation",
    "EndpointDegradation",
    "ExportError",
    "ExportReport",
    "Exporter",
    "FeatureNetwork",
    "Finding",
    "FoundLevel",
    "Hints",
    "ImageDataset",
    "ImageError",
    "ImageShape",
    "Images",
    "Locality",
    "Model",
    "ModelFileError",
    "ParameterError",
    "Picture",
    "PictureHints",
    "PictureResult",
    "Pixels",
    "Prior",
    "Process",
    "Recipe",
    "Restored",
    "Restorer",
    "Room",
    "Sampler",
    "Split",
    "Step",
    "TensorSpec",
    "TrainTable",
    "TrainingStep",
    "UsageError",
    "atomic_path",
    "build",
    "build_table",
    "describe_model",
    "evaluate",
    "feature_network",
    "find_levels",
    "fit",
    "from_batch",
    "from_uint8",
    "hookimpl",
    "listening",
    "load_recipe",
    "name_of",
    "open_model",
    "parametrize_with_checks",
    "picture_header",
    "read_image",
    "read_mask",
    "read_picture",
    "restore_pictures",
    "tile",
    "to_batch",
    "to_uint8",
    "train",
    "write_image",
]
