"""Training curves for TensorBoard, where it is installed: `pip install colddiff[tensorboard]`.

The files go to `FOLDER/tensorboard`; look at them with `tensorboard --logdir FOLDER`.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from colddiff_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from colddiff_core.training import TrainingStep

_SCALARS = ("loss", "lr", "images_per_second")


@hookimpl
def colddiff_training_step(step: "TrainingStep", folder: Path) -> None:
    """Write one point of each curve."""
    if find_spec("tensorboard") is None:
        return
    writer = _writer(folder / "tensorboard")
    for name in _SCALARS:
        writer.add_scalar(f"train/{name}", getattr(step, name), step.step)
    writer.flush()
    if step.step == step.steps:
        writer.close()
        _writer.cache_clear()


@lru_cache(maxsize=1)
def _writer(folder: Path) -> "SummaryWriter":
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))
