"""Every built-in degradation with every sampler: plain ONNX Runtime gives what torch gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ExportError
from colddiff_core.contracts.timesteps import evenly, full
from colddiff_core.registry.components import registry

PARAMS: dict[str, dict[str, object]] = {
    "animorph": {"num_steps": 5},
    "blend": {"num_steps": 5},
    "color-mask": {"num_steps": 5, "std": 1.0, "std_step": 0.5},
    "desaturate": {"num_steps": 5},
    "gaussian-blur": {"num_steps": 5, "kernel_size": 3, "std": 0.7},
    "gaussian-mask": {"num_steps": 5, "std": 1.0, "std_step": 0.5, "center": "random"},
    "gaussian-noise": {"num_steps": 5},
    "pixelate": {"num_steps": 3},
    "snow": {"num_steps": 5},
}


def builtins(kind: str) -> list[str]:
    return [item.name for item in registry().components(kind) if item.builtin]


PAIRS = [
    (degradation, sampler)
    for degradation in builtins("degradation")
    for sampler in builtins("sampler")
    if sampler != "ddim" or degradation in ("animorph", "blend", "gaussian-noise")
]


def test_no_builtin_is_left_out() -> None:
    assert sorted(PARAMS) == builtins("degradation")


@pytest.mark.parametrize(("degradation", "sampler"), PAIRS)
def test_the_file_agrees_with_torch(
    tiny: Callable[..., ColdDiffusion], tmp_path: Path, degradation: str, sampler: str
) -> None:
    channels = 1 if sampler == "naive" and degradation != "desaturate" else 3
    process = tiny(degradation, sampler, (channels, 16, 8), **PARAMS[degradation])
    path = tmp_path / "m.onnx"
    build("exporter", "onnx", verify=False).export(process, path)  # the test is the judge
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    draws = torch.Generator().manual_seed(1)
    for batch in (1, 7):
        x0 = torch.rand(batch, channels, 16, 8, generator=draws) * 2 - 1
        context = process.degradation.sample_context(x0, draws)
        arrays = {name: context[name].numpy() for name in process.context_names}
        for levels in (full(process.num_steps), evenly(process.num_steps, 2)):
            x_t = process.degrade(x0, levels[0], context)
            feed = {"x_t": x_t.numpy(), "timesteps": np.array(levels), **arrays}
            (found,) = session.run(["x0"], feed)
            expected = process.restore(x_t, levels, context).numpy()
            assert np.abs(expected - x0.numpy()).max() > 1e-3  # it is no identity
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_a_sampler_that_does_not_fit_is_refused(
    tiny: Callable[..., ColdDiffusion], tmp_path: Path
) -> None:
    process = tiny("gaussian-blur", "ddim", num_steps=2)
    with pytest.raises(
        ExportError, match=r"with Ddim cannot be exported.*needs a degradation with an endpoint"
    ):
        build("exporter", "onnx").export(process, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
