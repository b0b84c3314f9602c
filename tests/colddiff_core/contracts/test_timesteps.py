"""Schedules of levels."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colddiff_core.contracts import timesteps
from colddiff_core.contracts.errors import UsageError


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_even_schedules_are_schedules(case: tuple[int, int]) -> None:
    num_steps, steps = case
    levels = timesteps.evenly(num_steps, steps)
    assert timesteps.checked(levels, num_steps) == levels
    assert (levels[0], len(levels)) == (num_steps, steps + 1)
    sizes = [t - s for t, s in pairwise(levels)]
    assert max(sizes) - min(sizes) <= 1


def test_the_ends_of_the_range() -> None:
    assert timesteps.full(3) == timesteps.evenly(3, 3) == (3, 2, 1, 0)
    assert timesteps.evenly(20, 1) == (20, 0)


@pytest.mark.parametrize("levels", [(), (0,), (3, 1), (3, 3, 0), (1, 2, 0), (5, 0), (2, 0, -1)])
def test_what_is_no_schedule_is_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="strictly decrease from at most 4 to 0"):
        timesteps.checked(levels, 4)


def test_more_steps_than_levels_are_refused() -> None:
    with pytest.raises(UsageError, match=r"expected 1 to 4 .*, got 5"):
        timesteps.evenly(4, 5)
