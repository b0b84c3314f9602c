"""The level of an image, found by self-consistency."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from colddiff_core import UsageError, build
from colddiff_core.pictures.value_range import to_uint8_levels
from colddiff_core.restoration.level import (
    EVALUATIONS,
    INVISIBLE,
    FoundLevel,
    consistency,
    search_levels,
)


@given(st.integers(1, 1000), st.floats(0, 1), st.floats(1, 20))
def test_the_smallest_of_a_valley_is_found_with_few_evaluations(
    num_steps: int, share: float, steepness: float
) -> None:
    true = [1 + round(part * (num_steps - 1)) for part in (share, 1 - share, 0)]
    tried: list[list[int]] = [[], [], []]

    def errors_at(t: int, images: Sequence[int]) -> list[float]:
        for k in images:
            tried[k].append(t)
        return [0.003 + steepness * abs(t - true[k]) / num_steps for k in images]

    for k, found in enumerate(search_levels(errors_at, 3, num_steps)):
        assert (found.level, found.error) == (true[k], 0.003)
        assert list(found.curve) == sorted(tried[k])
        assert len(tried[k]) == len(set(tried[k])) <= EVALUATIONS
        assert found.alike[0] <= true[k] <= found.alike[1]


def test_of_levels_whose_errors_are_invisible_the_highest_is_taken() -> None:
    errors = [0.3 * INVISIBLE, 0.1 * INVISIBLE, 0.9 * INVISIBLE, 1.1 * INVISIBLE, 3 * INVISIBLE]
    (found,) = search_levels(lambda t, _: [errors[t - 1]], 1, 5)
    assert (found.level, found.alike) == (3, (1, 4))
    assert found.uncertain
    assert not found.unlikely


def test_a_lone_smallest_error_is_certain_and_a_large_one_unlikely() -> None:
    assert not FoundLevel(5, 0.003, {4: 0.007, 5: 0.003, 6: 0.01}).uncertain
    assert not FoundLevel(5, 0.003, {4: 0.007, 5: 0.003, 6: 0.01}).unlikely
    assert FoundLevel(5, 0.05, {4: 0.11, 5: 0.05, 6: 0.12}).unlikely


def test_results_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(UsageError, match="not finite at every level"):
        search_levels(lambda t, _: [math.nan if t == 3 else 0.1], 1, 5)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("gaussian-blur", {"num_steps": 20, "std": 0.9}),
        ("gaussian-mask", {"center": "random"}),
        ("pixelate", {}),
        ("desaturate", {}),
        ("gaussian-mask", {"num_steps": 120, "std_step": 0.01}),
    ],
)
def test_a_perfect_restorer_tells_every_level(name: str, params: dict[str, object]) -> None:
    draws = torch.Generator().manual_seed(0)
    x0 = torch.rand(1, 3, 16, 16, generator=draws) * 2 - 1
    d = build("degradation", name, **params)
    context = d.sample_context(x0, draws)
    for true in sorted({1, d.num_steps // 2, d.num_steps - 1, d.num_steps} - {0}):
        x = to_uint8_levels(d(x0, torch.tensor([true]), context))
        (found,) = search_levels(
            lambda t, _, x=x: consistency(d, x, x0, t, context).tolist(), 1, d.num_steps
        )
        assert found.error <= INVISIBLE  # no more than the rounding
        assert found.alike[0] <= true <= found.alike[1]
        assert 0 <= found.level - true <= 1  # the next may be invisibly different


def test_consistency_is_the_rms_of_each_image_within_the_margin() -> None:
    d = build("degradation", "desaturate", num_steps=4)
    x = torch.zeros(2, 2, 8, 8)
    x0_hat = x.clone()
    x0_hat[1, :, 0] = 1  # grey, which stays as it is
    found = consistency(d, x, x0_hat, 2, {})
    assert found.tolist() == pytest.approx([0, (1 / 8) ** 0.5 / 2])
    assert consistency(d, x, x0_hat, 2, {}, margin=1).tolist() == [0, 0]
