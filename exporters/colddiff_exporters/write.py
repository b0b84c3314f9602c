"""From a process to the bytes of an ONNX file, and the check of what was written."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto
from onnx.external_data_helper import convert_model_to_external_data, write_external_data_tensors
from onnx.helper import set_model_props
from torch import Tensor

from colddiff_core import ExportError, ExportReport, ParameterError, Process
from colddiff_core.contracts import timesteps as schedules
from colddiff_exporters.checked_file import MAX_BYTES
from colddiff_exporters.gate.digest import BLANK, KEY, sealed
from colddiff_exporters.graph.build import build_model
from colddiff_exporters.graph.half import to_half
from colddiff_exporters.graph.int8 import to_int8
from colddiff_exporters.graph.sampler import TRIP_COUNT, LoopForm
from colddiff_exporters.graph.step import join
from colddiff_exporters.graph.trace import trace_restorer, trace_transition
from colddiff_exporters.metadata import describe
from colddiff_exporters.runtime import OnnxSampler
from colddiff_exporters.verify import compare_states, compare_with_torch

_CALIBRATION_IMAGES, _CALIBRATION_BATCH, _CALIBRATION_STEPS = 64, 16, 10
_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
_BESIDE = 1024  # bytes: what is shorter stays in the file


def write_onnx(model: ModelProto, path: Path, *, beside: bool) -> int:
    """Write a model with its digest, and give the bytes of all files.

    Args:
        model: is changed.
        path: of the file.
        beside: put the weights into NAME.data, in the same folder.

    Raises:
        ExportError: it is no valid ONNX.
    """
    size = 0
    if beside:
        weights = path.with_name(f"{path.name}.data")
        convert_model_to_external_data(model, location=weights.name, size_threshold=_BESIDE)
        write_external_data_tensors(model, str(path.parent))
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        _set(model, {"colddiff.weights_digest": digest})
        size = weights.stat().st_size
    _set(model, {KEY: BLANK})
    size += path.write_bytes(sealed(model.SerializeToString()))
    try:
        onnx.checker.check_model(path, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the graph is not valid ONNX: {error}") from error
    return size


def export_onnx(
    process: Process,
    opset: int,
    kind: str,
    form: LoopForm,
    precision: str = "fp32",
    images: Tensor | None = None,
) -> ModelProto:
    """Trace and build a model.

    Args:
        process: what to export.
        opset: version of the operator set.
        kind: of graph.
        form: of the loop.
        precision: of the restorer: `fp32`, `fp16` or `int8`.
        images: (N, C, H, W) clean images to calibrate int8 with.

    Raises:
        ExportError: a part cannot be expressed in ONNX.
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
    model = build_model(kind, join(process, restorer, transition), form)
    set_model_props(model, describe(process, kind, steps, precision))
    return model


def check_size(process: Process, precision: str) -> None:
    """Refuse what would not fit into one file, before minutes go into it.

    Raises:
        ExportError: it would be over 2 GB.
    """
    count = sum(p.numel() for p in (*process.restorer.parameters(), *process.restorer.buffers()))
    size = count * _BYTES[precision]
    if size > MAX_BYTES:
        half = "precision fp16, or " if size > count * 2 and count * 2 <= MAX_BYTES else ""
        raise ExportError(
            f"the weights are {size / 1e9:.1f} GB, and an ONNX file holds 2 GB; export with "
            f"{half}--format onnx --set external_data=true, which puts them into a file beside"
        )


def calibration(process: Process, images: Tensor) -> Iterator[dict[str, NDArray[Any]]]:
    """What the restorer is given while it samples: `x` and `t` at some levels of each image."""
    draws = torch.Generator().manual_seed(0)
    levels = schedules.evenly(process.num_steps, min(_CALIBRATION_STEPS, process.num_steps))
    for x0 in torch.split(images[:_CALIBRATION_IMAGES], _CALIBRATION_BATCH):
        context = process.degradation.sample_context(x0, draws)
        x_t = process.degrade(x0, levels[0], context)
        for step in process.steps(x_t, levels, context):
            yield {"x": step.x_t.numpy(), "t": np.full(len(x0), step.t, dtype=np.int64)}


def verified(
    report: ExportReport, path: Path, process: Process, images: Tensor | None
) -> ExportReport:
    """Open a file as its users will and compare it with torch.

    Raises:
        ExportError: it cannot be run, or differs by more than the tolerance.
    """
    sampler = OnnxSampler(path, device="cpu")
    single = None if sampler.static_steps is None else lambda: _single(path)
    report = compare_with_torch(report, sampler, process, images, single)
    if "trajectory" not in sampler.outputs:
        return report
    extra = compare_states(sampler, process, images, report.tolerance)
    return replace(report, checks={**report.checks, **extra})


def _single(path: Path) -> OnnxSampler:
    """The same file with a trip count of 1: a fixed number of steps cannot be run one by one."""
    model = onnx.load(path, load_external_data=False)
    (count,) = (item for item in model.graph.initializer if item.name == TRIP_COUNT)
    count.CopyFrom(onnx.helper.make_tensor(TRIP_COUNT, TensorProto.INT64, [], [1]))
    for item in (*model.graph.input, *model.graph.output):
        if item.name in ("timesteps", "trajectory"):
            item.type.tensor_type.shape.dim[0].dim_value = 2
    _set(model, {"colddiff.static_steps": "1"})
    _set(model, {KEY: BLANK})
    single = path.with_name(f"single{path.suffix}")
    single.write_bytes(sealed(model.SerializeToString()))
    return OnnxSampler(single, device="cpu")


def _set(model: ModelProto, entries: Mapping[str, str]) -> None:
    """Write metadata at the end."""
    found = {item.key: item.value for item in model.metadata_props if item.key not in entries}
    del model.metadata_props[:]
    set_model_props(model, {**found, **entries})
