"""Laws of degradations: what D makes of images."""

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import Degradation
from colddiff_core.testing.check import check
from colddiff_core.testing.laws.calls import DTYPES
from colddiff_core.testing.scenes import Scene, images, on_scenes, seeded, with_steps
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed

MOST_LEVELS = 64
"""How many levels are looked at where there are too many for all."""

FALL = 0.05
"""By how much the distance from the image may fall, in units of the largest."""


@on_scenes("degradation", essential=True)
def level_0_is_the_image(scene: Scene) -> None:
    """D(x0, 0) is x0, bit for bit, in every floating type.

    Level 0 is the clean image, exactly: return torch.where(t[:, None, None, None] == 0, x0, x_t).
    """
    for dtype in DTYPES:
        x0 = (scene.x0.double() / 3).to(dtype)  # all bits of the mantissa in use
        x_t = scene.on(x0).degraded(0)
        if x_t.shape != x0.shape or not torch.equal(x_t.to(dtype), x0):
            off = (x_t.double() - x0.double()).abs().max() if x_t.shape == x0.shape else torch.inf
            scene.fail(f"D(x0, 0) is not x0 in {dtype}: it is off by {float(off):.2g}")


@on_scenes("degradation")
def levels_independent(scene: Scene) -> None:
    """Each image has its own level: mixed levels give what separate calls give.

    t is a tensor (B,), one level an image: look tables up with table[t], and spread the result over
    the image with [:, None, None, None]; int(t) and t[0] take one for all.
    """
    expected = torch.stack([scene.degraded(int(level))[k] for k, level in enumerate(scene.t)])
    scene.expect_close(
        scene.degraded(), expected, "in a batch of mixed levels an image is not degraded to its own"
    )


@check("degradation", seed=0)
def finite(subject: Subject) -> None:
    """D is finite at every level, for constant images and a little outside of [-1, 1] as well.

    Look for a division by a weight that ends at 0, a root or power of a negative number, or a table
    that is one row short.
    """
    for shape in subject.shapes:
        draws, d = seeded(0), subject.build(shape)
        short = with_steps(subject, shape, 1)  # whose only level is both the first and the last
        for name, x in {
            "black": torch.full((1, *shape), -1.0),
            "white": torch.ones(1, *shape),
            "grey": torch.zeros(1, *shape),
            "noise": images(1, shape, draws),
            "noise from -2 to 2, as an estimate of a restorer may be": 2 * images(1, shape, draws),
        }.items():
            _expect_finite(d, x, name)
            if short is not None:
                _expect_finite(short, x, name)


def _expect_finite(d: Degradation, x: Tensor, name: str) -> None:
    for t in torch.split(_levels(d.num_steps, 1001), 250):
        x0 = x.expand(len(t), -1, -1, -1)
        x_t = d(x0, t, d.sample_context(x0, seeded(0)))
        for level in t[~x_t.isfinite().flatten(1).all(1)].tolist():
            raise CheckFailed(
                f"D is not finite at level {level} of {d.num_steps} for {name} {tuple(x.shape[1:])}"
            )


@check("degradation", seed=0)
def severity_grows(subject: Subject) -> None:
    """D goes away from the image as the level rises, hardly ever back, and ends elsewhere.

    A higher level is a stronger degradation; level 0 is the clean image, T the most degraded.
    """
    shape, draws, n = subject.shapes[0], seeded(0), 8
    d = subject.build(shape)
    x0 = images(n, shape, draws)
    context = d.sample_context(x0, draws)
    levels = _levels(d.num_steps, MOST_LEVELS)
    apart = [d(x0, t.expand(n), context) - x0 for t in levels]
    distance = torch.stack([x.double().square().mean((1, 2, 3)).sqrt().mean() for x in apart])
    where = f"of {d.num_steps} on {n} images of {shape}"
    if not distance[-1] > 1e-3:
        raise CheckFailed(
            f"D(x, T) is the image itself, to {float(distance[-1]):.1g} on average, at level T "
            f"{where}"
        )
    fall = distance.cummax(0).values - distance
    if not fall.max() <= FALL * distance.max():
        k = int(fall.argmax())
        raise CheckFailed(
            f"the mean distance from the image falls from {float(distance[:k].max()):.3g} to "
            f"{float(distance[k]):.3g} at level {int(levels[k])} {where}"
        )


@on_scenes("degradation")
def difference_is_the_difference(scene: Scene) -> None:
    """`difference(x0, t, s)` is D(x0, s) - D(x0, t), and zero for s = t.

    Mind the sign: t is left, s is reached; or do not override it.
    """
    d, x0, t, s, context = scene.d, scene.x0, scene.t, scene.s, scene.context
    scene.expect_close(
        d.difference(x0, t, s, context),
        d(x0, s, context) - d(x0, t, context),
        f"difference(x0, t, s) is not D(x0, s) - D(x0, t) for s = {s.tolist()}",
    )
    none = d.difference(x0, t, t, context)
    scene.expect_close(none, torch.zeros_like(x0), "difference(x0, t, t) is not zero")


def _levels(num_steps: int, most: int) -> Tensor:
    """0…T, or as many of them as are wanted at most."""
    n = min(num_steps + 1, most)
    return torch.linspace(0, num_steps, n, dtype=torch.float64).round().long()
