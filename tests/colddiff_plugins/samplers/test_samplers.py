"""What each sampler does with the errors of a network; for what all promise, see the kit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from colddiff_core import ColdDiffusion, Context, Degradation, UsageError, build
from colddiff_core.contracts.degradation import NO_CONTEXT

SHAPE = (3, 16, 16)


class Constant(nn.Module):
    """R(x_t, t) = the same image always."""

    def __init__(self, x0_hat: Tensor) -> None:
        super().__init__()
        self.x0_hat = x0_hat

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.x0_hat


class Drift(Degradation):
    """D(x, t) = x + t e, linear in its level with the same e for every image."""

    def __init__(self, e: Tensor, num_steps: int) -> None:
        super().__init__(num_steps)
        self.e = e

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        return x0 + t[:, None, None, None] * self.e


def images(seed: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def schedules(num_steps: int) -> st.SearchStrategy[list[int]]:
    """Levels from anywhere down to 0."""
    some = st.sets(st.integers(1, num_steps), min_size=1, max_size=12)
    return some.map(lambda levels: [*sorted(levels, reverse=True), 0])


@given(seed=st.integers(0, 1000), timesteps=schedules(30))
@settings(max_examples=20, deadline=None)
def test_improved_tracks_a_linear_degradation_whatever_the_estimate(
    seed: int, timesteps: list[int]
) -> None:
    x0, wrong, e = images(seed), images(seed + 1), images(seed + 2, batch=1)
    d = Drift(e, 30)
    improved = ColdDiffusion(d, Constant(wrong), build("sampler", "improved"))
    for step in improved.steps(improved.degrade(x0, timesteps[0]), timesteps):
        close(step.x_s, improved.degrade(x0, step.s))
    naive = ColdDiffusion(d, Constant(wrong), build("sampler", "naive"))
    close(naive.restore(naive.degrade(x0, timesteps[0]), timesteps), wrong)


@given(error=st.floats(-1, 1), timesteps=schedules(20))
@settings(max_examples=20, deadline=None)
def test_improved_forgives_an_error_of_brightness_when_colors_fade(
    error: float, timesteps: list[int]
) -> None:
    """Desaturation moves an image by its colours alone, which this estimate has right."""
    x0, d = images(0), build("degradation", "desaturate")
    improved, naive = (
        ColdDiffusion(d, Constant(x0 + error), build("sampler", name))
        for name in ("improved", "naive")
    )
    x_t = improved.degrade(x0, timesteps[0])
    close(improved.restore(x_t, timesteps), x0)
    close(naive.restore(x_t, timesteps), x0 + error)


def test_ddim_with_the_true_image_estimates_the_true_endpoint() -> None:
    d = build("degradation", "gaussian-noise")
    x0 = images(0)
    context = d.sample_context(x0, torch.Generator().manual_seed(0))
    runs = [
        ColdDiffusion(d, Constant(x0), build("sampler", name)).trajectory(
            d(x0, torch.tensor([200, 200]), context), context=context
        )
        for name in ("ddim", "improved")
    ]
    close(runs[0], runs[1])


def test_ddim_does_not_look_at_the_endpoint_it_is_given() -> None:
    d = build("degradation", "gaussian-noise")
    process = ColdDiffusion(d, nn.Module(), build("sampler", "ddim"))
    x_t, t, s = images(0), torch.tensor([90, 90]), torch.tensor([40, 40])
    x_s = [
        process.sampler.step(x_t, 0.5 * x_t, t, s, d, {"endpoint": images(seed)}) for seed in (1, 2)
    ]
    assert torch.equal(x_s[0], x_s[1])


@given(num_steps=st.integers(1, 1000), data=st.data())
@settings(max_examples=20, deadline=None)
def test_ddim_on_a_blend_is_the_step_of_indi(num_steps: int, data: st.DataObject) -> None:
    """x_s = (1 - s/t) x0_hat + (s/t) x_t (arXiv 2303.11435), down to any level, without z."""
    d = build("degradation", "blend", num_steps=num_steps)
    process = ColdDiffusion(d, Constant(images(1)), build("sampler", "ddim"))
    for step in process.steps(images(0), data.draw(schedules(num_steps))):
        close(step.x_s, torch.lerp(step.x0_hat, step.x_t, step.s / step.t))


def test_ddim_says_which_degradation_has_no_endpoint() -> None:
    d = build("degradation", "desaturate")
    x0 = images(0)
    process = ColdDiffusion(d, Constant(x0), build("sampler", "ddim"))
    with pytest.raises(UsageError, match="'desaturate' has none, use 'improved'"):
        process.restore(x0)
    process = ColdDiffusion(Drift(x0, 3), Constant(x0), build("sampler", "ddim"))
    with pytest.raises(UsageError, match="'Drift' has none"):
        process.restore(x0)
