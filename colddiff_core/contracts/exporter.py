"""The contract of an exporter: a format that a trained process is written to and run from.

This module and the module of an exporter import no torch at the top, so that a file can be run
where torch is not installed.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from colddiff_core.contracts.component import Buildable
from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.finding import Finding
from colddiff_core.contracts.model import Model

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core.contracts.process import Process


@dataclass(frozen=True)
class ExportReport:
    """What was written and how well it agrees with torch.

    Attributes:
        path: the file.
        size: its bytes.
        nodes: number of operators.
        checks: what was run, e.g. `"batch 5, 20 steps"`, and the largest absolute difference of
            a pixel, on [-1, 1].
        tolerance: the largest difference that is accepted after all steps, or in each by itself.
        mean_errors: the mean absolute difference in each check.
        milliseconds: what torch and the file's runtime took in each check, in this order.
        snr: signal-to-noise ratio against torch in decibels, where the format loses precision.
    """

    path: Path
    size: int
    nodes: int
    checks: Mapping[str, float]
    tolerance: float
    mean_errors: Mapping[str, float] = field(default_factory=dict)
    milliseconds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    snr: float | None = None

    @property
    def max_error(self) -> float:
        """The largest difference in all checks; not a number if it was not checked."""
        return max(self.checks.values(), default=math.nan)


class Exporter(Buildable, ABC):
    """One file format."""

    suffix: ClassVar[str]
    """How its files end, e.g. `".onnx"`; empty if it writes folders."""

    marker: ClassVar[str] = ""
    """A file that each of its folders has, if it writes folders, e.g. `"config.pbtxt"`."""

    needs_torch: ClassVar[bool] = False
    """Whether its files can only be run by torch."""

    @abstractmethod
    def export(
        self, process: "Process", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write a file, run it and compare it with torch.

        Args:
            process: what to export, in evaluation mode, on the CPU.
            path: the file or folder; on failure, what was there before stays.
            images: (N, C, H, W) clean images in [-1, 1] to compare on; noise when None.

        Raises:
            ExportError: it cannot be expressed in the format, or differs by more than the
                tolerance.
        """

    @abstractmethod
    def open(self, path: Path, *, device: str = "auto") -> Model:
        """Open a file of this format, without importing torch unless it `needs_torch`.

        Raises:
            ModelFileError: missing, damaged or not written by this project.
            UsageError: the device cannot be had.
        """

    def open_limited(
        self,
        path: Path,
        *,
        device: str = "auto",
        seconds: float | None = None,
        memory: int | None = None,
    ) -> Model:
        """Open a file of a stranger's, to be run in a process of its own.

        Args:
            path: of the file.
            device: as for `open`.
            seconds: the most that opening may take, and each call.
            memory: bytes that may be allocated.

        Raises:
            UsageError: see `open`; or the format cannot, as here.
            TimeLimitError: opening took longer than `seconds`.
        """
        raise UsageError(f"{path}: files of {type(self).__name__} cannot be run with limits")

    def describe(self, path: Path) -> Mapping[str, Any]:
        """What a file says about itself, in values that JSON can hold; for `colddiff info`.

        Raises:
            ModelFileError: missing, damaged or not written by this project.
        """
        model = self.open(path, device="cpu")
        return {
            "image_shape": list(model.image_shape),
            "num_steps": model.num_steps,
            "recipe": model.recipe.model_dump(mode="json", exclude_none=True),
        }

    def findings(self) -> Iterable[Finding]:
        """Look at what the format needs in this installation; for `colddiff doctor`."""
        return ()
