"""The Triton model repository."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ModelFileError, ParameterError, UsageError
from colddiff_exporters.runtime import OnnxSampler


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[ColdDiffusion, Path]:
    from tiny import tiny_process

    process = tiny_process("snow", shape=(3, 8, 8), num_steps=4)
    path = tmp_path_factory.mktemp("triton") / "snowfall"
    report = build("exporter", "triton", max_batch_size=8).export(process, path)
    assert report.max_error < 1e-5
    assert report.path == path
    return process, path


def test_the_configuration_is_that_of_the_graph(folder: tuple[ColdDiffusion, Path]) -> None:
    _, path = folder
    assert sorted(p.name for p in path.rglob("*")) == ["1", "config.pbtxt", "model.onnx"]
    config = (path / "config.pbtxt").read_text()
    assert 'name: "snowfall"' in config
    assert "max_batch_size: 8" in config
    told = dict(re.findall(r'\{ name: "(\w+)" data_type: \w+ dims: \[ ([-\d, ]+) \]', config))
    session = ort.InferenceSession(path / "1/model.onnx", providers=["CPUExecutionProvider"])
    real = {}
    for item in (*session.get_inputs(), *session.get_outputs()):
        assert item.shape[0] == "batch"  # every tensor can be joined with those of others
        sizes = [size if isinstance(size, int) else -1 for size in item.shape[1:]]
        real[item.name] = ", ".join(map(str, sizes or [1]))
    assert told == real
    assert '"vertical" data_type: TYPE_BOOL dims: [ 1 ] reshape { shape: [ ] }' in config
    assert config.count("{") == config.count("}")
    assert config.count("[") == config.count("]")


def test_requests_with_schedules_of_their_own_share_a_batch(
    folder: tuple[ColdDiffusion, Path],
) -> None:
    process, path = folder
    session = ort.InferenceSession(path / "1/model.onnx", providers=["CPUExecutionProvider"])
    draws = torch.Generator().manual_seed(0)
    x0 = torch.rand(2, 3, 8, 8, generator=draws) * 2 - 1
    context = process.degradation.sample_context(x0, draws)
    schedules = ((4, 2, 0), (3, 1, 0))
    feed = {name: value.numpy() for name, value in context.items()}
    found = session.run(["x0"], {"x_t": x0.numpy(), "timesteps": np.array(schedules), **feed})[0]
    for k, levels in enumerate(schedules):
        alone = {name: value[k : k + 1] for name, value in context.items()}
        expected = process.restore(x0[k : k + 1], levels, alone)
        np.testing.assert_allclose(found[k : k + 1], expected.numpy(), rtol=0, atol=1e-5)


def test_it_opens_without_a_server(folder: tuple[ColdDiffusion, Path]) -> None:
    process, path = folder
    opened = build("exporter", "triton").open(path, device="cpu")
    assert isinstance(opened, OnnxSampler)
    assert (opened.image_shape, opened.num_steps) == ((3, 8, 8), 4)
    x0 = torch.zeros(2, 3, 8, 8)
    context = process.degradation.sample_context(x0, torch.Generator().manual_seed(0))
    arrays = {name: value.numpy() for name, value in context.items()}
    found = opened.restore(x0.numpy(), (4, 1, 0), arrays)
    np.testing.assert_allclose(found, process.restore(x0, (4, 1, 0), context).numpy(), atol=1e-5)
    assert build("exporter", "triton").describe(path)["num_steps"] == 4


def test_only_its_own_folders_are_replaced(
    tiny: Callable[..., ColdDiffusion], tmp_path: Path
) -> None:
    process, exporter = tiny(num_steps=1), build("exporter", "triton", verify=False)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/data").write_text("x")
    with pytest.raises(UsageError, match=r"exists and has no config.pbtxt; name another folder"):
        exporter.export(process, tmp_path / "precious")
    assert [p.name for p in tmp_path.rglob("*")] == ["precious", "data"]
    for _ in range(2):
        exporter.export(process, tmp_path / "model")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "precious"]


def test_mistakes_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="max_batch_size: expected 1 to 65536, got 0"):
        build("exporter", "triton", max_batch_size=0)
    with pytest.raises(ModelFileError, match=r"it has no config.pbtxt"):
        build("exporter", "triton").open(tmp_path)
