"""What operators find out about pictures that are degraded already."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import Degradation, UsageError, build
from colddiff_core.contracts.errors import ContextError
from colddiff_core.pictures.value_range import to_uint8_levels
from colddiff_core.registry.components import registry

SHAPE = (3, 32, 24)
NAMES = [item.name for item in registry().components("degradation") if item.builtin]


def pictures(seed: int, n: int = 2) -> Tensor:
    """Patches of light and shade at several scales, as in photographs, in [-1, 1]."""
    draws = torch.Generator().manual_seed(seed)
    layers = [
        F.interpolate(
            torch.randn(n, SHAPE[0], 2**k, 2**k, generator=draws), SHAPE[1:], mode="bilinear"
        )
        / k
        for k in (1, 2, 3, 4)
    ]
    return torch.stack(layers).sum(0).tanh()


def degraded(d: Degradation, x0: Tensor, t: int, context: dict[str, Tensor]) -> Tensor:
    return to_uint8_levels(d(x0, levels(x0, t), context))


def levels(x: Tensor, t: int) -> Tensor:
    return torch.full((len(x),), t)


def off(found: Tensor, true: Tensor) -> int:
    return int((found - true).abs().max())


centers = st.tuples(st.integers(-1, SHAPE[1] - 1), st.integers(-1, SHAPE[2] - 1))


@given(centers, st.integers(5, 50), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_the_hole_is_found_in_the_picture(center: tuple[int, int], t: int, seed: int) -> None:
    d, x0 = (
        build("degradation", "gaussian-mask", center="random"),
        pictures(seed),
    )
    true = torch.tensor([center, (9, 17)])
    x_t = degraded(d, x0, t, {"center": true})
    found = d.estimate_context(x_t, levels(x_t, t))["center"]
    within = 1 if t < 40 else 2  # at T the hole is wider than the picture, and has no edge
    assert off(found, true) <= within


@given(centers, st.integers(3, 50))
@settings(max_examples=40, deadline=None)
def test_the_hole_is_where_the_mask_is(center: tuple[int, int], t: int) -> None:
    d = build("degradation", "gaussian-mask", center="random")
    x, true = torch.zeros(1, *SHAPE), torch.tensor([center])
    soft = 1 - d(torch.ones(1, 1, *SHAPE[1:]), levels(x, t), {"center": true})
    for mask in (soft, (soft > 0.5).float()):  # as the operator makes it, and as people paint it
        found = d.estimate_context(x, levels(x, t), {"mask": mask})["center"]
        assert off(found, true) <= 1


def test_a_mask_of_another_shape_is_taken_for_the_hole_around_its_middle() -> None:
    d = build("degradation", "gaussian-mask", center="random")
    mask = torch.zeros(1, 1, *SHAPE[1:])
    mask[:, :, 4:11, 9:20] = 1
    found = d.estimate_context(torch.zeros(1, *SHAPE), torch.tensor([20]), {"mask": mask})
    assert off(found["center"], torch.tensor([[7, 14]])) <= 1


def test_images_of_a_batch_have_levels_and_centers_of_their_own() -> None:
    d, x0 = (
        build("degradation", "gaussian-mask", center="random"),
        pictures(0, 3),
    )
    t, true = torch.tensor([8, 20, 33]), torch.tensor([[3, 3], [20, 20], [-1, 11]])
    x_t = to_uint8_levels(d(x0, t, {"center": true}))
    assert off(d.estimate_context(x_t, t)["center"], true) <= 1
    assert torch.equal(d.estimate_context(x_t, t, {"center": true})["center"], true)


def test_masks_in_the_middle_have_nothing_to_be_told() -> None:
    d, x = build("degradation", "gaussian-mask"), torch.zeros(1, *SHAPE)
    assert d.estimate_context(x, torch.tensor([5])) == {}
    with pytest.raises(UsageError, match=r"^mask: gaussian-mask with center = 'middle'"):
        d.estimate_context(x, torch.tensor([5]), {"mask": x[:, :1]})


@pytest.mark.parametrize("t", [40, 50])
def test_the_color_is_read_where_nothing_else_is_left(t: int) -> None:
    params = {"num_steps": 50, "std": 1.0, "std_step": 0.5}
    d, x0 = build("degradation", "color-mask", **params), pictures(0)
    color = torch.tensor([[0.4, -0.1, -0.3], [-0.5, 0.0, 0.2]])[:, :, None, None]
    x_t = degraded(d, x0, t, {"color": color})
    found = d.estimate_context(x_t, levels(x_t, t))["color"]
    assert (found - color).abs().max() < 2 / 255
    with pytest.raises(ContextError, match=r"^color: color-mask cannot tell it") as error:
        d.estimate_context(x_t, levels(x_t, 1))
    assert error.value.missing == "color"
    assert d.estimate_context(x_t, levels(x_t, 1), {"color": color}) == {"color": color}


@pytest.mark.parametrize("name", ["animorph", "blend", "gaussian-noise"])
def test_at_level_T_the_endpoint_is_the_picture_itself(name: str) -> None:  # noqa: N802 - T
    d, x0 = build("degradation", name, num_steps=20), pictures(0)
    context = d.sample_context(x0, torch.Generator().manual_seed(0))
    x_t = d(x0, levels(x0, 20), context)
    found = d.estimate_context(x_t, levels(x_t, 20))
    assert (found["endpoint"] - context["endpoint"]).abs().max() < 2 / 255
    for t in (1, 19):
        with pytest.raises(ContextError, match=f"^endpoint: {name} cannot tell it"):
            d.estimate_context(x_t, levels(x_t, t))
        assert d.estimate_context(x_t, levels(x_t, t), context) == context


def test_flakes_cannot_be_told() -> None:
    d, x = build("degradation", "snow"), pictures(0)
    with pytest.raises(ContextError, match=r"^layer: snow cannot tell it"):
        d.estimate_context(x, levels(x, 3))


@pytest.mark.parametrize("name", NAMES)
def test_useless_hints_are_refused(name: str) -> None:
    d, x = build("degradation", name), pictures(0)
    hints = d.sample_context(x, torch.Generator())
    with pytest.raises(UsageError, match=f"^wind: {name} has no use for it"):
        d.estimate_context(x, levels(x, d.num_steps), {**hints, "wind": x})
