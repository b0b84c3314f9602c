"""Steps, restorers, trajectories, constant trip counts, and the runtime around them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ExportError, ParameterError, UsageError
from colddiff_exporters.runtime import OnnxSampler

Made = tuple[ColdDiffusion, Callable[..., OnnxSampler]]
LEVELS = (4, 3, 1, 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A process with a context, and its exports, each made once."""
    from tiny import tiny_process

    process = tiny_process("gaussian-mask", num_steps=4, std=1.0, std_step=0.5, center="random")
    folder, cache = tmp_path_factory.mktemp("kinds"), dict[str, OnnxSampler]()

    def opened(**params: object) -> OnnxSampler:
        name = str(params)
        if name not in cache:
            path = folder / f"{len(cache)}.onnx"
            build("exporter", "onnx", **params).export(process, path)
            cache[name] = OnnxSampler(path, device="cpu")
        return cache[name]

    return process, opened


def case(process: ColdDiffusion, batch: int = 3) -> tuple[torch.Tensor, dict[str, Any]]:
    draws = torch.Generator().manual_seed(0)
    x0 = torch.rand(batch, 1, 8, 8, generator=draws) * 2 - 1
    context = process.degradation.sample_context(x0, draws)
    return process.degrade(x0, context=context), dict(context)


def arrays(context: dict[str, Any]) -> dict[str, Any]:
    return {name: value.numpy() for name, value in context.items()}


