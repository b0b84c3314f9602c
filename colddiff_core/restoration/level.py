"""Find the levels of images that are degraded already, by self-consistency. Imports no torch.

| here | meaning |
|---|---|
| `errors_at(t)` | e(t) = RMS of D(R(x, t), t, c) - x on [0, 1], see `consistency`, of each image |

At the true level, what R makes of x can be degraded to x again. At a higher one it cannot: D leaves
less of an image than x still shows. At a lower one x is not what R has learnt to see, and R makes
something else of it. So e is smallest at the true level, as docs/restoring.md measures, if D loses
something at each step. Where D can be inverted (desaturation, until the last trace of colour is
gone), R explains x at most levels up to the true one, and the level cannot be told for sure.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colddiff_core.contracts.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core.contracts.degradation import Context, Degradation

INVISIBLE = 0.5 / 255
"""Errors below half a level of 8 bits do not show in a picture: they count as equal."""

UNLIKELY = 8 / 255
"""Errors above this are those of images that are not D of anything that R knows. On held-out
images of its own kind at the true level, even a hastily trained R is below 6 / 255."""

EVALUATIONS = 24
"""How often the restorer is run to find the level of an image, at most."""


@dataclass(frozen=True)
class FoundLevel:
    """The level of an image, and how it was found.

    Attributes:
        level: t, 1 to T.
        error: e(t), RMS on [0, 1].
        curve: e at the levels that were tried, in their order.
    """

    level: int
    error: float
    curve: Mapping[int, float]

    @property
    def alike(self) -> tuple[int, int]:
        """The lowest and the highest level tried that explain the image about as well.

        That is, with an error of up to twice the smallest, or of one level of 8 bits.
        """
        limit = 2 * max(self.error, INVISIBLE)
        levels = [t for t, error in self.curve.items() if error <= limit]
        return min(levels), max(levels)

    @property
    def unlikely(self) -> bool:
        """Whether no level explains the image, so that it is not D of anything that R knows."""
        return self.error > UNLIKELY

    @property
    def uncertain(self) -> bool:
        """Whether over a quarter of the levels explain the image about as well."""
        low, high = self.alike
        return high - low > max(max(self.curve) / 4, 1)


def search_levels(
    errors_at: Callable[[int, Sequence[int]], Sequence[float]],
    count: int,
    num_steps: int,
    *,
    evaluations: int = EVALUATIONS,
) -> list[FoundLevel]:
    """For each image, the level of the smallest error; the highest of those that are invisible.

    All levels are tried if there are few. Else half of the evaluations go to levels that are
    evenly spaced, the other half to the gaps beside the best. Images that are to be tried at the
    same level are tried together.

    Args:
        errors_at: e(t) of some of the images, from t and their numbers.
        count: of the images.
        num_steps: T.
        evaluations: of e for an image, at most; 4 or more.

    Raises:
        UsageError: an error is not a finite number.
    """
    few = num_steps <= evaluations
    first = num_steps if few else evaluations // 2
    spaced = {1 + round(k * (num_steps - 1) / max(first - 1, 1)) for k in range(first)}
    curves: list[dict[int, float]] = [{} for _ in range(count)]
    coming = {t: list(range(count)) for t in sorted(spaced)}
    while coming:
        for t, images in coming.items():
            for k, error in zip(images, errors_at(t, images), strict=True):
                curves[k][t] = error
        coming = {}
        for k, curve in enumerate(curves):
            if len(curve) < min(evaluations, num_steps):
                coming.setdefault(_between(curve), []).append(k)
    return [_found(curve) for curve in curves]


def _found(curve: Mapping[int, float]) -> FoundLevel:
    if not all(map(math.isfinite, curve.values())):
        raise UsageError("level: what the model makes of the image is not finite at every level")
    smallest = min(curve.values())
    level = max(t for t, error in curve.items() if error <= max(smallest, INVISIBLE))
    return FoundLevel(level, curve[level], dict(sorted(curve.items())))


def _between(errors: Mapping[int, float]) -> int:
    """The middle of the wider gap beside the best level that has one."""
    levels = sorted(errors)
    gaps: dict[int, tuple[int, int]] = {}  # (width, middle) by level
    for low, high in itertools.pairwise(levels):
        for t in (low, high) if high - low > 1 else ():
            gaps[t] = max(gaps.get(t, (0, 0)), (high - low, (low + high) // 2))
    return gaps[min(gaps, key=errors.__getitem__)][1]


def consistency(
    degradation: "Degradation",
    x: "Tensor",
    x0_hat: "Tensor",
    t: int,
    context: "Context",
    *,
    margin: int = 0,
) -> "Tensor":
    """e(t) = RMS of D(x0_hat, t, context) - x for each image, on [0, 1].

    Args:
        degradation: D.
        x: (B, C, H, W) degraded images in [-1, 1].
        x0_hat: (B, C, H, W), R(x, t).
        t: the level.
        context: of the degradation.
        margin: leave out so many pixels at each border, where D of a tile is not a tile of D.

    Returns:
        (B,).
    """
    import torch

    levels = torch.full((len(x),), t, device=x.device)
    off: Tensor = (degradation(x0_hat, levels, context) - x) / 2
    height, width = x.shape[2:]
    inner = off[:, :, margin : height - margin, margin : width - margin]
    return inner.square().mean((1, 2, 3)).sqrt()
