"""Laws of degradations: what D makes of images."""

import torch

from colddiff_core.testing.check import check
from colddiff_core.testing.inputs import Scene, images, on_scenes, seeded, take
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

WHERE = "torch.where(t[:, None, None, None] == 0, x0, x_t)"

MOST_LEVELS = 64
"""How many levels are looked at where there are too many for all."""

FALL = 0.05
"""By how much the distance from the image may fall, in units of the largest."""


@on_scenes
def level_0_is_the_image(scene: Scene) -> None:
    """D(x0, 0) is x0, bit for bit, in every floating type."""
    for dtype in DTYPES:
        x0 = (scene.x0.double() / 3).to(dtype)  # all bits of the mantissa in use
        x_t = scene.d(x0, torch.zeros_like(scene.t), scene.context)
        if x_t.shape != x0.shape or not torch.equal(x_t.to(dtype), x0):
            off = (x_t.double() - x0.double()).abs().max() if x_t.shape == x0.shape else torch.inf
            scene.fail(
                f"D(x0, 0) is not x0 in {dtype}: it is off by {float(off):.2g}",
                f"Level 0 is the clean image, exactly: return {WHERE}.",
            )


@on_scenes
def result_like_the_input(scene: Scene) -> None:
    """x_t has the shape, the type and the device of x0."""
    for dtype in DTYPES:
        x0 = scene.x0.to(dtype)
        for call, x_t in {
            "D(x0, t)": scene.d(x0, scene.t, scene.context),
            "difference(x0, t, s)": scene.d.difference(x0, scene.t, scene.s, scene.context),
        }.items():
            if not isinstance(x_t, torch.Tensor):
                scene.fail(f"{call} is a {type(x_t).__name__}", "Return one tensor.")
            if x_t.shape != x0.shape:
                scene.fail(
                    f"{call} has shape {tuple(x_t.shape)} for images of {tuple(x0.shape)}",
                    "Return (B, C, H, W); height comes before width.",
                )
            if (x_t.dtype, x_t.device) != (x0.dtype, x0.device):
                scene.fail(
                    f"{call} is {x_t.dtype} on {x_t.device} for images of {x0.dtype} on "
                    f"{x0.device}",
                    "Compute in float32 or the type of x0, whichever is wider, and end with "
                    ".to(x0.dtype).",
                )


@on_scenes
def keeps_its_input(scene: Scene) -> None:
    """Neither the images, the levels nor the context are changed in place."""
    tensors = {"x0": scene.x0, "t": scene.t, "s": scene.s}
    tensors |= {f"context[{name!r}]": value for name, value in scene.context.items()}
    before = {name: (value._version, value.clone()) for name, value in tensors.items()}
    names = set(scene.context)
    scene.d(scene.x0, scene.t, scene.context)
    scene.d.difference(scene.x0, scene.t, scene.s, scene.context)
    scene.d.sample_context(scene.x0, seeded(0))
    for name, value in tensors.items():
        version, copy = before[name]
        if value._version != version or not torch.equal(value, copy):
            scene.fail(
                f"{name} is changed in place",
                "The caller needs it again: use the method without the underscore at its end, "
                "x0 * a for x0 *= a, or work on x0.clone().",
            )
    if set(scene.context) != names:
        scene.fail("entries of the context are added or removed", "Only read the context.")


@on_scenes
def takes_any_memory_layout(scene: Scene) -> None:
    """D gives the same for images whose channels lie last in memory, as fast networks have them."""
    expected = scene.d(scene.x0, scene.t, scene.context)
    x0 = scene.x0.contiguous(memory_format=torch.channels_last)
    scene.expect_close(
        scene.d(x0, scene.t, scene.context),
        expected,
        "images in channels_last layout are degraded otherwise",
        "Use .reshape or .flatten where you use .view.",
    )


@on_scenes
def batch_independent(scene: Scene) -> None:
    """An image is degraded alone as it is in a batch."""
    advice = (
        "Images do not see each other: take means and extremes over the axes (1, 2, 3), never over "
        "axis 0, and use each image's own level and context."
    )
    together = scene.d(scene.x0, scene.t, scene.context)
    update = scene.d.difference(scene.x0, scene.t, scene.s, scene.context)
    alone = [
        (
            scene.d(scene.x0[k], scene.t[k], take(scene.context, k)),
            scene.d.difference(scene.x0[k], scene.t[k], scene.s[k], take(scene.context, k)),
        )
        for k in (slice(i, i + 1) for i in range(len(scene.x0)))
    ]
    what = "D(x0, t) of an image depends on the others in the batch"
    scene.expect_close(together, torch.cat([x_t for x_t, _ in alone]), what, advice)
    what = "difference(x0, t, s) of an image depends on the others in the batch"
    scene.expect_close(update, torch.cat([one for _, one in alone]), what, advice)


