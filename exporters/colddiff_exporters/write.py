"""From a process to the bytes of an ONNX file, and the check of what was written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import GraphProto
from onnx.helper import set_model_props
from torch import Tensor

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.errors import ExportError, ModelFileError, ParameterError
from colddiff_core.contracts.process import Process
from colddiff_core.process import ColdDiffusion
from colddiff_exporters.checked_file import read_file
from colddiff_exporters.files import MAX_BYTES
from colddiff_exporters.gate.digest import BLANK, KEY
from colddiff_exporters.graph.build import build_model
from colddiff_exporters.graph.half import to_half
from colddiff_exporters.graph.int8 import to_int8
from colddiff_exporters.graph.loop import LoopForm
from colddiff_exporters.graph.step import join
from colddiff_exporters.graph.trace import trace_restorer, trace_transition
from colddiff_exporters.metadata import describe
from colddiff_exporters.runtime import OnnxSampler
from colddiff_exporters.verify import (
    Agreement,
    Direct,
    compare_states,
    compare_with_torch,
    direct_cases,
    loop_cases,
)

_CALIBRATION_IMAGES, _CALIBRATION_BATCH, _CALIBRATION_STEPS = 64, 16, 10


def onnx_file(
    process: Process,
    opset: int,
    kind: str,
    form: LoopForm,
    precision: str = "fp32",
    images: Tensor | None = None,
) -> tuple[bytes, int]:
    """Trace and build a model.

    Args:
        process: what to export.
        opset: version of the operator set.
        kind: of graph.
        form: of the loop.
        precision: of the restorer: `fp32`, `fp16` or `int8`.
        images: (N, C, H, W) clean images to calibrate int8 with.

    Returns:
        The file with its digest left blank, and its number of operators.

    Raises:
        ExportError: a part cannot be expressed in ONNX, or the file would be over 2 GB.
        ParameterError: more static steps than the model has, or nothing to calibrate with.
    """
    steps = form.static_steps
    if steps is not None and not 1 <= steps <= process.num_steps:
        raise ParameterError(
            f"static_steps: expected 1 to {process.num_steps} (the model's T), got {steps}"
        )
    if precision == "int8" and images is None:
        raise ParameterError(
            "precision: int8 is calibrated with clean images, and there are none; "
            "give some with --images"
        )
    transition = trace_transition(process, opset)
    restorer = trace_restorer(process, opset)
    if precision == "fp16":
        restorer = to_half(restorer)
    elif precision == "int8" and images is not None:
        restorer = to_int8(restorer, calibration(process, images))
    step = join(process, restorer, transition)
    model = build_model(kind, step, form)
    set_model_props(
        model,
        {**describe(process, graph=kind, static_steps=steps, precision=precision), KEY: BLANK},
    )
    if model.ByteSize() > MAX_BYTES:
        raise ExportError(
            f"the file would be {model.ByteSize() / 1e9:.1f} GB, and ONNX holds 2 GB; "
            "export with precision fp16, or a smaller restorer"
        )
    return model.SerializeToString(), count_nodes(model.graph)


def calibration(process: Process, images: Tensor) -> Iterator[dict[str, NDArray[Any]]]:
    """What the restorer is given while it samples: `x` and `t` at some levels of each image."""
    draws = torch.Generator().manual_seed(0)
    levels = schedules.evenly(process.num_steps, min(_CALIBRATION_STEPS, process.num_steps))
    for x0 in torch.split(images[:_CALIBRATION_IMAGES], _CALIBRATION_BATCH):
        context = process.degradation.sample_context(x0, draws)
        x_t = process.degrade(x0, levels[0], context)
        for step in process.steps(x_t, levels, context):
            yield {"x": step.x_t.numpy(), "t": np.full(len(x0), step.t, dtype=np.int64)}


def verified(path: Path, process: Process, images: Tensor | None, tolerance: float) -> Agreement:
    """Open a file as its users will and compare it with torch.

    Raises:
        ExportError: it cannot be opened, or differs by more than the tolerance.
    """
    try:
        sampler = OnnxSampler(path, device="cpu")
    except ModelFileError as error:
        raise _unusable(error) from error
    if sampler.graph == "restorer":
        alone = ColdDiffusion(process.degradation, process.restorer, Direct())
        return compare_with_torch(sampler, alone, images, tolerance, direct_cases(alone.num_steps))
    cases = list(loop_cases(process.num_steps, sampler.static_steps))
    agreement = compare_with_torch(sampler, process, images, tolerance, cases)
    if "trajectory" not in sampler.outputs:
        return agreement
    extra = compare_states(sampler, process, images, tolerance, cases[-1])
    return replace(agreement, checks={**agreement.checks, **extra})


def check_readable(path: Path) -> None:
    """Put a file through the gate that its users will put it through.

    Raises:
        ExportError: a part is expressed by something that the gate refuses, such as a loop.
    """
    try:
        read_file(path)
    except ModelFileError as error:
        raise _unusable(error) from error


def _unusable(error: ModelFileError) -> ExportError:
    reason = str(error).partition(": ")[2]  # without the temporary name
    return ExportError(f"the export could not be used: {reason}; no file was written")


def count_nodes(graph: GraphProto) -> int:
    """The operators of a graph and of all graphs inside."""
    inner = (a.g for node in graph.node for a in node.attribute if a.HasField("g"))
    return len(graph.node) + sum(map(count_nodes, inner))
