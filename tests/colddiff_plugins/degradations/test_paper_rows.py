"""The "Degraded" rows of the paper's tables, from the recipes' operators on the real test sets."""

import runpy
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from torch import Tensor

from colddiff_core import build
from colddiff_core.contracts.degradation import Degradation
from colddiff_core.evaluation.scores import Scores
from colddiff_core.models.recipe import build_table, load_recipe
from colddiff_core.pictures.value_range import from_uint8


@pytest.fixture(scope="module")
def images(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    digits = build("dataset", "mnist", split="test", folder=shared / "data/mnist")
    script = runpy.run_path(str(ROOT / "benchmarks/make_cifar10_batches.py"))
    folder = tmp_path_factory.mktemp("cifar10")
    archive = shared / "data/cifar10/test.zip"
    (folder / "test_batch.bin").write_bytes(script["records"](archive))
    cifar10 = build("dataset", "cifar10", split="test", folder=folder)
    return {
        "mnist": from_uint8(digits.images(range(10_000))),
        "cifar10": from_uint8(cifar10.images(range(10_000))),
    }


@pytest.mark.parametrize(
    ("recipe", "rmse", "ssim", "tolerance"),
    [
        ("mnist-deblurring", 0.287, None, 5e-4),
        ("cifar10-deblurring", 0.136, 0.315, 5e-4),
        ("mnist-inpainting", 0.262, 0.490, 1e-3),  # the centres are random
        ("cifar10-inpainting", 0.143, 0.615, 1e-3),
        ("mnist-super-resolution", 0.231, 0.178, 5e-4),
        ("cifar10-super-resolution", 0.146, 0.279, 5e-4),
    ],
)
def test_the_figures_of_the_degraded_images_are_the_published_ones(
    recipe: str, rmse: float, ssim: float | None, tolerance: float, images: dict[str, Tensor]
) -> None:
    x0 = images[recipe.split("-")[0]]
    table = load_recipe(recipe).degradation
    d: Degradation = build_table("degradation", table)
    draws = torch.Generator().manual_seed(0)
    scores = Scores(tuple(x0.shape[1:]), torch.device("cpu"))
    for batch in torch.split(x0, 500):
        t = torch.full((len(batch),), d.num_steps)
        scores.update(d(batch, t, d.sample_context(batch, draws)), batch)
    found = scores.compute()
    assert found["rmse"] == pytest.approx(rmse, abs=tolerance)
    if ssim is not None:
        assert found["ssim"] == pytest.approx(ssim, rel=0.03)  # how it was taken is not told
