"""A model repository for NVIDIA's Triton Inference Server, around the ONNX file.

    FOLDER/config.pbtxt     what goes in and out, dynamic batching, where it runs
    FOLDER/1/model.onnx     version 1

Triton joins the requests of several clients to one batch, so that every input needs a batch axis:
`timesteps` is (batch, levels) here, a schedule for each image.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from colddiff_core.contracts.errors import ModelFileError, ParameterError
from colddiff_core.contracts.exporter import Exporter, ExportReport
from colddiff_core.contracts.model import Model

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core.contracts.process import Process
    from colddiff_exporters.gate.model import Value

CONFIG, MODEL = "config.pbtxt", "1/model.onnx"
_TYPES = {
    1: "TYPE_FP32",
    6: "TYPE_INT32",
    7: "TYPE_INT64",
    9: "TYPE_BOOL",
    10: "TYPE_FP16",
    11: "TYPE_FP64",
}


class TritonExporter(Exporter):
    """Write a folder to put into a Triton model repository; it is named as the folder is.

    Args:
        opset: version of the ONNX operator set, 18 to 21.
        precision: of the restorer; everything else computes in float32.
        tolerance: largest absolute difference from torch that is accepted, on [-1, 1]; by
            precision unless given.
        max_batch_size: images that Triton computes together at most.
        queue_microseconds: how long a request waits for others to join it.
        device: where it runs; auto leaves that to the server.
        verify: run the file and compare it with torch; without, nothing vouches for it.

    Raises:
        ParameterError: a value out of range.
    """

    suffix: ClassVar[str] = ""
    marker: ClassVar[str] = CONFIG

    def __init__(
        self,
        *,
        opset: int = 20,
        precision: Literal["fp32", "fp16", "int8"] = "fp32",
        tolerance: float | None = None,
        max_batch_size: int = 32,
        queue_microseconds: int = 500,
        device: Literal["auto", "cpu", "gpu"] = "auto",
        verify: bool = True,
    ) -> None:
        from colddiff_exporters.onnx_exporter import OnnxExporter

        if not 1 <= max_batch_size <= 65_536:
            raise ParameterError(f"max_batch_size: expected 1 to 65536, got {max_batch_size}")
        if not 0 <= queue_microseconds <= 10_000_000:
            raise ParameterError(
                f"queue_microseconds: expected 0 to 10000000, got {queue_microseconds}"
            )
        self._onnx = OnnxExporter(
            opset=opset, precision=precision, tolerance=tolerance, verify=verify
        )
        self._max_batch_size = max_batch_size
        self._queue_microseconds = queue_microseconds
        self._device = device

    def export(
        self, process: "Process", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write and check a folder; see `Exporter.export`."""
        from dataclasses import replace

        from colddiff_core.disk import atomic_folder, write_atomically
        from colddiff_exporters.checked_file import read_file
        from colddiff_exporters.graph.loop import LoopForm

        with atomic_folder(path, self.marker) as part:
            report = self._onnx.write(process, part / MODEL, LoopForm(per_image=True), images)
            graph = read_file(part / MODEL).model.graph
            config = self._config(path.name, graph.inputs, graph.outputs)
            write_atomically(part / CONFIG, config)
            size = report.size + len(config)
        return replace(report, path=path, size=size)

    def open(self, path: Path, *, device: str = "auto") -> Model:
        """Run the ONNX file inside, without a server; see `Exporter.open`."""
        return self._onnx.open(_model_of(path), device=device)

    def describe(self, path: Path) -> Mapping[str, Any]:
        """What the ONNX file inside says about itself; see `Exporter.describe`."""
        return self._onnx.describe(_model_of(path))

    def _config(self, name: str, inputs: "list[Value]", outputs: "list[Value]") -> str:
        kind = {"auto": "KIND_AUTO", "cpu": "KIND_CPU", "gpu": "KIND_GPU"}[self._device]
        return "\n".join(
            [
                f'name: "{_quoted(name)}"',
                'backend: "onnxruntime"',
                f"max_batch_size: {self._max_batch_size}",
                f"input [\n{_tensors(inputs)}\n]",
                f"output [\n{_tensors(outputs)}\n]",
                "dynamic_batching {",
                f"  max_queue_delay_microseconds: {self._queue_microseconds}",
                "}",
                f"instance_group [\n  {{ kind: {kind} }}\n]",
                "",
            ]
        )


def _tensors(values: "list[Value]") -> str:
    return ",\n".join(
        f'  {{ name: "{_quoted(item.name)}" data_type: {_TYPES[item.element]} {_dims(item)} }}'
        for item in values
    )


def _dims(item: "Value") -> str:
    sizes = [size if isinstance(size, int) else -1 for size in item.shape[1:]]
    if not sizes:  # one number an image: Triton knows no tensor without axes
        return "dims: [ 1 ] reshape { shape: [ ] }"
    return f"dims: [ {', '.join(map(str, sizes))} ]"


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _model_of(path: Path) -> Path:
    if not (path / CONFIG).is_file():
        raise ModelFileError(f"{path}: not a Triton model, it has no {CONFIG}")
    return path / MODEL
