"""The "Degraded" rows of the paper's tables, from the recipes' operators on the real test sets."""

import runpy
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from torch import Tensor

from colddiff_core import build
from colddiff_core.degradation import Degradation
from colddiff_core.evaluation import rmse
from colddiff_core.recipe import build_table, load_recipe
from colddiff_core.value_range import from_uint8


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
    ("recipe", "published", "tolerance"),
    [
        ("mnist-deblurring", 0.287, 5e-4),
        ("cifar10-deblurring", 0.136, 5e-4),
        ("mnist-inpainting", 0.262, 1e-3),  # the centres are random
        ("cifar10-inpainting", 0.143, 1e-3),
        ("mnist-super-resolution", 0.231, 5e-4),
        ("cifar10-super-resolution", 0.146, 5e-4),
    ],
)
def test_the_rmse_of_the_degraded_images_is_the_published_one(
    recipe: str, published: float, tolerance: float, images: dict[str, Tensor]
) -> None:
    x0 = images[recipe.split("-")[0]]
    table = load_recipe(recipe).degradation
    d: Degradation = build_table("degradation", table, image_shape=tuple(x0.shape[1:]))
    draws = torch.Generator().manual_seed(0)
    x_t = torch.cat(
        [
            d(batch, torch.full((len(batch),), d.num_steps), d.sample_context(batch, draws))
            for batch in torch.split(x0, 500)
        ]
    )
    assert rmse(x_t, x0) == pytest.approx(published, abs=tolerance)
