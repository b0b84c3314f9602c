"""Wrong exporters, in a module of their own so that a fresh interpreter can import them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from colddiff_core import ColdDiffusion, ParameterError
from colddiff_core.exporter import ExportedModel, ExportReport
from colddiff_exporters.onnx_exporter import OnnxExporter


class NoDot(OnnxExporter):
    suffix = "onnx"


class Rounds(OnnxExporter):
    """A file of another process."""

    def export(self, process: ColdDiffusion, path: Path, **rest: Any) -> ExportReport:
        import torch

        weight = process.restorer.outer.bias
        before = weight.detach().clone()
        try:
            with torch.no_grad():
                weight += 0.1
            return super().export(process, path, **rest)
        finally:
            with torch.no_grad():
                weight.copy_(before)


class Boasts(OnnxExporter):
    def export(self, process: ColdDiffusion, path: Path, **rest: Any) -> ExportReport:
        return replace(super().export(process, path, **rest), checks={})


class ImportsTorch(OnnxExporter):
    def open(self, path: Path, *, device: str = "auto") -> ExportedModel:
        import torch  # noqa: F401

        return super().open(path, device=device)


class TrustsFiles(OnnxExporter):
    def open(self, path: Path, *, device: str = "auto") -> ExportedModel:
        return super().open(path, device=device) if path.stem in ("model", "written") else None


class RaisesWhatItLikes(OnnxExporter):
    def open(self, path: Path, *, device: str = "auto") -> ExportedModel:
        path.read_bytes()
        return super().open(path, device=device)


class TakesAnyDevice(OnnxExporter):
    def open(self, path: Path, *, device: str = "auto") -> ExportedModel:  # noqa: ARG002
        return super().open(path, device="cpu")


class LeavesHalfAFile(OnnxExporter):
    def export(self, process: ColdDiffusion, path: Path, **rest: Any) -> ExportReport:
        path.write_bytes(b"half")
        return super().export(process, path, **rest)


class FailsItsOwnWay(OnnxExporter):
    def export(self, process: ColdDiffusion, path: Path, **rest: Any) -> ExportReport:
        try:
            return super().export(process, path, **rest)
        except Exception as error:
            raise ParameterError("no") from error


class LeavesItTraining(OnnxExporter):
    def export(self, process: ColdDiffusion, path: Path, **rest: Any) -> ExportReport:
        report = super().export(process, path, **rest)
        process.train()
        return report


class ChangesWeights(OnnxExporter):
    def export(self, process: ColdDiffusion, path: Path, **rest: Any) -> ExportReport:
        report = super().export(process, path, **rest)
        process.half().float()
        return report


class SaysAnotherShape(OnnxExporter):
    def open(self, path: Path, *, device: str = "auto") -> ExportedModel:
        model: Any = super().open(path, device=device)
        model._metadata = replace(model._metadata, timesteps=(9, 0))
        return model


WRONG = [
    (NoDot, "says_how_its_files_are_known", "suffix is 'onnx': expected a dot"),
    (Rounds, "writes_what_agrees_with_torch", "file and torch differ by 0"),
    (Boasts, "writes_what_agrees_with_torch", "tells of 0 comparisons"),
    (SaysAnotherShape, "describes_itself", r"the file is of \(\(3, 16, 16\), 9,"),
    (ImportsTorch, "opens_without_torch", "imports torch: import what writes files inside"),
    (TrustsFiles, "refuses_a_damaged_file", "open of a missing file raises no ModelFileError"),
    (RaisesWhatItLikes, "refuses_a_damaged_file", "it raised FileNotFoundError"),
    (TakesAnyDevice, "refuses_an_unknown_device", "device='abacus'"),
    (
        LeavesHalfAFile,
        "leaves_nothing_on_failure",
        "holds .*atomic_path",
    ),
    (FailsItsOwnWay, "leaves_nothing_on_failure", "reported by ParameterError"),
    (LeavesItTraining, "keeps_the_process", "in training mode"),
    (ChangesWeights, "keeps_the_process", "exporting changes 'restorer"),
]
