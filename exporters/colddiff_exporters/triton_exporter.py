"""A model repository for NVIDIA's Triton Inference Server, around the ONNX file.

    FOLDER/config.pbtxt     what goes in and out, dynamic batching, where it runs
    FOLDER/1/model.onnx     version 1

Triton joins the requests of several clients to one batch, so that every input needs a batch axis:
`timesteps` is (batch, levels) here, a schedule for each image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from colddiff_core import ExportReport, ParameterError
from colddiff_exporters.onnx_exporter import OnnxFormat

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core import Process
    from colddiff_exporters.gate.signature import Value

CONFIG, MODEL = "config.pbtxt", "1/model.onnx"


@dataclass(kw_only=True, eq=False)
class TritonExporter(OnnxFormat):
    """Write a folder to put into a Triton model repository; it is named as the folder is.

    Args:
        max_batch_size: images that Triton computes together at most.
        queue_microseconds: how long a request waits for others to join it.
        device: where it runs; auto leaves that to the server.

    Raises:
        ParameterError: a value out of range.
    """

    suffix: ClassVar[str] = ""
    marker: ClassVar[str] = CONFIG
    inner: ClassVar[str] = MODEL

    max_batch_size: int = 32
    queue_microseconds: int = 500
    device: Literal["auto", "cpu", "gpu"] = "auto"

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        for name, least, most in (("max_batch_size", 1, 65_536), ("queue_microseconds", 0, 10**7)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ParameterError(f"{name}: expected {least} to {most}, got {value}")

    def export(
        self, process: "Process", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write and check a folder; see `Exporter.export`."""
        from colddiff_core.disk import atomic_folder, write_atomically
        from colddiff_exporters.checked_file import read_file
        from colddiff_exporters.graph.sampler import LoopForm

        with atomic_folder(path, self.marker) as part:
            report = self.write(process, part / MODEL, images, LoopForm(per_image=True))
            made = read_file(part / MODEL)
            config = self._config(path.name, made.inputs, made.outputs)
            write_atomically(part / CONFIG, config)
        return replace(report, path=path, size=report.size + len(config))

    def _config(self, name: str, inputs: "Sequence[Value]", outputs: "Sequence[Value]") -> str:
        kind = {"auto": "KIND_AUTO", "cpu": "KIND_CPU", "gpu": "KIND_GPU"}[self.device]
        return "\n".join(
            [
                f'name: "{_quoted(name)}"',
                'backend: "onnxruntime"',
                f"max_batch_size: {self.max_batch_size}",
                f"input [\n{_tensors(inputs)}\n]",
                f"output [\n{_tensors(outputs)}\n]",
                "dynamic_batching {",
                f"  max_queue_delay_microseconds: {self.queue_microseconds}",
                "}",
                f"instance_group [\n  {{ kind: {kind} }}\n]",
                "",
            ]
        )


def _tensors(values: "Sequence[Value]") -> str:
    return ",\n".join(
        f'  {{ name: "{_quoted(item.name)}" data_type: {_type(item)} {_dims(item)} }}'
        for item in values
    )


def _type(item: "Value") -> str:
    from colddiff_exporters.gate.signature import CONTEXT_TYPES

    return "TYPE_" + CONTEXT_TYPES[item.element].upper().replace("FLOAT", "FP")


def _dims(item: "Value") -> str:
    sizes = [size if isinstance(size, int) else -1 for size in item.shape[1:]]
    if not sizes:  # one number an image: Triton knows no tensor without axes
        return "dims: [ 1 ] reshape { shape: [ ] }"
    return f"dims: [ {', '.join(map(str, sizes))} ]"


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