@on_scenes
def levels_independent(scene: Scene) -> None:
    """Each image has its own level: mixed levels give what separate calls give."""
    together = scene.d(scene.x0, scene.t, scene.context)
    expected = torch.stack(
        [
            scene.d(scene.x0, level.expand(len(scene.t)), scene.context)[k]
            for k, level in enumerate(scene.t)
        ]
    )
    scene.expect_close(
        together,
        expected,
        "in a batch of mixed levels an image is not degraded to its own",
        "t is a tensor (B,), one level an image: look tables up with table[t], and spread the "
        "result over the image with [:, None, None, None]; int(t) and t[0] take one for all.",
    )


@check
def finite(subject: Subject) -> None:
    """D is finite at every level, for constant images and a little outside of [-1, 1] as well."""
    for shape in subject.shapes:
        draws, d = seeded(0), subject.build(shape)
        for name, x in {
            "black": torch.full((1, *shape), -1.0),
            "white": torch.ones(1, *shape),
            "grey": torch.zeros(1, *shape),
            "noise": images(1, shape, draws),
            "noise from -2 to 2, as an estimate of a restorer may be": 2 * images(1, shape, draws),
        }.items():
            for t in torch.split(_all_levels(d.num_steps), 250):
                x0 = x.expand(len(t), *shape)
                context = d.sample_context(x0, draws)
                for level, one in zip(t.tolist(), d(x0, t, context), strict=True):
                    if not one.isfinite().all():
                        raise CheckFailed(
                            f"D is not finite at level {level} of {d.num_steps} for {name} "
                            f"{shape}. Look for a division by a weight that ends at 0, a root or "
                            f"power of a negative number, or a table that is one row short.",
                            seed=0,
                        )


@check
def severity_grows(subject: Subject) -> None:
    """D goes away from the image as the level rises, hardly ever back, and ends elsewhere."""
    shape, draws, n = subject.shapes[0], seeded(0), 8
    d = subject.build(shape)
    x0 = images(n, shape, draws)
    context = d.sample_context(x0, draws)
    levels = _all_levels(d.num_steps)
    if len(levels) > MOST_LEVELS:
        levels = torch.linspace(0, d.num_steps, MOST_LEVELS).round().long()
    distance = torch.stack(
        [
            (d(x0, t.expand(n), context) - x0).double().square().mean((1, 2, 3)).sqrt().mean()
            for t in levels
        ]
    )
    largest = float(distance.max())
    if not distance[-1] > 1e-3:
        raise CheckFailed(
            f"D(x, T) is the image itself, to {float(distance[-1]):.1g} on average, at T = "
            f"{d.num_steps} on {n} images of {shape}: level T is the full degradation",
            seed=0,
        )
    fall = distance.cummax(0).values - distance
    if not fall.max() <= FALL * largest:
        k = int(fall.argmax())
        raise CheckFailed(
            f"the mean distance from the image falls from {float(distance[:k].max()):.3g} to "
            f"{float(distance[k]):.3g} at level {int(levels[k])} of {d.num_steps} on {n} images "
            f"of {shape}: a higher level is a stronger degradation; level 0 is the clean image, T "
            f"the most degraded",
            seed=0,
        )


@on_scenes
def difference_is_the_difference(scene: Scene) -> None:
    """`difference(x0, t, s)` is D(x0, s) - D(x0, t), and zero for s = t."""
    d, x0, t, s, context = scene.d, scene.x0, scene.t, scene.s, scene.context
    scene.expect_close(
        d.difference(x0, t, s, context),
        d(x0, s, context) - d(x0, t, context),
        f"difference(x0, t, s) is not D(x0, s) - D(x0, t) for s = {s.tolist()}",
        "Mind the sign: t is left, s is reached; or do not override it.",
    )
    scene.expect_close(
        d.difference(x0, t, t, context),
        torch.zeros_like(x0),
        "difference(x0, t, t) is not zero",
        "It is D(x0, s) - D(x0, t); or do not override it.",
    )


def _all_levels(num_steps: int) -> torch.Tensor:
    """0…T, or a thousand of them where there are more."""
    if num_steps < 1000:
        return torch.arange(num_steps + 1)
    return torch.linspace(0, num_steps, 1001, dtype=torch.float64).round().long()
