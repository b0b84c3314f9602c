"""The ONNX format: one verified, self-describing file.

Light to import: torch and onnx are needed to export, onnxruntime and numpy alone to run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from colddiff_core.contracts.errors import ExportError, ParameterError
from colddiff_core.contracts.exporter import Exporter, ExportReport
from colddiff_core.contracts.finding import Finding
from colddiff_core.contracts.model import Model

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core.contracts.process import Process
    from colddiff_exporters.graph.loop import LoopForm

OPSETS = range(18, 22)
"""ONNX operator sets that the tests export and run."""

TOLERANCES = {"fp32": 1e-4, "fp16": 2e-2, "int8": 0.5}
"""The largest accepted absolute difference from torch in one step, on [-1, 1], by precision."""

MIN_SNR = 10.0
"""Decibels against torch after all steps below which a file of lower precision is refused."""


class OnnxExporter(Exporter):
    """Write the step as the body of an ONNX Loop; see `colddiff_exporters.graph`.

    Args:
        opset: version of the ONNX operator set, 18 to 21.
        graph: the whole sampling loop, one step of it, or the restorer alone.
        trajectory: also give every state of the loop and the estimate of the first step; from a
            step graph, the estimate of the clean image.
        static_steps: take this number of steps and no other, for runtimes that need to know it.
        precision: of the restorer; everything else computes in float32. int8 is calibrated with
            the images that the export is given.
        tolerance: largest absolute difference from torch that is accepted, on [-1, 1]; by
            precision unless given.
        verify: run the file and compare it with torch; without, nothing vouches for it.

    Raises:
        ParameterError: an operator set that is not tested, a tolerance that is not positive, or
            options that exclude each other.
    """

    suffix: ClassVar[str] = ".onnx"

    def __init__(
        self,
        *,
        opset: int = 20,
        graph: Literal["sampler", "step", "restorer"] = "sampler",
        trajectory: bool = False,
        static_steps: int | None = None,
        precision: Literal["fp32", "fp16", "int8"] = "fp32",
        tolerance: float | None = None,
        verify: bool = True,
    ) -> None:
        if opset not in OPSETS:
            raise ParameterError(f"opset: expected {OPSETS[0]} to {OPSETS[-1]}, got {opset}")
        if tolerance is not None and not tolerance > 0:
            raise ParameterError(f"tolerance: expected a positive number, got {tolerance}")
        if static_steps is not None and graph != "sampler":
            raise ParameterError(f"static_steps: a {graph} graph has no loop")
        if trajectory and graph == "restorer":
            raise ParameterError("trajectory: a restorer graph has none")
        self.opset = opset
        self.graph = graph
        self.trajectory = trajectory
        self.static_steps = static_steps
        self.precision = precision
        self.tolerance = TOLERANCES[precision] if tolerance is None else tolerance
        self.verify = verify

    def export(
        self, process: "Process", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write and check a file; see `Exporter.export`.

        Raises:
            ExportError: see `Exporter.export`.
            ParameterError: `static_steps` is more than the model has.
        """
        from colddiff_exporters.graph.loop import LoopForm

        form = LoopForm(trajectory=self.trajectory, static_steps=self.static_steps)
        return self.write(process, path, form, images)

    def write(
        self, process: "Process", path: Path, form: "LoopForm", images: "Tensor | None"
    ) -> ExportReport:
        """Write and check a file with a loop of some form; for the formats around it."""
        from colddiff_core.disk import atomic_path
        from colddiff_exporters.gate.digest import sealed
        from colddiff_exporters.write import check_readable, onnx_file, verified

        content, nodes = onnx_file(process, self.opset, self.graph, form, self.precision, images)
        with atomic_path(path) as part:
            part.write_bytes(sealed(content))
            check_readable(part)
            agreement = verified(part, process, images, self.tolerance) if self.verify else None
            if agreement and self.precision != "fp32" and not agreement.snr >= MIN_SNR:
                raise ExportError(
                    f"the signal-to-noise ratio against torch is {agreement.snr:.1f} dB, less than "
                    f"{MIN_SNR:g}; no file was written; use fp16 or fp32"
                )
            size = part.stat().st_size
        report = ExportReport(path, size, nodes, {}, self.tolerance)
        if agreement is None:
            return report
        return replace(
            report,
            checks=agreement.checks,
            mean_errors=agreement.mean_errors,
            milliseconds=agreement.milliseconds,
            snr=agreement.snr if self.precision != "fp32" else None,
        )

    def open(self, path: Path, *, device: str = "auto") -> Model:
        """Open a file; see `Exporter.open`."""
        from colddiff_exporters.runtime import OnnxSampler

        return OnnxSampler(path, device=device)

    def describe(self, path: Path) -> Mapping[str, Any]:
        """What the file says about itself; see `Exporter.describe`."""
        from colddiff_exporters.checked_file import read_file

        return read_file(path).describe()

    def findings(self) -> Iterable[Finding]:
        """What is installed to run files with; see `Exporter.findings`."""
        from colddiff_exporters.health import onnx_findings

        return onnx_findings()
