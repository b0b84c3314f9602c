"""What each degradation leaves of an image; what all promise is in `test_conformance.py`."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from colddiff_core import Context, Degradation, ParameterError, build
from colddiff_core.contracts.endpoint import EndpointDegradation
from colddiff_core.registry.components import registry

NAMES = [item.name for item in registry().components("degradation") if item.builtin]


def images(batch: int, shape: tuple[int, ...], draws: torch.Generator) -> Tensor:
    """Values of all magnitudes in [-1, 1], the ends among them."""
    return (0.7 * torch.randn(batch, *shape, generator=draws)).clamp(-1, 1)


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_channels_that_makes_sense(name: str) -> None:
    draws = torch.Generator().manual_seed(0)
    for channels in (1, 2, 3, 4):
        shape = (channels, 8, 8)
        if (name == "snow" and channels in (2, 4)) or (name == "desaturate" and channels == 1):
            with pytest.raises(ParameterError, match=f"channel.*{channels}"):
                build("degradation", name).check(shape)
            continue
        d, x0 = build("degradation", name), images(2, shape, draws)
        last = torch.full((2,), d.num_steps)
        assert d(x0, last, d.sample_context(x0, draws)).shape == x0.shape


@pytest.mark.parametrize("name", NAMES)
def test_tables_are_no_weights(name: str) -> None:
    assert not build("degradation", name).state_dict()


def last_of(name: str, **params: object) -> tuple[Degradation, Tensor, Tensor, Context]:
    """An operator, two images, D(x0, T) and its context."""
    d = build("degradation", name, **params)
    draws = torch.Generator().manual_seed(1)
    x0 = images(2, (3, 16, 16), draws)
    context = d.sample_context(x0, draws)
    return d, x0, d(x0, torch.full((2,), d.num_steps), context), context


@pytest.mark.parametrize("std", [1.0, 7.0])
def test_blur_keeps_the_mean_and_ends_in_it(std: float) -> None:
    _, x0, x_t, _ = last_of("gaussian-blur", std=std)
    close(x_t.mean((2, 3)), x0.mean((2, 3)))
    _, x0, x_t, _ = last_of("gaussian-blur", std=std, final_mean=True)
    close(x_t, x0.mean((2, 3), keepdim=True).expand_as(x0))


def test_pixelate_leaves_blocks() -> None:
    _, x0, x_t, _ = last_of("pixelate", filter="area", num_steps=2)
    blocks = torch.nn.functional.avg_pool2d(x0, 4)
    close(x_t, blocks.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_a_mask_hides_its_centre_and_little_else_at_first() -> None:
    d = build("degradation", "gaussian-mask", num_steps=20)
    t = torch.arange(d.num_steps + 1)
    mask = d(torch.ones(len(t), 1, 16, 16), t)
    assert (mask[1:, :, 7, 7] == 0).all()
    assert (mask.diff(dim=0) <= 0).all()
    assert mask[1, 0, 0, 0] > 0.999


def test_a_random_centre_lies_where_the_authors_draw_it() -> None:
    d = build("degradation", "gaussian-mask", center="random")
    x0 = torch.ones(500, 1, 4, 6)
    context = d.sample_context(x0, torch.Generator().manual_seed(0))
    rows, columns = (set(axis.tolist()) for axis in context["center"].T)
    assert rows == set(range(-1, 4))
    assert columns == set(range(-1, 6))
    hidden = d(x0, torch.ones(500, dtype=torch.int64), context)[:, 0] == 0
    for k, (row, column) in enumerate(context["center"].tolist()):
        inside = row >= 0 and column >= 0
        assert hidden[k].nonzero().tolist() == ([[row, column]] if inside else [])


def test_a_centre_out_of_reach_is_an_error_and_no_other_mask() -> None:
    d = build("degradation", "gaussian-mask", center="random")
    with pytest.raises(IndexError):
        d(torch.ones(1, 1, 8, 8), torch.tensor([1]), {"center": torch.tensor([[0, 20]])})


def test_a_color_mask_ends_in_the_color() -> None:
    _, x0, x_t, context = last_of("color-mask")
    assert torch.equal(x_t, context["color"].expand_as(x0))
    assert context["color"].abs().max() <= 0.5
    _, _, x_t, context = last_of("color-mask", num_steps=20, reverse=False)
    close(x_t[:, :, 7:8, 7:8], context["color"])


def test_desaturate_ends_in_the_mean_of_the_channels() -> None:
    for params in ({}, {"schedule": "geometric", "final_gray": True}):
        _, x0, x_t, _ = last_of("desaturate", **params)
        close(x_t, x0.mean(1, keepdim=True).expand_as(x0))
    _, x0, x_t, _ = last_of("desaturate", schedule="geometric", num_steps=3, factor=0.5)
    gray = x0.mean(1, keepdim=True)
    close(x_t - gray, (x0 - gray) / 8)


@pytest.mark.parametrize("name", ["gaussian-noise", "animorph"])
def test_the_endpoint_is_what_remains(name: str) -> None:
    d, x0, x_t, context = last_of(name)
    close(x_t, context["endpoint"], 1e-3)
    t = torch.tensor([1, 60])
    assert isinstance(d, EndpointDegradation)
    close(d.estimate_endpoint(d(x0, t, context), x0, t), context["endpoint"], 1e-4)


@given(st.integers(1, 1000), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_blend_is_even_and_exact_at_both_ends(num_steps: int, seed: int) -> None:
    d = build("degradation", "blend", num_steps=num_steps)
    draws = torch.Generator().manual_seed(seed)
    x0, endpoint = images(5, (3, 4, 4), draws), images(5, (3, 4, 4), draws)
    t, last = torch.randint(num_steps + 1, (5,), generator=draws), torch.full((5,), num_steps)
    context = {"endpoint": endpoint}
    assert torch.equal(d(x0, torch.zeros_like(t), context), x0)
    assert torch.equal(d(x0, last, context), endpoint)
    close(d(x0, t, context), torch.lerp(x0, endpoint, (t / num_steps)[:, None, None, None]))


def test_noise_keeps_the_variance() -> None:
    d = build("degradation", "gaussian-noise")
    t = torch.arange(d.num_steps + 1)
    x0, endpoint = torch.eye(2).view(2, 1, 1, 1, 2).expand(-1, len(t), -1, -1, -1)
    a_and_b = d(x0, t, {"endpoint": endpoint})
    close(a_and_b.square().sum((1, 2, 3)), torch.ones(len(t)))


@pytest.mark.parametrize("name", ["animorph", "blend"])
def test_without_another_image_it_turns_its_own(name: str) -> None:
    d = build("degradation", name)
    context = d.sample_context(torch.arange(4.0).view(1, 1, 2, 2), torch.Generator())
    assert context["endpoint"].flatten().tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize("brighten", [False, True])
def test_snow_only_brightens(brighten: bool) -> None:
    _, x0, x_t, _ = last_of("snow", level=3, brighten=brighten)
    assert (x_t >= x0 - 1e-6).all()
    assert x_t.max() <= 1
    assert (x_t > x0 + 0.1).any()


def test_wind_blows_along_one_axis() -> None:
    d = build("degradation", "snow", level=1, num_steps=5, brighten=False)
    layer = torch.zeros(2, 1, 15, 15)
    layer[:, :, 7, 7] = 1
    context = {"layer": layer, "vertical": torch.tensor([True, False])}
    down, across = d(-torch.ones(2, 1, 15, 15), torch.tensor([5, 5]), context)[:, 0] > -1
    assert down.nonzero().tolist() == [[row, 7] for row in range(5, 10)]
    assert torch.equal(across, down.T)


@pytest.mark.parametrize(
    ("name", "params", "field"),
    [
        ("gaussian-mask", {"std": 0.0}, "std"),
        ("gaussian-mask", {"std": 1.0, "std_step": -0.1}, "std"),
        ("color-mask", {"std": -1.0}, "std"),
        ("desaturate", {"factor": 1.0}, "factor"),
        ("snow", {"level": 5}, "level"),
        ("animorph", {"num_steps": 0}, "num_steps"),
    ],
)
def test_bad_parameters_are_named(name: str, params: dict[str, object], field: str) -> None:
    with pytest.raises(ParameterError, match=field):
        build("degradation", name, **params)
