"""One sampling step as an ONNX graph, by way of `torch.export`."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx.inliner
import torch
from torch import Tensor, nn

from colddiff_core.errors import ExportError
from colddiff_core.process import ColdDiffusion


class _Step(nn.Module):
    """(x_t, t, s, context) -> x_s."""

    def __init__(self, process: ColdDiffusion) -> None:
        super().__init__()
        self.process = process

    def forward(self, x: Tensor, t: Tensor, s: Tensor, context: dict[str, Tensor]) -> Tensor:
        x0_hat = self.process.restorer(x, t)
        return self.process.sampler.step(x, x0_hat, t, s, self.process.degradation, context)


def step_graph(process: ColdDiffusion, opset: int) -> onnx.ModelProto:
    """Export one step with a dynamic batch.

    Inputs are `x` (batch, C, H, W), `t` and `s` (batch,) int64 and the context tensors in the
    order of `context_spec`; the one output is x_s.

    Raises:
        ExportError: torch cannot trace a part, or ONNX has no operator for it.
    """
    degradation = process.degradation
    batch = 3  # more than one: torch.export takes a size of 1 for a constant
    x = torch.zeros(batch, *degradation.image_shape)
    levels = torch.full((batch,), degradation.num_steps, dtype=torch.int64)
    drawn = degradation.sample_context(x, torch.Generator().manual_seed(0))
    context = {name: drawn[name] for name in degradation.context_spec}
    dynamic = {0: torch.export.Dim("batch")}
    shapes = {"x": dynamic, "t": dynamic, "s": dynamic, "context": dict.fromkeys(context, dynamic)}
    arguments = {"x": x, "t": levels, "s": levels - 1, "context": context}
    try:
        with _quietly():
            program = torch.onnx.export(
                _Step(process).eval(),
                kwargs=arguments,
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=shapes,
                input_names=["x", "t", "s", *(f"context_{k}" for k in range(len(context)))],
                output_names=["x_s"],
                verbose=False,
            )
    except Exception as error:
        raise ExportError(_explain(process, error)) from error
    assert program is not None  # noqa: S101 - None only for the exporter that dynamo replaces
    model = program.model_proto
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    return model


def _explain(process: ColdDiffusion, error: Exception) -> str:
    parts = ", ".join(
        type(part).__name__ for part in (process.degradation, process.restorer, process.sampler)
    )
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    return f"one step of {parts} cannot be exported to ONNX: {lines[0] if lines else error!r}"


@contextmanager
def _quietly() -> Iterator[None]:
    """Hide what torch's exporter says about its own insides."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
