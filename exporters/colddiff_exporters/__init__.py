"""Exporters: a trained process in a file that runs without this project."""

from colddiff_core.registry.hookspecs import Component, hookimpl


@hookimpl
def colddiff_exporters() -> list[Component]:
    """The built-in formats."""
    return [
        Component(
            "onnx",
            "colddiff_exporters.onnx_exporter:OnnxExporter",
            "Restorer, degradation and sampling loop in one ONNX file",
        ),
        Component(
            "torch-export",
            "colddiff_exporters.torch_export.exporter:TorchExporter",
            "One step as a torch.export program (.pt2)",
        ),
        Component(
            "triton",
            "colddiff_exporters.triton_exporter:TritonExporter",
            "A model repository for the Triton Inference Server",
        ),
        Component(
            "web",
            "colddiff_exporters.web.exporter:WebExporter",
            "A page that restores pictures in the browser",
        ),
    ]
