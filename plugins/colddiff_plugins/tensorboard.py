"""Training curves for TensorBoard, where it is installed: `pip install colddiff[tensorboard]`.

The files go to `FOLDER/tensorboard`; look at them with `tensorboard --logdir FOLDER`.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from colddiff_core import hookimpl

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from colddiff_core import TrainingStep

_SCALARS = ("loss", "lr", "images_per_second")


@hookimpl
def colddiff_training_step(step: "TrainingStep", folder: Path) -> None:
    """Write one point of each curve."""
    if find_spec("tensorboard") is None:
        return
    curves = _curves(folder / "tensorboard")
    curves.draw(step)
    if step.step == step.steps:
        curves.close()
        _curves.cache_clear()


class Curves:
    """Writes the curves of a run; what a dead process wrote of later steps is not shown.

    Args:
        folder: of the event files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._last = 0

    def draw(self, step: "TrainingStep") -> None:
        """Write a point; a step that is not after the last begins a resumed run."""
        from torch.utils.tensorboard import SummaryWriter

        if self._writer is None or step.step <= self._last:
            self.close()
            self._writer = SummaryWriter(str(self._folder), purge_step=step.step)
        for name in _SCALARS:
            self._writer.add_scalar(f"train/{name}", getattr(step, name), step.step)
        self._writer.flush()
        self._last = step.step

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


@lru_cache(maxsize=1)
def _curves(folder: Path) -> Curves:
    return Curves(folder)
