"""Schedules of levels for the samplers. Imports nothing, so that ONNX-only users can use it."""

import itertools
import operator
from collections.abc import Iterable

from colddiff_core.contracts.errors import UsageError

MAX_NUM_STEPS = 10_000
"""Largest T accepted: tables have T + 1 rows, and a recipe or a file may come from anybody."""


def full(num_steps: int) -> tuple[int, ...]:
    """Every level: T, T-1, …, 0."""
    return tuple(range(num_steps, -1, -1))


def evenly(num_steps: int, steps: int) -> tuple[int, ...]:
    """`steps` steps of nearly equal size from T to 0; `steps=1` is (T, 0).

    Raises:
        UsageError: there are not that many levels.
    """
    if not 1 <= steps <= num_steps:
        raise UsageError(f"steps: expected 1 to {num_steps} (one for each level), got {steps}")
    return tuple((num_steps * k + steps // 2) // steps for k in range(steps, -1, -1))


def checked_level(level: int, num_steps: int) -> int:
    """Return `level` if it is one of degraded images, 1 to T.

    Raises:
        UsageError: it is not.
    """
    try:
        index = operator.index(level)
    except TypeError:
        index = 0
    if not 1 <= index <= num_steps:
        raise UsageError(
            f"level: expected 1 to {num_steps} (the model's T), or auto; got {level!r}"
        )
    return index


def chosen(
    num_steps: int, *, steps: int | None = None, timesteps: Iterable[int] | None = None
) -> tuple[int, ...]:
    """The levels that `steps` or `timesteps` ask for, from T; every level without.

    Raises:
        UsageError: both are given, or it is no schedule for a model of `num_steps` levels.
    """
    if timesteps is not None:
        if steps is not None:
            raise UsageError("steps and timesteps: give one of them")
        return checked(timesteps, num_steps)
    return full(num_steps) if steps is None else evenly(num_steps, steps)


def checked(timesteps: Iterable[int], num_steps: int) -> tuple[int, ...]:
    """Return `timesteps` as a tuple if it is a schedule for a model of `num_steps` levels.

    Raises:
        UsageError: not strictly decreasing, not ending in 0, or out of range.
    """
    try:
        levels = tuple(map(operator.index, timesteps))
    except TypeError:
        raise UsageError("timesteps: expected integers, e.g. 20,10,5,0") from None
    decreasing = all(t > s for t, s in itertools.pairwise(levels))
    if len(levels) < 2 or levels[-1] != 0 or levels[0] > num_steps or not decreasing:
        raise UsageError(
            f"timesteps: expected levels that strictly decrease from at most {num_steps} to 0, "
            f"e.g. {num_steps},{num_steps // 2},0; got {','.join(map(str, levels)) or 'none'}"
        )
    return levels