def close(found: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("params", [{}, {"graph": "step"}, {"trajectory": True}])
def test_kinds_with_the_sampler_restore_alike(made: Made, params: dict[str, Any]) -> None:
    process, opened = made
    x_t, context = case(process)
    before = x_t.numpy().copy()
    found = opened(**params).restore(x_t.numpy(), LEVELS, arrays(context))
    close(found, process.restore(x_t, LEVELS, context))
    np.testing.assert_array_equal(x_t.numpy(), before)  # no buffer of the caller's is written to


def test_the_restorer_alone_takes_one_step(made: Made) -> None:
    process, opened = made
    restorer = opened(graph="restorer")
    x_t, _ = case(process)
    for levels, t in (((2, 0), 2), (None, 4)):
        with torch.no_grad():
            expected = process.restorer(x_t, torch.full((3,), t))
        close(restorer.restore(x_t.numpy(), levels), expected)
    with pytest.raises(UsageError, match="the restorer alone, which takes one step"):
        restorer.restore(x_t.numpy(), LEVELS)


@pytest.mark.parametrize("params", [{"trajectory": True}, {"graph": "step"}])
def test_the_trajectory_is_that_of_torch(made: Made, params: dict[str, Any]) -> None:
    process, opened = made
    x_t, context = case(process)
    found = opened(**params).trajectory(x_t.numpy(), LEVELS, arrays(context))
    assert found.shape == (4, 3, 1, 8, 8)
    close(found, process.trajectory(x_t, LEVELS, context))


def test_the_first_estimate_is_that_of_torch(made: Made) -> None:
    process, opened = made
    x_t, context = case(process)
    found = opened(trajectory=True).direct(x_t.numpy(), LEVELS, arrays(context))
    close(found, next(process.steps(x_t, LEVELS, context)).x0_hat)


def test_what_a_file_lacks_is_said(made: Made) -> None:
    process, opened = made
    x_t, context = case(process)
    for call in (opened().trajectory, opened().direct):
        with pytest.raises(UsageError, match="export it with --trajectory"):
            call(x_t.numpy(), LEVELS, arrays(context))
    with pytest.raises(UsageError, match="export it with --graph step"):
        opened().restore(x_t.numpy(), LEVELS, arrays(context), on_step=print)


def test_static_steps_are_a_constant_trip_count(made: Made, tmp_path: Path) -> None:
    process, _ = made
    path = tmp_path / "static.onnx"
    report = build("exporter", "onnx", static_steps=2).export(process, path)
    assert list(report.checks) == ["batch 1, 2 steps", "batch 5, 2 steps"]
    model = onnx.load(path)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    (count,) = (item for item in model.graph.initializer if item.name == loop.input[0])
    assert onnx.numpy_helper.to_array(count) == 2
    levels = next(item for item in model.graph.input if item.name == "timesteps")
    assert levels.type.tensor_type.shape.dim[0].dim_value == 3
    sampler = OnnxSampler(path, device="cpu")
    x_t, context = case(process)
    close(
        sampler.restore(x_t.numpy(), None, arrays(context)),
        process.restore(x_t, (4, 2, 0), context),
    )
    with pytest.raises(UsageError, match="this file takes 2 steps, no other number"):
        sampler.restore(x_t.numpy(), LEVELS, arrays(context))


def test_progress_is_told_after_each_step(made: Made) -> None:
    process, opened = made
    x_t, context = case(process)
    told: list[tuple[int, int]] = []
    opened(graph="step").restore(
        x_t.numpy(), LEVELS, arrays(context), on_step=lambda *args: told.append(args)
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_batches_are_streamed(tiny: Callable[..., ColdDiffusion], tmp_path: Path) -> None:
    process = tiny(num_steps=2, kernel_size=3, std=1.0)
    build("exporter", "onnx", verify=False).export(process, tmp_path / "m.onnx")
    sampler = OnnxSampler(tmp_path / "m.onnx", device="cpu")
    images = torch.rand(7, 1, 8, 8) * 2 - 1
    taken: list[int] = []

    def coming() -> Any:
        for k, image in enumerate(images.numpy()):
            taken.append(k)
            yield image

    stream = sampler.stream(coming(), batch_size=3)
    first = next(stream)
    assert taken == [0, 1, 2]  # one batch is held, no more
    close(np.stack([first, *stream]), process.restore(images))
    for size in (0, -1):
        with pytest.raises(UsageError, match=f"batch_size: expected 1 or more, got {size}"):
            sampler.stream(coming(), batch_size=size)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _: {}, "context: 'center' is missing"),
        (lambda c: {"center": c["center"][:1]}, r"expected int64 \(3, 2\), got int64 \(1, 2\)"),
        (lambda c: {"center": c["center"].astype(np.float32)}, "expected int64"),
    ],
)
@pytest.mark.parametrize("params", [{}, {"graph": "step"}])
def test_a_context_that_does_not_fit_is_explained(
    made: Made, params: dict[str, Any], edit: Callable[..., Any], message: str
) -> None:
    process, opened = made
    x_t, context = case(process)
    with pytest.raises(UsageError, match=message):
        opened(**params).restore(x_t.numpy(), LEVELS, edit(arrays(context)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"graph": "step", "static_steps": 2}, "static_steps: a step graph has no loop"),
        ({"graph": "restorer", "trajectory": True}, "trajectory: a restorer graph has none"),
    ],
)
def test_options_that_exclude_each_other(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        build("exporter", "onnx", **params)


def test_a_trajectory_that_disagrees_is_not_left(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = OnnxSampler.trajectory
    monkeypatch.setattr(OnnxSampler, "trajectory", lambda *args: honest(*args) + np.float32(1e-3))
    with pytest.raises(ExportError, match="output 'trajectory' differs from torch by 1"):
        build("exporter", "onnx", trajectory=True).export(made[0], tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("params", [{}, {"graph": "step"}, {"graph": "restorer"}])
def test_a_plain_session_warns_of_nothing(
    made: Made, capfd: pytest.CaptureFixture[str], params: dict[str, Any]
) -> None:
    """ONNX Runtime warns of each constant that nobody reads, and so does its first session."""
    path = made[1](**params).name
    ort.set_default_logger_severity(2)
    capfd.readouterr()
    ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert capfd.readouterr().err == ""


def test_static_steps_of_a_model_whose_rounding_grows(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Single steps are compared, on the same graph with a trip count of 1."""
    honest, seen = OnnxSampler.run, set[tuple[int | None, int]]()

    def drifting(self: OnnxSampler, x_t: np.ndarray, levels: tuple[int, ...], context: Any) -> Any:
        seen.add((self.static_steps, len(levels) - 1))
        return honest(self, x_t, levels, context) + np.float32(8e-5 * (len(levels) - 1))

    monkeypatch.setattr(OnnxSampler, "run", drifting)
    report = build("exporter", "onnx", static_steps=2).export(made[0], tmp_path / "m.onnx")
    assert report.max_error > 1e-4
    assert all("one step alone 8e-05" in case for case in report.checks)
    assert seen == {(2, 2), (1, 1)}


def test_their_own_schedules_are_the_default(made: Made) -> None:
    _, opened = made
    assert opened(graph="restorer").schedule() == (4, 0)
    assert opened(graph="restorer").schedule(2) == (2, 0)
    assert opened(static_steps=2).schedule() == (4, 2, 0)
    assert opened().schedule(3) == (3, 2, 1, 0)


def test_an_export_leaves_each_part_in_its_mode(made: Made, tmp_path: Path) -> None:
    process = made[0]
    try:
        process.train()
        process.restorer.conv.eval()
        modes = {name: part.training for name, part in process.named_modules()}
        for name in ("onnx", "torch-export"):
            exporter = build("exporter", name, verify=False)
            exporter.export(process, tmp_path / f"m{exporter.suffix}")
            assert {name: part.training for name, part in process.named_modules()} == modes
    finally:
        process.eval()
