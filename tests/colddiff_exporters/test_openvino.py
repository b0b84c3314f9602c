"""A runtime that is not ONNX Runtime gives what torch gives, from the default file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import make_process
from tiny import tiny_process

from colddiff_core import ColdDiffusion, build

openvino: Any = pytest.importorskip("openvino", reason="needs OpenVINO: pip install openvino")


@pytest.mark.parametrize(
    "process",
    [
        pytest.param(make_process, id="unet-blur"),
        pytest.param(
            lambda: tiny_process("snow", "improved", (3, 16, 8), num_steps=5), id="snow-context"
        ),
        pytest.param(
            lambda: tiny_process("pixelate", "naive", (3, 16, 8), num_steps=3), id="pixelate"
        ),
    ],
)
def test_openvino_agrees_with_torch(process: Any, tmp_path: Path) -> None:
    made: ColdDiffusion = process()
    build("exporter", "onnx", verify=False).export(made, tmp_path / "m.onnx")
    precise = {"INFERENCE_PRECISION_HINT": "f32"}  # or newer processors take bfloat16
    compiled = openvino.Core().compile_model(tmp_path / "m.onnx", "CPU", precise)
    draws = torch.Generator().manual_seed(0)
    for batch in (1, 7):
        x0 = torch.rand(batch, *made.image_shape, generator=draws) * 2 - 1
        context = made.degradation.sample_context(x0, draws)
        for levels in (tuple(range(made.num_steps, -1, -1)), (made.num_steps, 1, 0)):
            x_t = made.degrade(x0, context=context)
            arrays = {name: value.numpy() for name, value in context.items()}
            feed = {"x_t": x_t.numpy(), "timesteps": np.array(levels), **arrays}
            found = compiled(feed)["x0"]
            expected = made.restore(x_t, levels, context).numpy()
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
