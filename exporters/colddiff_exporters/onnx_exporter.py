"""The ONNX format: the whole sampler in one file, checked against torch when it is written.

Light to import: torch and onnx are needed to export, onnxruntime and numpy alone to run.
"""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from colddiff_core.errors import ParameterError
from colddiff_core.exporter import ExportedModel, Exporter, ExportReport

if TYPE_CHECKING:
    from onnx import GraphProto
    from torch import Tensor

    from colddiff_core.process import ColdDiffusion

OPSETS = range(18, 22)
"""ONNX operator sets that the tests export and run."""


class OnnxExporter(Exporter):
    """Write the step as the body of an ONNX Loop; see `colddiff_exporters.loop`.

    Args:
        opset: version of the ONNX operator set.
        tolerance: largest absolute difference from torch that is accepted, on [-1, 1].

    Raises:
        ParameterError: an operator set that is not tested, or a tolerance that is not positive.
    """

    suffix: ClassVar[str] = ".onnx"

    def __init__(self, *, opset: int = 20, tolerance: float = 1e-4) -> None:
        if opset not in OPSETS:
            raise ParameterError(f"opset: expected {OPSETS[0]} to {OPSETS[-1]}, got {opset}")
        if not tolerance > 0:
            raise ParameterError(f"tolerance: expected a positive number, got {tolerance}")
        self.opset = opset
        self.tolerance = tolerance

    def export(
        self, process: "ColdDiffusion", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write and check a file; see `Exporter.export`."""
        from colddiff_core.files import atomic_path
        from colddiff_exporters.loop import sampler_model
        from colddiff_exporters.metadata import describe
        from colddiff_exporters.verify import compare_with_torch

        model = sampler_model(process, self.opset)
        describe(model, process)
        with atomic_path(path) as part:
            part.write_bytes(model.SerializeToString())
            checks = compare_with_torch(part, process, images, self.tolerance)
            size = part.stat().st_size
        return ExportReport(path, size, _count_nodes(model.graph), checks, self.tolerance)

    def open(self, path: Path, *, device: str = "auto") -> ExportedModel:
        """Open a file; see `Exporter.open`."""
        from colddiff_exporters.runtime import OnnxSampler

        return OnnxSampler(path, device=device)


def _count_nodes(graph: "GraphProto") -> int:
    inner = (a.g for node in graph.node for a in node.attribute if a.HasField("g"))
    return len(graph.node) + sum(map(_count_nodes, inner))
