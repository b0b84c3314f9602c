"""Weights in a file beside, as networks over 2 GB need them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import make_process
from sealing import sealed_again

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ExportError, ModelFileError
from colddiff_exporters import checked_file, write
from colddiff_exporters.runtime import OnnxSampler


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ColdDiffusion, Path]:
    process, path = make_process(), tmp_path_factory.mktemp("beside") / "m.onnx"
    report = build("exporter", "onnx", external_data=True).export(process, path)
    assert report.max_error < 1e-5
    assert sorted(item.name for item in path.parent.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert report.size == sum(item.stat().st_size for item in path.parent.iterdir())
    return process, path


@pytest.fixture
def copy(made: tuple[ColdDiffusion, Path], tmp_path: Path) -> Path:
    for file in made[1].parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / "m.onnx"


def restored(path: Path) -> np.ndarray:
    return OnnxSampler(path, device="cpu").restore(np.zeros((1, 1, 8, 8), np.float32))


def test_the_weights_lie_beside(made: tuple[ColdDiffusion, Path]) -> None:
    process, path = made
    weights = sum(p.numel() for p in process.restorer.parameters())
    assert path.with_name("m.onnx.data").stat().st_size > 3 * weights
    assert path.stat().st_size < 4 * weights
    expected = process.restore(torch.zeros(1, 1, 8, 8)).numpy()
    np.testing.assert_allclose(restored(path), expected, atol=1e-5)


def moved(path: Path, location: str) -> None:
    model = onnx.load(path, load_external_data=False)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    for tensor in loop.attribute[0].g.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(sealed_again(model))


def changed(path: Path) -> None:
    data = path.with_name("m.onnx.data")
    content = bytearray(data.read_bytes())
    content[5] ^= 1
    data.write_bytes(content)


def longer(path: Path) -> None:
    data = path.with_name("m.onnx.data")
    data.write_bytes(data.read_bytes() + b"more")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda path: moved(path, "../m.onnx.data"), "another file than the one beside"),
        (lambda path: moved(path, "/etc/passwd"), "another file than the one beside"),
        (lambda path: moved(path, "c:passwd"), "another file than the one beside"),
        (lambda path: path.with_name("m.onnx.data").unlink(), "No such file"),
        (changed, "is not what was exported with"),
        (longer, "larger than"),
    ],
)
def test_another_file_is_not_read(copy: Path, edit: Callable[[Path], object], message: str) -> None:
    edit(copy)
    with pytest.raises(ModelFileError, match=message):
        restored(copy)


def test_a_pipe_is_not_waited_for(copy: Path) -> None:
    import os

    data = copy.with_name("m.onnx.data")
    data.unlink()
    os.mkfifo(data)
    with pytest.raises(ModelFileError, match="not a regular file"):
        restored(copy)


def test_too_large_is_told_before_any_work(
    made: tuple[ColdDiffusion, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 4 * sum(p.numel() for p in made[0].restorer.parameters())
    monkeypatch.setattr(write, "MAX_BYTES", size - 1)
    monkeypatch.setattr(write, "trace_restorer", None)  # it would be called
    with pytest.raises(ExportError, match=r"precision fp16, or .*--set external_data=true"):
        build("exporter", "onnx").export(made[0], tmp_path / "m.onnx")
    monkeypatch.setattr(write, "MAX_BYTES", 10)
    with pytest.raises(ExportError, match=r"export with --format onnx --set external_data=true"):
        build("exporter", "triton").export(made[0], tmp_path / "m")
    assert not list(tmp_path.iterdir())
    assert checked_file.MAX_BYTES == 2**31 - 1
