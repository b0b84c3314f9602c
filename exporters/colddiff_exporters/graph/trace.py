"""The two halves of a step as ONNX graphs, by way of `torch.export`.

    restorer    (x, t) -> x0_hat                      R
    transition  (x, x0_hat, t, s, context) -> x_s     sampler and D

They are traced apart so that the network alone can be given another precision, and so that an
error names the half that cannot be expressed.
"""

from collections.abc import Sequence

import onnx
import onnx.inliner
import torch
from torch import Tensor, nn

from colddiff_core.contracts.errors import ExportError
from colddiff_core.contracts.process import Process
from colddiff_exporters.quiet import quietly

OUTPUT = "result"
_Arguments = dict[str, "Tensor | dict[str, Tensor]"]
_BATCH = 3  # more than one: torch.export takes a size of 1 for a constant


class _Restorer(nn.Module):
    def __init__(self, process: Process) -> None:
        super().__init__()
        self.process = process

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.process.estimate(x, t)


class _Transition(nn.Module):
    def __init__(self, process: Process) -> None:
        super().__init__()
        self.degradation = process.degradation
        self.sampler = process.sampler

    def forward(
        self, x: Tensor, x0_hat: Tensor, t: Tensor, s: Tensor, context: dict[str, Tensor]
    ) -> Tensor:
        return self.sampler.step(x, x0_hat, t, s, self.degradation, context)


def trace_restorer(process: Process, opset: int) -> onnx.ModelProto:
    """R with a dynamic batch: `x` and `t` to `result`.

    Raises:
        ExportError: torch cannot trace it, or ONNX has no operator for it.
    """
    arguments: _Arguments = {"x": _images(process), "t": _levels(process)}
    try:
        return _trace(_Restorer(process), arguments, opset)
    except Exception as error:
        raise ExportError(_explain([process.restorer], error)) from error


def trace_transition(process: Process, opset: int) -> onnx.ModelProto:
    """Sampler and D with a dynamic batch: `x`, `x0_hat`, `t`, `s` and context to `result`.

    The context tensors follow in the order of the process's `context_spec`, as `context_0` and so
    on.

    Raises:
        ExportError: torch cannot trace them, or ONNX has no operator for them.
    """
    degradation = process.degradation
    x, t = _images(process), _levels(process)
    parts = [degradation, process.sampler]
    try:
        drawn = degradation.sample_context(x, torch.Generator().manual_seed(0))
        arguments: _Arguments = {
            "x": x,
            "x0_hat": torch.zeros_like(x),
            "t": t,
            "s": t - 1,
            "context": {name: drawn[name] for name in process.context_names},
        }
        transition = _Transition(process)
        with torch.no_grad():
            transition(**arguments)  # makes the tables of D for this size: constants of the graph
        return _trace(transition, arguments, opset)
    except Exception as error:
        raise ExportError(_explain(parts, error)) from error


def _images(process: Process) -> Tensor:
    return torch.zeros(_BATCH, *process.image_shape)


def _levels(process: Process) -> Tensor:
    return torch.full((_BATCH,), process.num_steps, dtype=torch.int64)


def _trace(module: nn.Module, arguments: _Arguments, opset: int) -> onnx.ModelProto:
    dynamic = {0: torch.export.Dim("batch")}
    shapes, names = {}, []
    for name, value in arguments.items():
        several = isinstance(value, dict)
        shapes[name] = dict.fromkeys(value, dynamic) if several else dynamic
        names += [f"{name}_{k}" for k in range(len(value))] if several else [name]
    with quietly("torch.onnx"):
        program = torch.onnx.export(
            module.eval(),
            kwargs=arguments,
            dynamo=True,
            opset_version=opset,
            dynamic_shapes=shapes,
            input_names=names,
            output_names=[OUTPUT],
            verbose=False,
        )
    assert program is not None  # noqa: S101 - None only for the exporter that dynamo replaces
    model = program.model_proto
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    return model


def _explain(parts: Sequence[object], error: Exception) -> str:
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    return (
        f"{' with '.join(type(part).__name__ for part in parts)} cannot be exported to ONNX: "
        f"{lines[0] if lines else repr(error)}"
    )
