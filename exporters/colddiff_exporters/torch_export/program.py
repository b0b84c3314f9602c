"""Trace one step with `torch.export` and write it, with the metadata beside it."""

import io
import json

import torch
from torch import Tensor, nn

from colddiff_core.contracts.process import Process
from colddiff_exporters.graph.trace import example, explained
from colddiff_exporters.metadata import describe
from colddiff_exporters.quiet import quietly
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
    batch = {0: torch.export.Dim("batch")}
    parts = (process.degradation, process.restorer, process.sampler)
    with explained("a torch program", *parts), torch.no_grad(), quietly("torch.export"):
        x, t, context = example(process)
        shapes = (batch, batch, batch, dict.fromkeys(context, batch))
        step = _Step(process).eval()
        step(x, t, t - 1, context)  # makes the tables of D for this size: constants
        program = torch.export.export(step, (x, t, t - 1, context), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        for key in _PRIVATE:  # they name files of the machine that exports
            node.meta.pop(key, None)
    program._guards_code = []  # code, which no reader should have to run
    program._example_inputs = None
    extra = {METADATA: json.dumps(describe(process, "step"))}
    buffer = io.BytesIO()
    with quietly("torch.export"):
        torch.export.save(program, buffer, extra_files=extra)
    nodes = sum(node.op == "call_function" for node in program.graph.nodes)
    return buffer.getvalue(), nodes
