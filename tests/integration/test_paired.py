"""From pairs on disk to a degraded photograph restored, with nothing but itself, from a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from PIL import Image
from torch import Tensor

from colddiff_core import ColdDiffusion, build
from colddiff_core.evaluation.comparison import rmse
from colddiff_core.pictures.batches import Pixels, from_batch, to_batch
from colddiff_core.pictures.reading import read_image
from colddiff_core.pictures.value_range import from_uint8

SIDE, STEPS = 16, 4
TINY = {
    "data.folder": "pairs",
    "data.image_size": SIDE,
    "degradation.num_steps": STEPS,
    "restorer": "{name='unet', channels=8, multipliers=[1, 2]}",
    "train": "{steps=4, batch_size=4, sample_every=4, lr=1e-2}",
}


@pytest.fixture
def model(cli: Callable[..., Any], tmp_path: Path) -> Path:
    """A model that has seen a few pairs: noise, and the same under stripes."""
    draws = np.random.default_rng(0)
    for k in range(24):
        clean = draws.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        degraded = clean.copy()
        degraded[::2] = 255 - degraded[::2] // 3
        for kind, pixels in (("clean", clean), ("degraded", degraded)):
            path = tmp_path / f"pairs/{kind}/{k:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    words = (word for key, value in TINY.items() for word in ("--set", f"{key}={value}"))
    done = cli("train", "paired", "-o", "model", *words)
    assert done.code == 0, done.err
    return tmp_path / "model"


def held_out(model: Path) -> tuple[Tensor, Tensor]:
    """The clean pictures and the degraded ones, in [-1, 1]."""
    data = build("dataset", "paired", split="test", folder=model.parent / "pairs", image_size=SIDE)
    some = range(len(data))
    return from_uint8(data.images(some)), data.context(some)["endpoint"]


def test_samples_and_figures_are_of_the_real_pictures(model: Path, cli: Callable[..., Any]) -> None:
    x0, degraded = held_out(model)
    grid = read_image(model / "samples/0000004.png")
    for k, pixels in enumerate(from_batch(degraded.numpy())):
        left = k * (SIDE + 2)
        np.testing.assert_array_equal(grid[SIDE + 2 : 2 * SIDE + 2, left : left + SIDE], pixels)
    rows = json.loads(cli("evaluate", model, "--json").out)["rows"]
    assert list(rows) == ["degraded", "direct", "naive", "improved"]
    assert rows["degraded"]["rmse"] == pytest.approx(rmse(degraded, x0), rel=1e-5)
    process = ColdDiffusion.load(model)
    for name in ("naive", "improved"):  # which do use the endpoint
        process.sampler = build("sampler", name)
        restored = process.restore(degraded, context={"endpoint": degraded})
        assert rows[name]["rmse"] == pytest.approx(rmse(restored, x0), rel=1e-4)


def test_a_photograph_is_restored_alone_from_folder_and_file(
    model: Path, cli: Callable[..., Any]
) -> None:
    x_t = held_out(model)[1]
    expected = ColdDiffusion.load(model).restore(x_t).numpy()
    assert np.abs(expected - x_t.numpy()).max() > 0.01  # it is no identity
    assert cli("export", model, "--format", "onnx", "-o", "m.onnx").code == 0
    session = ort.InferenceSession(model.parent / "m.onnx", providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == ["x_t", "timesteps"]
    levels = np.arange(STEPS, -1, -1)
    (found,) = session.run(["x0"], {"x_t": x_t.numpy(), "timesteps": levels})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)

    def restored(*words: object) -> Pixels:
        done = cli("restore", *words, "-o", "restored")
        assert done.code == 0, done.err
        return read_image(model.parent / "restored/00.png").astype(int)

    photo = "pairs/degraded/00.png"
    x = torch.from_numpy(to_batch([read_image(model.parent / photo)]))
    (alone,) = from_batch(ColdDiffusion.load(model).restore(x).numpy())
    for given in (model, "m.onnx"):
        assert np.abs(restored(given, photo) - alone).max() <= 1  # level of rounding
        assert np.abs(restored(given, photo, "--tile", SIDE) - alone).max() <= 1
    Image.new("RGB", (40, 24), (90, 60, 30)).save(model.parent / "00.png")
    assert restored("m.onnx", "00.png", "--tile", SIDE).shape == (24, 40, 3)
    assert restored(model, "00.png", "--tile", SIDE, "--simulate").shape == (24, 3 * 40 + 4, 3)
    improved = ("--sampler", "improved", "-o", "restored")  # needs the endpoint: at T, the picture
    assert cli("restore", model, photo, *improved).code == 0
    refused = cli("restore", model, photo, *improved, "--level", STEPS - 1)
    assert refused.code == 2
    assert "endpoint: blend cannot tell it from a degraded picture" in refused.err


def test_the_pairs_are_for_a_degradation_that_ends_in_them(
    model: Path, cli: Callable[..., Any]
) -> None:
    tiny = {**TINY, "degradation": "{name='gaussian-blur', num_steps=2}"}
    del tiny["degradation.num_steps"]
    words = (word for key, value in tiny.items() for word in ("--set", f"{key}={value}"))
    done = cli("train", "paired", "-o", "other", *words)
    assert done.code == 2
    assert "data: gives 'endpoint' with each image" in done.err
    assert not (model.parent / "other/model.safetensors").exists()
