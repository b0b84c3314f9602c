"""The two halves of a step as ONNX graphs, by way of `torch.export`.

    restorer    (x, t) -> x0_hat                      R
    transition  (x, x0_hat, t, s, context) -> x_s     sampler and D

They are traced apart so that the network alone can be given another precision, and so that an
error names the half that cannot be expressed.
"""

import inspect
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnx.inliner
import torch
from torch import Tensor, nn

from colddiff_core import ExportError, Process
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
    with explained("ONNX", process.restorer):
        x, t, _ = example(process)
        return _trace(_Restorer(process), {"x": x, "t": t}, opset)


def trace_transition(process: Process, opset: int) -> onnx.ModelProto:
    """Sampler and D with a dynamic batch: `x`, `x0_hat`, `t`, `s` and context to `result`.

    The context tensors follow in the order of the process's `context_spec`, as `context_0` and so
    on.

    Raises:
        ExportError: torch cannot trace them, or ONNX has no operator for them.
    """
    with explained("ONNX", process.degradation, process.sampler):
        x, t, context = example(process)
        halves = {"x": x, "x0_hat": x.clone(), "t": t, "s": t - 1}  # one tensor is one input
        arguments: _Arguments = {**halves, "context": context}
        transition = _Transition(process)
        with torch.no_grad():
            transition(**arguments)  # makes the tables of D for this size: constants of the graph
        return _trace(transition, arguments, opset)


def example(process: Process) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Images, their levels and a context to trace with."""
    x = torch.zeros(_BATCH, *process.image_shape)
    t = torch.full((_BATCH,), process.num_steps, dtype=torch.int64)
    drawn = process.degradation.sample_context(x, torch.Generator().manual_seed(0))
    return x, t, {name: drawn[name] for name in process.context_names}


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


@contextmanager
def explained(target: str, *parts: object) -> Iterator[None]:
    """Say which part cannot be exported, and where in its author's code.

    Raises:
        ExportError: instead of whatever torch raises.
    """
    try:
        yield
    except Exception as error:
        lines = [text.strip() for text in str(error.__cause__ or error).splitlines()]
        reason = next(filter(None, lines), repr(error))
        names = " with ".join(type(part).__name__ for part in parts)
        raise ExportError(
            f"{names} cannot be exported to {target}: {reason}{_place(error, parts)}"
        ) from error


def _place(error: Exception, parts: Iterable[object]) -> str:
    """The last line of the parts' own code that an error comes from."""
    text = "".join(traceback.format_exception(error))
    for file in {inspect.getfile(type(part)) for part in parts}:
        found = re.findall(rf'File "{re.escape(file)}", line (\d+), in \w+\n\s*(.*)', text)
        if found:
            return " ({}, line {}: {})".format(Path(file).name, *found[-1])
    return ""
