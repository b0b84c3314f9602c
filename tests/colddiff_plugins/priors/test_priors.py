"""Priors: what they draw, from what, and that a seed means the same everywhere."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colddiff_core import ColdDiffusion, ParameterError, UsageError, build
from colddiff_core.contracts.errors import UnknownComponentError
from colddiff_core.contracts.prior import Prior
from colddiff_plugins.priors.channel_mean_gmm import fit_gmm

SHAPE = (3, 8, 8)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for k in range(6):
        Image.new("RGB", (9, 9), (40 * k, 0, 255 - 40 * k)).save(tmp_path / f"{k}.png")
    return tmp_path


def make(name: str, pictures: Path) -> Prior:
    params: dict[str, object] = {}
    if name == "dataset":
        params = {"data": {"name": "folder", "folder": str(pictures), "image_size": 8}}
    prior = build("prior", name, image_shape=SHAPE, **params)
    prior.fit(torch.rand(10, *SHAPE, generator=draws(1)) * 2 - 1 for _ in range(2))
    return prior


def test_what_a_prior_gives_is_what_training_degrades_with(pictures: Path) -> None:
    process = ColdDiffusion(
        build("degradation", "animorph", num_steps=3),
        torch.nn.Identity(),
        build("sampler", "improved"),
        make("dataset", pictures),
    )
    context = process.sample_context(torch.zeros(4, *SHAPE), draws())
    colours = {tuple(image[:, 0, 0].tolist()) for image in context["endpoint"]}
    assert all(blue > -1 for _, _, blue in colours)  # from the pictures, not from the zeros
    process.prior = None
    assert not process.sample_context(torch.zeros(4, *SHAPE), draws())["endpoint"].any()


def test_constant_colors_are_flat_and_muted() -> None:
    prior = build("prior", "constant-color", image_shape=SHAPE, spread=0.25)
    x_t, context = prior.sample(200, draws())
    assert torch.equal(x_t, context["color"].expand_as(x_t))
    assert 0.24 < x_t.abs().max() <= 0.25
    assert x_t.mean().abs() < 0.02


def test_the_mixture_has_the_mean_and_covariance_of_the_colours() -> None:
    mix = torch.tensor([[0.3, 0.1, 0.0], [0.0, 0.2, 0.1], [0.0, 0.0, 0.1]])
    colors = torch.randn(4000, 3, generator=draws()) @ mix.T + torch.tensor([0.1, -0.2, 0.3])
    prior = build("prior", "channel-mean-gmm", image_shape=SHAPE, noise_std=0.0)
    prior.fit(colors[k : k + 1000, :, None, None].expand(-1, *SHAPE) for k in range(0, 4000, 1000))
    x_t, _ = prior.sample(4000, draws(1))
    assert torch.equal(x_t, x_t[:, :, :1, :1].expand_as(x_t))
    drawn = x_t[:, :, 0, 0]
    torch.testing.assert_close(drawn.mean(0), colors.mean(0), atol=0.02, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(colors.T), atol=0.01, rtol=0.1)


def test_noise_breaks_the_symmetry() -> None:
    prior = build("prior", "channel-mean-gmm", image_shape=SHAPE, noise_std=0.01)
    prior.fit([torch.zeros(50, *SHAPE)])
    x_t, _ = prior.sample(50, draws())
    assert x_t.std((2, 3)).mean().item() == pytest.approx(0.01, rel=0.1)


def test_two_clusters_are_told_apart() -> None:
    points = torch.cat(
        [
            torch.randn(300, 2, generator=draws()) * 0.1 + torch.tensor([1.0, 0.0]),
            torch.randn(100, 2, generator=draws(1)) * 0.2 - torch.tensor([1.0, 0.5]),
        ]
    ).double()
    weight, mean, factor = fit_gmm(points, 2)
    order = weight.argsort()
    np.testing.assert_allclose(weight[order], [0.25, 0.75], atol=0.01)
    np.testing.assert_allclose(mean[order], [[-1, -0.5], [1, 0]], atol=0.05)
    np.testing.assert_allclose((factor @ factor.mT)[order, 0, 0], [0.04, 0.01], rtol=0.3)


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_colours_do_not_break_the_fit(channels: int) -> None:
    for values in fit_gmm(torch.ones(8, channels).double(), 2):
        assert values.isfinite().all()


def test_mistakes_are_explained(pictures: Path) -> None:
    gmm = build("prior", "channel-mean-gmm", image_shape=SHAPE, components=6)
    with pytest.raises(UsageError, match="is not fitted"):
        gmm.sample(1, draws())
    with pytest.raises(ParameterError, match="6 need at least 12 images, got 10"):
        gmm.fit([torch.zeros(10, *SHAPE)])
    for params in ({"components": 0}, {"noise_std": -1.0}):
        with pytest.raises(ParameterError, match=next(iter(params))):
            build("prior", "channel-mean-gmm", image_shape=SHAPE, **params)
    with pytest.raises(ParameterError, match="spread"):
        build("prior", "constant-color", image_shape=SHAPE, spread=2.0)
    with pytest.raises(ParameterError, match="data: expected a table"):
        build("prior", "dataset", image_shape=SHAPE, data={})
    missing = build("prior", "dataset", image_shape=SHAPE, data={"name": "foldr"})
    with pytest.raises(UnknownComponentError, match="'folder'"):
        missing.sample(1, draws())
    table = {"name": "folder", "folder": str(pictures), "image_size": 4}
    with pytest.raises(ParameterError, match=r"are \(3, 4, 4\), the model's \(3, 8, 8\)"):
        build("prior", "dataset", image_shape=SHAPE, data=table).sample(1, draws())


def test_generation_needs_a_prior_that_fits() -> None:
    process = ColdDiffusion(
        build("degradation", "gaussian-noise", num_steps=2),
        build("restorer", "unet", image_shape=SHAPE, channels=8, multipliers=(1,)),
        build("sampler", "improved"),
    )
    with pytest.raises(UsageError, match="no prior to start from"):
        process.generate(1, generator=draws())
    color = build("prior", "constant-color", image_shape=SHAPE)
    with pytest.raises(UsageError, match="'endpoint' is missing"):
        process.generate(1, color, generator=draws())
