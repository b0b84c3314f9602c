"""The laws again, on shapes and levels that hypothesis makes up; the kit's own are a few."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from colddiff_core import Context, Degradation, build
from colddiff_core.registry.components import registry

NAMES = [item.name for item in registry().components("degradation") if item.builtin]


@dataclass(frozen=True)
class Scene:
    """A degradation and what it can be called with."""

    d: Degradation
    x0: Tensor
    t: Tensor
    s: Tensor
    context: Context


def law(test: Callable[[Scene], None]) -> Callable[..., None]:
    """Try a law on every degradation, of images of any size, at any levels."""

    @pytest.mark.parametrize("name", NAMES)
    @given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32))
    @settings(max_examples=8, deadline=None)
    def of_every_degradation(name: str, rows: int, columns: int, batch: int, seed: int) -> None:
        shape = (3, 8 * rows, 8 * columns)  # pixelate halves the sides three times
        d, draws = build("degradation", name), torch.Generator()
        draws.manual_seed(seed)
        x0 = (0.7 * torch.randn(batch, *shape, generator=draws)).clamp(-1, 1)
        t, s = (
            torch.randint(-1, d.num_steps + 2, (batch,), generator=draws).clamp(0, d.num_steps)
            for _ in range(2)
        )
        test(Scene(d, x0, t, s, d.sample_context(x0, draws)))

    of_every_degradation.__doc__ = test.__doc__
    return of_every_degradation


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@law
def test_level_0_is_the_image_itself(scene: Scene) -> None:
    assert torch.equal(scene.d(scene.x0, torch.zeros_like(scene.t), scene.context), scene.x0)


@law
def test_a_batch_is_no_more_than_its_images(scene: Scene) -> None:
    together = scene.d(scene.x0, scene.t, scene.context)
    for k in range(len(together)):
        one = slice(k, k + 1)
        context = {name: value[one] for name, value in scene.context.items()}
        close(scene.d(scene.x0[one], scene.t[one], context), together[one])


@law
def test_difference_is_the_difference(scene: Scene) -> None:
    d, x0, t, s, context = scene.d, scene.x0, scene.t, scene.s, scene.context
    close(d.difference(x0, t, s, context), d(x0, s, context) - d(x0, t, context))
    assert (d.difference(x0, t, t, context) == 0).all()


@law
def test_finite_images_stay_finite(scene: Scene) -> None:
    for scale in (1, 1e4):
        assert scene.d(scale * scene.x0, scene.t, scene.context).isfinite().all()
