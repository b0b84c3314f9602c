"""A right exporter of a few lines, and wrong ones made of it.

They are in a module of their own so that a fresh interpreter can import them.
"""

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from colddiff_core import ParameterError, Process
from colddiff_core.contracts.errors import ExportError, ModelFileError, UsageError
from colddiff_core.contracts.exporter import Exporter, ExportReport
from colddiff_core.disk import write_atomically
from colddiff_core.models.folder import resolved_recipe
from colddiff_exporters.onnx_exporter import OnnxExporter


class Pickled:
    """A process out of a file."""

    def __init__(self, content: bytes) -> None:
        self.process, self.recipe = torch.load(io.BytesIO(content), weights_only=False)
        self.image_shape = self.process.image_shape
        self.num_steps = self.process.num_steps

    def restore(
        self,
        x_t: np.ndarray,
        timesteps: Iterable[int] | None = None,
        context: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        tensors = {name: torch.from_numpy(value) for name, value in (context or {}).items()}
        return self.process.restore(torch.from_numpy(x_t), timesteps, tensors).numpy()


class Pickles(Exporter):
    """A right one: all of a process as torch saves it."""

    suffix: ClassVar[str] = ".pickle"
    needs_torch: ClassVar[bool] = True

    def export(self, process: Process, path: Path, **_: Any) -> ExportReport:
        buffer = io.BytesIO()
        try:
            error = self.error_of(process)
            torch.save((process, resolved_recipe(process)), buffer)
        except RuntimeError as cause:
            raise ExportError(f"cannot be saved: {cause}") from cause
        write_atomically(path, buffer.getvalue())
        return ExportReport(path, len(buffer.getvalue()), 1, {"batch 1": error}, 0.0)

    def error_of(self, process: Process) -> float:
        shape = (1, *process.image_shape)
        t = torch.tensor([1])
        return 0.0 if process.restorer(torch.zeros(shape), t).isfinite().all() else math.inf

    def open(self, path: Path, *, device: str = "auto") -> Any:
        if device not in ("auto", "cpu"):
            raise UsageError(f"device: expected auto or cpu, got {device!r}")
        try:
            return Pickled(path.read_bytes())
        except Exception as error:
            raise ModelFileError(f"{path}: {error}") from error


class NoDot(Pickles):
    suffix = "onnx"


class Rounds(Pickles):
    """A file of another process."""

    def export(self, process: Process, path: Path, **rest: Any) -> ExportReport:
        weight = process.restorer.outer.bias
        before = weight.detach().clone()
        try:
            with torch.no_grad():
                weight += 0.1
            return super().export(process, path, **rest)
        finally:
            with torch.no_grad():
                weight.copy_(before)


class Boasts(Pickles):
    def export(self, process: Process, path: Path, **rest: Any) -> ExportReport:
        return replace(super().export(process, path, **rest), checks={})


class ImportsTorch(OnnxExporter):
    """As this module does at its top."""


class TrustsFiles(Pickles):
    def open(self, path: Path, *, device: str = "auto") -> Any:
        return super().open(path, device=device) if path.stem in ("model", "written") else None


class RaisesWhatItLikes(Pickles):
    def open(self, path: Path, *, device: str = "auto") -> Any:
        path.read_bytes()
        return super().open(path, device=device)


class TakesAnyDevice(Pickles):
    def open(self, path: Path, *, device: str = "auto") -> Any:
        return super().open(path, device="cpu")


class LeavesHalfAFile(Pickles):
    def export(self, process: Process, path: Path, **rest: Any) -> ExportReport:
        path.write_bytes(b"half")
        return super().export(process, path, **rest)


class FailsItsOwnWay(Pickles):
    def export(self, process: Process, path: Path, **rest: Any) -> ExportReport:
        try:
            return super().export(process, path, **rest)
        except Exception as error:
            raise ParameterError("no") from error


class LeavesItTraining(Pickles):
    def export(self, process: Process, path: Path, **rest: Any) -> ExportReport:
        report = super().export(process, path, **rest)
        process.train()
        return report


class ChangesWeights(Pickles):
    def export(self, process: Process, path: Path, **rest: Any) -> ExportReport:
        report = super().export(process, path, **rest)
        process.half().float()
        return report


class SaysAnotherShape(Pickles):
    def open(self, path: Path, *, device: str = "auto") -> Any:
        model = super().open(path, device=device)
        model.num_steps = 9
        return model


WRONG = [
    (NoDot, "says_how_its_files_are_known", "suffix is 'onnx': expected a dot"),
    (Rounds, "writes_what_agrees_with_torch", "file and torch differ by 0"),
    (Boasts, "writes_what_agrees_with_torch", "tells of 0 comparisons"),
    (SaysAnotherShape, "describes_itself", r"the file is of \(\(3, 16, 16\), 9,"),
    (ImportsTorch, "opens_without_torch", "imports torch. Import what writes files inside"),
    (TrustsFiles, "refuses_a_damaged_file", "open of a missing file raises no ModelFileError"),
    (RaisesWhatItLikes, "refuses_a_damaged_file", "it raised FileNotFoundError"),
    (TakesAnyDevice, "refuses_an_unknown_device", "device='abacus'"),
    (LeavesHalfAFile, "leaves_nothing_on_failure", "holds .*atomic_path"),
    (FailsItsOwnWay, "leaves_nothing_on_failure", "a broken restorer raises no ExportError: no"),
    (LeavesItTraining, "keeps_the_process", "in training mode"),
    (ChangesWeights, "keeps_the_process", "exporting changes 'restorer"),
]
