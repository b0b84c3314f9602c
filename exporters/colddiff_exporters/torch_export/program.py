"""Trace one step with `torch.export` and write it, with the metadata beside it."""

import io
import json
import logging
import warnings

import torch
from torch import Tensor, nn

from colddiff_core.contracts.errors import ExportError
from colddiff_core.contracts.process import Process
from colddiff_exporters.metadata import describe
from colddiff_exporters.torch_export.archive import METADATA

_PRIVATE = ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node", "torch_fn")


class _Step(nn.Module):
    def __init__(self, process: Process) -> None:
        super().__init__()
        self.process = process

    def forward(self, x_t: Tensor, t: Tensor, s: Tensor, context: dict[str, Tensor]) -> Tensor:
        x0_hat = self.process.estimate(x_t, t)
        return self.process.sampler.step(x_t, x0_hat, t, s, self.process.degradation, context)


def program_file(process: Process) -> tuple[bytes, int]:
    """Trace a step: the file, and its number of operators.

    Raises:
        ExportError: torch cannot trace it.
    """
    degradation = process.degradation
    x = torch.zeros(3, *process.image_shape)  # a batch of 1 would be taken for a constant
    t = torch.full((3,), process.num_steps, dtype=torch.int64)
    drawn = degradation.sample_context(x, torch.Generator().manual_seed(0))
    context = {name: drawn[name] for name in process.context_names}
    batch = {0: torch.export.Dim("batch")}
    shapes = (batch, batch, batch, dict.fromkeys(context, batch))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step = _Step(process).eval()
            step(x, t, t - 1, context)  # makes the tables of D for this size: constants
            program = torch.export.export(step, (x, t, t - 1, context), dynamic_shapes=shapes)
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        parts = (process.degradation, process.restorer, process.sampler)
        names = ", ".join(type(part).__name__ for part in parts)
        reason = lines[0] if lines else repr(error)
        raise ExportError(f"a step of {names} cannot be exported by torch: {reason}") from error
    for node in program.graph.nodes:
        for key in _PRIVATE:  # they name files of the machine that exports
            node.meta.pop(key, None)
    program._guards_code = []  # code, which no reader should have to run
    program._example_inputs = None
    extra = {METADATA: json.dumps(describe(process, graph="step"))}
    buffer = io.BytesIO()
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    torch.export.save(program, buffer, extra_files=extra)
    nodes = sum(node.op == "call_function" for node in program.graph.nodes)
    return buffer.getvalue(), nodes
