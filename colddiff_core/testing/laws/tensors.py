"""Laws of degradations: how D computes, so that it moves, differentiates and stays cheap."""

import copy

import torch

from colddiff_core.testing.check import check
from colddiff_core.testing.scenes import Scene, first_scene, on_scenes, seeded, with_steps
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import Operations

PRECISIONS = {torch.float64: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Root mean square of the difference from float32 that is accepted, for images in [-1, 1]."""

GROWTH = 1.25
"""By how much the number of operations may differ between levels, and for twice the steps."""


@on_scenes("degradation")
def survives_half_and_back(scene: Scene) -> None:
    """Moving D to another type and back changes nothing.

    Half precision is for networks: leave it to Degradation to move the tables.
    """
    expected = scene.degraded()
    for name, there in {
        ".half().float()": copy.deepcopy(scene.d).half().float(),
        ".double().float()": copy.deepcopy(scene.d).double().float(),
        ".bfloat16()": copy.deepcopy(scene.d).bfloat16(),
    }.items():
        found = scene.by(there).degraded()
        scene.expect_close(found, expected, f"after {name} it degrades otherwise", 1e-6)


@check("degradation", seed=0)
def nothing_to_learn(subject: Subject) -> None:
    """D has no parameters: a model folder would not keep them.

    A degradation is fixed by what a recipe says. Use self.register_buffer(name, table,
    persistent=False) for a table.
    """
    for name, _ in subject.build().named_parameters():
        raise CheckFailed(f"{name!r} is a parameter to be learnt")


@on_scenes("degradation")
def gradients_flow(scene: Scene) -> None:
    """D is differentiable in x0: finite gradients, the identity at level 0, not all zero at 1.

    Stay within torch: no .detach(), .numpy(), rounding or torch.no_grad; and clamp what a root or
    a division is taken of.
    """
    x0 = scene.x0.clone().requires_grad_()
    weight = torch.randn(x0.shape, generator=seeded(scene.seed))
    one = scene.on(x0)
    results = {what: call() for what, call in one.calls().items()}
    results |= {"D(x0, 0)": one.degraded(0), "D(x0, 1)": one.degraded(1)}
    gradients = {}
    for call, result in results.items():
        if not result.requires_grad:
            if call != "D(x0, 0)" and (call.startswith("difference") or scene.d.num_steps == 1):
                continue  # may be constant
            scene.fail(f"{call} carries no gradient to x0")
        (gradients[call],) = torch.autograd.grad(
            result, x0, weight, retain_graph=True, materialize_grads=True
        )
        if not gradients[call].isfinite().all():
            scene.fail(f"the gradient of {call} is not finite")
    what = "the gradient of D(x0, 0) is not that of the identity"
    scene.expect_close(gradients["D(x0, 0)"], weight, what, 1e-3)
    if scene.d.num_steps > 1 and not gradients["D(x0, 1)"].any():
        scene.fail("the gradient of D(x0, 1) is zero everywhere")


@on_scenes("degradation")
def other_precisions_agree(scene: Scene) -> None:
    """In float64, float16 and bfloat16 D gives what it gives in float32, to their precision.

    Compute in torch.promote_types(x0.dtype, torch.float32) and end with .to(x0.dtype).
    """
    for dtype, tolerance in PRECISIONS.items():
        x0 = scene.x0.to(dtype)
        expected = scene.on(x0.float()).degraded().double()
        off = (scene.on(x0).degraded().double() - expected).square().mean().sqrt()
        if not off <= tolerance * expected.square().mean().sqrt().clamp(min=1):
            scene.fail(f"in {dtype} it is off from float32 by {float(off):.2g}")


@check("degradation", seed=0)
def cost_does_not_grow(subject: Subject) -> None:
    """D costs the same at every level and for any number of them: it does not loop over levels.

    Do not loop over levels, nor degrade to every level and choose one: compute a table over all of
    them when D is built, and look up table[t].
    """
    scene = first_scene(subject)
    levels = scene.d.num_steps
    base, last = _cost(scene, 1), _cost(scene, levels)
    if len(last.names) > GROWTH * len(base.names):
        scene.fail(
            f"level 1 takes {len(base.names)} operations and level {levels} takes {len(last.names)}"
        )
    twice = with_steps(subject, scene.shape, 2 * levels)
    more = _cost(scene.by(twice), 1) if twice else base
    if len(more.names) > GROWTH * len(base.names) or more.numbers > 1.7 * base.numbers:
        scene.fail(
            f"with twice the levels, {2 * levels}, it takes {len(more.names)} operations on "
            f"{more.numbers:,} numbers; before, {len(base.names)} on {base.numbers:,}"
        )


def _cost(scene: Scene, level: int) -> Operations:
    seen = Operations()
    with torch.no_grad():
        scene.degraded(level)  # makes the tables
        with seen:
            scene.degraded(level)
    return seen
