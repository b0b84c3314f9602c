"""Files with a sampler that does not use the context: they do not ask for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import UsageError
from colddiff_plugins.samplers.ddim import Ddim

SHAPE = (3, 8, 8)
FORMATS = [
    ("onnx", {}),
    ("onnx", {"graph": "step"}),
    ("torch-export", {}),
    ("triton", {}),
    ("web", {}),
]


def pictures(seed: int) -> Tensor:
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture
def process(tiny: Callable[..., ColdDiffusion]) -> ColdDiffusion:
    return tiny("blend", "ddim", SHAPE, num_steps=4)


@pytest.mark.parametrize(("name", "params"), FORMATS, ids=lambda value: str(value))
def test_a_degraded_picture_is_all_they_take(
    name: str, params: dict[str, object], process: ColdDiffusion, tmp_path: Path
) -> None:
    exporter = build("exporter", name, **params)
    path = tmp_path / f"model{exporter.suffix}"
    exporter.export(process, path, images=pictures(1))
    x_t = pictures(0)
    expected = process.restore(x_t, (4, 2, 0)).numpy()
    opened = exporter.open(path, device="cpu")
    given = {"endpoint": x_t.numpy()}  # whoever has it may give it all the same
    for context in (None, given):
        found = opened.restore(x_t.numpy(), (4, 2, 0), context)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_the_inputs_are_images_and_levels(process: ColdDiffusion, tmp_path: Path) -> None:
    build("exporter", "onnx", verify=False).export(process, tmp_path / "m.onnx")
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == ["x_t", "timesteps"]


def test_a_page_shows_no_sample_that_is_made_up(process: ColdDiffusion, tmp_path: Path) -> None:
    build("exporter", "web", verify=False).export(process, tmp_path / "page", images=pictures(1))
    assert not (tmp_path / "page/sample.png").exists()


@pytest.mark.parametrize("name", ["onnx", "torch-export"])
def test_earlier_files_that_ask_for_it_still_open(
    name: str, process: ColdDiffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = build("exporter", name, verify=False)
    path = tmp_path / f"m{exporter.suffix}"
    with monkeypatch.context() as before:
        before.setattr(Ddim, "uses_context", True)
        exporter.export(process, path)
    x_t, opened = pictures(0), exporter.open(path, device="cpu")
    found = opened.restore(x_t.numpy(), (4, 2, 0), {"endpoint": pictures(2).numpy()})
    expected = process.restore(x_t, (4, 2, 0)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    with pytest.raises(UsageError, match="context"):
        opened.restore(x_t.numpy())
