"""A folder to put on any web server: the model, onnxruntime-web and a small page.

FOLDER/index.html, app.js, style.css    the page: before, after, a slider over the steps
FOLDER/model.onnx                       the sampler with its trajectory
FOLDER/colddiff-web.json                what the page has to know
FOLDER/sample.png                       a degraded picture, where there was one to degrade
FOLDER/ort/                             onnxruntime-web, if it is vendored
"""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from colddiff_core import ExportError, ExportReport, ParameterError
from colddiff_exporters.onnx_exporter import OnnxFormat
from colddiff_exporters.web.runtime import VERSION

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core import Process

MARKER, MODEL, SAMPLE = "colddiff-web.json", "model.onnx", "sample.png"
_PAGE = ("index.html", "app.js", "style.css")


@dataclass(kw_only=True, eq=False)
class WebExporter(OnnxFormat):
    """Write a page; serve the folder with any web server to open it.

    Args:
        runtime: where the page gets onnxruntime-web: cdn refers to a public server, vendor
            fetches it with npm and puts it beside the page.
        runtime_version: of onnxruntime-web.

    Raises:
        ParameterError: a value out of range.
    """

    suffix: ClassVar[str] = ""
    marker: ClassVar[str] = MARKER
    inner: ClassVar[str] = MODEL

    runtime: Literal["cdn", "vendor"] = "cdn"
    runtime_version: str = VERSION

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if not re.fullmatch(r"\d+\.\d+\.\d+", self.runtime_version):
            raise ParameterError(
                f"runtime_version: expected e.g. {VERSION}, got {self.runtime_version}"
            )

    def export(
        self, process: "Process", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write and check a folder; see `Exporter.export`.

        Raises:
            ExportError: see `Exporter.export`; or restoring takes a context, or the images are
                neither grey nor coloured, which a page has no picture for.
        """
        from importlib.resources import files

        from colddiff_core.disk import atomic_folder, write_atomically
        from colddiff_exporters.graph.sampler import LoopForm
        from colddiff_exporters.web.runtime import referenced, vendored

        self._check(process)
        with atomic_folder(path, self.marker) as part:
            report = self.write(process, part / MODEL, images, LoopForm(trajectory=True))
            for name in _PAGE:
                text = files("colddiff_exporters.web").joinpath("page", name).read_text("utf-8")
                write_atomically(part / name, text)
            runtime = (
                referenced(self.runtime_version)
                if self.runtime == "cdn"
                else vendored(self.runtime_version, part / "ort")
            )
            facts = {
                "runtime": runtime,
                "image_shape": list(process.image_shape),
                "num_steps": process.num_steps,
                "sample": _write_sample(part / SAMPLE, process, images),
            }
            write_atomically(part / MARKER, json.dumps(facts, indent=2) + "\n")
            size = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
        return replace(report, path=path, size=size)

    def _check(self, process: "Process") -> None:
        needed = process.context_names
        if needed:
            raise ExportError(
                f"web: {type(process.degradation).__name__} takes the context {needed[0]!r}, and "
                "a page has only a picture; export to onnx"
            )
        if process.image_shape[0] not in (1, 3):
            raise ExportError("web: a picture has 1 or 3 channels, this model others")


def _write_sample(path: Path, process: "Process", images: "Tensor | None") -> str | None:
    """A degraded picture to begin with, where the degradation makes it of a clean one alone."""
    from colddiff_core import from_batch, write_image

    if images is None or process.degradation.context_names:
        return None
    write_image(path, from_batch(process.degrade(images[:1]).numpy())[0])
    return path.name
