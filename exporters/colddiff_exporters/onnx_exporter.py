"""The ONNX format: one verified, self-describing file.

Light to import: torch and onnx are needed to export, onnxruntime and numpy alone to run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from colddiff_core import ExportError, ExportReport, Finding, ParameterError
from colddiff_exporters.file_format import FileFormat

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core import Process
    from colddiff_exporters.graph.sampler import LoopForm
    from colddiff_exporters.opened import OpenedFile

OPSETS = range(18, 22)
"""ONNX operator sets that the tests export and run."""

TOLERANCES = {"fp32": 1e-4, "fp16": 2e-2, "int8": 0.5}
"""The largest accepted absolute difference from torch in one step, on [-1, 1], by precision."""

MIN_SNR = 10.0
"""Decibels against torch after all steps below which a file of lower precision is refused."""


@dataclass(kw_only=True, eq=False)
class OnnxFormat(FileFormat):
    """What all formats around an ONNX file share.

    Args:
        opset: version of the ONNX operator set, 18 to 21.
        precision: of the restorer; everything else computes in float32. int8 is calibrated with
            the images that the export is given.
        tolerance: largest absolute difference from torch that is accepted, on [-1, 1]; by
            precision unless given.
        verify: run the file and compare it with torch; without, nothing vouches for it.

    Raises:
        ParameterError: an operator set that is not tested, or a tolerance that is not positive.
    """

    opset: int = 20
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    tolerance: float | None = None
    verify: bool = True

    def __post_init__(self) -> None:
        """Check the options."""
        if self.opset not in OPSETS:
            raise ParameterError(f"opset: expected {OPSETS[0]} to {OPSETS[-1]}, got {self.opset}")
        if self.tolerance is not None and not self.tolerance > 0:
            raise ParameterError(f"tolerance: expected a positive number, got {self.tolerance}")

    def write(
        self,
        process: "Process",
        path: Path,
        images: "Tensor | None",
        form: "LoopForm",
        kind: str = "sampler",
        *,
        beside: bool = False,
    ) -> ExportReport:
        """Write and check an ONNX file; see `Exporter.export`.

        Args:
            process: see `Exporter.export`.
            path: of the ONNX file.
            images: see `Exporter.export`.
            form: of the loop.
            kind: of graph.
            beside: put the weights into a file beside.
        """
        from tempfile import TemporaryDirectory

        from colddiff_core import atomic_path
        from colddiff_exporters.checked_file import read_file
        from colddiff_exporters.gate.message import graphs
        from colddiff_exporters.verify import evaluating, usable
        from colddiff_exporters.write import check_size, export_onnx, verified, write_onnx

        tolerance = TOLERANCES[self.precision] if self.tolerance is None else self.tolerance
        if not beside:
            check_size(process, self.precision)
        with evaluating(process):
            model = export_onnx(process, self.opset, kind, form, self.precision, images)
            with atomic_path(path) as part, TemporaryDirectory(dir=path.parent) as folder:
                draft = Path(folder, path.name)
                size = write_onnx(model, draft, beside=beside)
                nodes = sum(len(graph.node) for graph in graphs(model.graph))
                report = ExportReport(path, size, nodes, {}, tolerance)
                with usable():
                    read_file(draft)
                    if self.verify:
                        report = verified(report, draft, process, images)
                if self.precision == "fp32":
                    report = replace(report, snr=None)
                elif report.snr is not None and not report.snr >= MIN_SNR:
                    raise ExportError(
                        f"the signal-to-noise ratio against torch is {report.snr:.1f} dB, less "
                        f"than {MIN_SNR:g}; no file was written; use fp16 or fp32"
                    )
                if beside:
                    name = f"{path.name}.data"
                    with atomic_path(path.with_name(name)) as data:
                        draft.with_name(name).replace(data)
                draft.replace(part)
        return report

    def describe(self, path: Path) -> Mapping[str, Any]:
        """What the ONNX file says about itself; see `Exporter.describe`."""
        from colddiff_exporters.checked_file import read_file

        return read_file(self.file(path)).facts

    @staticmethod
    def opener() -> "type[OpenedFile]":
        """What runs the ONNX file; see `FileFormat.opener`."""
        from colddiff_exporters.runtime import OnnxSampler

        return OnnxSampler


@dataclass(kw_only=True, eq=False)
class OnnxExporter(OnnxFormat):
    """Write the step as the body of an ONNX Loop; see `colddiff_exporters.graph`.

    Args:
        graph: the whole sampling loop, one step of it, or the restorer alone.
        trajectory: also give every state of the loop and the estimate of the first step; from a
            step graph, the estimate of the clean image.
        static_steps: take this number of steps and no other, for runtimes that need to know it.
        external_data: put the weights into a file of their own, NAME.data beside the other, as
            networks over 2 GB need it; the two stay together and keep their names.

    Raises:
        ParameterError: see `OnnxFormat`, or options that exclude each other.
    """

    suffix: ClassVar[str] = ".onnx"

    graph: Literal["sampler", "step", "restorer"] = "sampler"
    trajectory: bool = False
    static_steps: int | None = None
    external_data: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if self.static_steps is not None and self.graph != "sampler":
            raise ParameterError(f"static_steps: a {self.graph} graph has no loop")
        if self.trajectory and self.graph == "restorer":
            raise ParameterError("trajectory: a restorer graph has none")

    def export(
        self, process: "Process", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write and check a file; see `Exporter.export`.

        Raises:
            ExportError: see `Exporter.export`.
            ParameterError: `static_steps` is more than the model has.
        """
        from colddiff_exporters.graph.sampler import LoopForm

        form = LoopForm(trajectory=self.trajectory, static_steps=self.static_steps)
        return self.write(process, path, images, form, self.graph, beside=self.external_data)

    def findings(self) -> Iterable[Finding]:
        """What is installed to run files with; see `Exporter.findings`."""
        from colddiff_exporters.providers import onnx_findings

        return onnx_findings()
