"""Exporters: a trained process in a file that runs without this project."""

from colddiff_core.registry.hookspecs import Component, hookimpl

_FORMATS = {
    "onnx": ("onnx_exporter:Onnx", "Restorer, degradation and sampling loop in one ONNX file"),
    "torch-export": ("torch_export.exporter:Torch", "One step as a torch.export program (.pt2)"),
    "triton": ("triton_exporter:Triton", "A model repository for the Triton Inference Server"),
    "web": ("web.exporter:Web", "A page that restores pictures in the browser"),
}


@hookimpl
def colddiff_exporters() -> list[Component]:
    """The built-in formats."""
    return [
        Component(name, f"colddiff_exporters.{target}Exporter", summary)
        for name, (target, summary) in _FORMATS.items()
    ]
