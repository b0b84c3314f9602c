"""Files of strangers in a process of their own: limits hold, and its end does not end this one."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile_file import Hostile
from onnx import helper
from sealing import sealed_again

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ModelFileError, TimeLimitError, UsageError
from colddiff_core.restoration.opening import open_model
from colddiff_exporters.limited import LimitedModel
from colddiff_exporters.runtime import OnnxSampler

X = np.zeros((2, 1, 8, 8), np.float32)


@pytest.fixture
def hostile(small: tuple[ColdDiffusion, Path]) -> Callable[..., LimitedModel]:
    return lambda **limits: LimitedModel(Hostile, small[1], device="cpu", **limits)


def edited(source: Path, target: Path, edit: Callable[[onnx.ModelProto], None]) -> Path:
    model = onnx.load(source)
    edit(model)
    target.write_bytes(sealed_again(model))
    return target


def endless_folding(model: onnx.ModelProto) -> None:
    """What ONNX Runtime computes while it loads the file, of operators that exports have."""
    side = helper.make_tensor("side", onnx.TensorProto.INT64, [2], [9000, 9000])
    one = helper.make_tensor("half", onnx.TensorProto.FLOAT, [1], [0.5])
    model.graph.initializer.extend([side, one])
    names = ["big", *(f"big{k}" for k in range(9))]
    model.graph.node.insert(0, helper.make_node("Expand", ["half", "side"], names[:1]))
    for k in range(9):
        node = helper.make_node("MatMul", [names[k], names[0]], [names[k + 1]])
        model.graph.node.insert(k + 1, node)
    sum_of_all = helper.make_node("ReduceSum", [names[-1]], ["sum"], keepdims=1)
    model.graph.node.insert(10, sum_of_all)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    loop.output[0] = "without"
    model.graph.node.append(helper.make_node("Add", ["without", "sum"], ["x0"]))


def test_it_restores_as_without_limits(small: tuple[ColdDiffusion, Path]) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, X.shape).astype(np.float32)
    plain = build("exporter", "onnx").open(small[1], device="cpu")
    limited = build("exporter", "onnx").open_limited(small[1], seconds=60, memory=2**31)
    for levels in (None, (4, 1, 0)):
        np.testing.assert_array_equal(limited.restore(x, levels), plain.restore(x, levels))
    for name in ("image_shape", "num_steps", "context_names", "locality", "size", "recipe"):
        assert getattr(limited, name) == getattr(plain, name)
    assert limited.device in ("cpu", "cuda")
    with pytest.raises(UsageError, match="timesteps"):
        limited.restore(x, (9, 0))
    assert open_model(small[1], seconds=60).restore(x).shape == x.shape


def test_the_time_limit_holds_while_a_file_is_loaded(
    small: tuple[ColdDiffusion, Path], tmp_path: Path
) -> None:
    path = edited(small[1], tmp_path / "slow.onnx", endless_folding)
    with build("exporter", "onnx").open_limited(path, device="cpu", seconds=2) as model:
        start = time.monotonic()
        with pytest.raises(TimeLimitError, match="the time limit of 2 seconds was up"):
            model.restore(X)
        assert time.monotonic() - start < 10
    with pytest.raises(TimeLimitError):
        OnnxSampler(path, device="cpu").restore(X, seconds=1)


def test_the_limits_hold_whatever_a_file_does(hostile: Callable[..., LimitedModel]) -> None:
    with hostile(seconds=3, memory=2**29) as model:
        start = time.monotonic()
        with pytest.raises(ModelFileError, match=r"crashed the process .* status -8"):
            model.restore(X + 1)
        with pytest.raises(TimeLimitError):
            model.restore(X + 2)
        with pytest.raises(ModelFileError, match="needs more memory than the 536,870,912 bytes"):
            model.restore(X + 3)
        assert model.restore(X + 4).tolist() == (X + 4).tolist()  # it goes on, in another process
        with pytest.raises(Exception, match=r"gave float32 \(1, 1, 8, 8\) for images of"):
            model.restore(X + 5)
        assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"seconds": 0}, "time limit: expected a positive number, got 0"),
        ({"seconds": float("nan")}, "time limit: expected a positive number, got nan"),
        ({"memory": -1}, "memory limit: expected a positive number, got -1"),
    ],
)
def test_limits_are_checked(
    hostile: Callable[..., LimitedModel], limits: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        hostile(**limits)


def test_no_limit_is_a_limit_too(
    hostile: Callable[..., LimitedModel], capfd: pytest.CaptureFixture[str]
) -> None:
    with hostile(seconds=float("inf")) as model:
        assert model.restore(X).shape == X.shape
    with hostile(seconds=1e300) as model:
        assert model.restore(X).shape == X.shape
    assert capfd.readouterr().err == ""


def test_errors_of_opening_are_told(tmp_path: Path, small: tuple[ColdDiffusion, Path]) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    exporter = build("exporter", "onnx")
    with pytest.raises(ModelFileError, match="not a usable ONNX file"):
        exporter.open_limited(tmp_path / "text.onnx", seconds=9)
    with pytest.raises(UsageError, match="device: expected"):
        exporter.open_limited(small[1], device="abacus", seconds=9)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is a model folder"):
        open_model(tmp_path / "folder", seconds=9)
