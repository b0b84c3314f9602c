"""Figures of merit."""

import pytest
import torch

from colddiff_core import ColdDiffusion, build
from colddiff_core.evaluation import compare, rmse


def test_rmse_is_pooled_over_the_images_on_0_to_1() -> None:
    x0 = -torch.ones(2, 1, 2, 2)
    images = x0.clone()
    images[1] += 1  # one image is off by half the range, the other is right
    assert rmse(images, x0) == pytest.approx((0.25 / 2) ** 0.5)


def test_each_row_is_what_its_name_says(process: ColdDiffusion) -> None:
    x0 = torch.rand(5, 1, 8, 8) * 2 - 1
    found = compare(process, x0, torch.Generator().manual_seed(0), batch_size=2)
    x_t = process.degrade(x0)
    with torch.no_grad():
        direct = process.restorer(x_t, torch.full((5,), 4))
    expected = {"degraded": x_t, "direct": direct}
    for name in ("naive", "improved"):
        process.sampler = build("sampler", name)
        expected[name] = process.restore(x_t)
    assert list(found.rows) == list(expected)
    for name, images in expected.items():
        torch.testing.assert_close(found.rows[name], images)
        assert found.rmse()[name] == pytest.approx(rmse(images, x0), rel=1e-5)
