"""fp16 and int8: smaller, close to torch, and refused where they cannot be."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import make_process
from onnx import TensorProto

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ExportError, ParameterError
from colddiff_exporters import onnx_exporter
from colddiff_exporters.runtime import OnnxSampler


@pytest.fixture(scope="module")
def process() -> ColdDiffusion:
    """A network that changes its input a little, as a trained one does."""
    made = make_process()
    with torch.no_grad():
        for parameter in made.restorer.parameters():
            parameter.mul_(0.5)
    return made


def body_of(path: Path) -> onnx.GraphProto:
    model = onnx.load(path)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    graph: onnx.GraphProto = loop.attribute[0].g
    return graph


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_half_is_smaller_and_keeps_the_state_in_float(
    process: ColdDiffusion, images: torch.Tensor, tmp_path: Path
) -> None:
    single = build("exporter", "onnx").export(process, tmp_path / "single.onnx", images=images)
    report = build("exporter", "onnx", precision="fp16").export(
        process, tmp_path / "half.onnx", images=images
    )
    assert report.size < 0.75 * single.size
    assert single.snr is None
    assert report.snr is not None
    assert report.snr > 50
    assert 1e-6 < report.max_error < 2e-2  # it was rounded, and not much was lost
    body = body_of(tmp_path / "half.onnx")
    types = {item.name: item.data_type for item in body.initializer}
    convolutions = [node for node in body.node if node.op_type == "Conv"]
    assert convolutions
    assert all(types[node.input[1]] == TensorProto.FLOAT16 for node in convolutions)
    # The transforms of the blur and the embedding of the level
    floats = [name for name, kind in types.items() if kind == TensorProto.FLOAT]
    assert any(name.startswith("transition/") for name in floats)
    assert any("level.mlp" in name for name in floats)
    assert not any(
        kind == TensorProto.FLOAT16 for name, kind in types.items() if name.startswith("transition")
    )
    sampler = OnnxSampler(tmp_path / "half.onnx", device="cpu")
    assert sampler.restore(images.numpy()).dtype == np.float32


def test_int8_quantises_the_network_alone(
    process: ColdDiffusion, images: torch.Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "small.onnx"
    report = build("exporter", "onnx", precision="int8").export(process, path, images=images)
    assert report.snr is not None
    assert report.snr > 10
    body = body_of(path)
    kinds = [node.op_type for node in body.node]
    assert kinds.count("DequantizeLinear") > 10
    quantised = {item.name for item in body.initializer if item.data_type == TensorProto.INT8}
    assert quantised
    assert all(name.startswith("restorer/") for name in quantised)
    assert {item.domain for item in onnx.load(path).opset_import} <= {"", "ai.onnx"}


def test_int8_without_pictures_is_refused(process: ColdDiffusion, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="int8 is calibrated with clean images"):
        build("exporter", "onnx", precision="int8").export(process, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_too_much_noise_is_refused(
    process: ColdDiffusion,
    images: torch.Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx_exporter, "MIN_SNR", 200.0)
    with pytest.raises(ExportError, match=r"signal-to-noise ratio .* less than 200"):
        build("exporter", "onnx", precision="fp16").export(
            process, tmp_path / "m.onnx", images=images
        )
    assert not list(tmp_path.iterdir())
