"""Laws of degradations: how D computes, so that it moves, differentiates and stays cheap."""

import copy

import torch

from colddiff_core.contracts.degradation import Degradation
from colddiff_core.testing.check import check
from colddiff_core.testing.inputs import seeded
from colddiff_core.testing.scenes import Scene, first_scene, on_scenes, with_steps
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import Operations

BUFFER = "self.register_buffer(name, table, persistent=False)"

PRECISIONS = {torch.float64: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Root mean square of the difference from float32 that is accepted, for images in [-1, 1]."""

GROWTH = 1.25
"""By how much the number of operations may differ between levels, and for twice the steps."""


@on_scenes("degradation")
def survives_half_and_back(scene: Scene) -> None:
    """Moving D to another type and back changes nothing."""
    expected = scene.d(scene.x0, scene.t, scene.context)
    for name, there in {
        ".half().float()": copy.deepcopy(scene.d).half().float(),
        ".double().float()": copy.deepcopy(scene.d).double().float(),
        ".bfloat16()": copy.deepcopy(scene.d).bfloat16(),
    }.items():
        scene.expect_close(
            there(scene.x0, scene.t, scene.context),
            expected,
            f"after {name} it degrades otherwise",
            "Half precision is for networks: leave it to Degradation to move the tables.",
            tolerance=1e-6,
        )


@check("degradation", seed=0)
def nothing_to_learn(subject: Subject) -> None:
    """D has no parameters: a model folder would not keep them."""
    for name, _ in subject.build().named_parameters():
        raise CheckFailed(
            f"{name!r} is a parameter to be learnt: a degradation is fixed by what a recipe says, "
            f"and its weights would not be saved. Use {BUFFER} for a table"
        )


@on_scenes("degradation")
def gradients_flow(scene: Scene) -> None:
    """D is differentiable in x0: finite gradients, the identity at level 0, not all zero at 1."""
    advice = (
        "Stay within torch: no .detach(), .numpy(), rounding or torch.no_grad; and clamp what a "
        "root or a division is taken of."
    )
    x0 = scene.x0.clone().requires_grad_()
    weight = torch.randn(x0.shape, generator=seeded(scene.seed))
    results = {
        "D(x0, t)": scene.d(x0, scene.t, scene.context),
        "difference(x0, t, s)": scene.d.difference(x0, scene.t, scene.s, scene.context),
        "D(x0, 0)": scene.d(x0, torch.zeros_like(scene.t), scene.context),
        "D(x0, 1)": scene.d(x0, torch.ones_like(scene.t), scene.context),
    }
    gradients = {}
    for call, result in results.items():
        if not result.requires_grad:
            if call != "D(x0, 0)" and (call.startswith("difference") or scene.d.num_steps == 1):
                continue  # may be constant
            scene.fail(f"{call} carries no gradient to x0", advice)
        (gradients[call],) = torch.autograd.grad(
            result, x0, weight, retain_graph=True, materialize_grads=True
        )
        if not gradients[call].isfinite().all():
            scene.fail(f"the gradient of {call} is not finite", advice)
    scene.expect_close(
        gradients["D(x0, 0)"],
        weight,
        "the gradient of D(x0, 0) is not that of the identity",
        advice,
        tolerance=1e-3,
    )
    if scene.d.num_steps > 1 and not gradients["D(x0, 1)"].any():
        scene.fail("the gradient of D(x0, 1) is zero everywhere", advice)


@on_scenes("degradation")
def other_precisions_agree(scene: Scene) -> None:
    """In float64, float16 and bfloat16 D gives what it gives in float32, to their precision."""
    for dtype, tolerance in PRECISIONS.items():
        x0 = scene.x0.to(dtype)
        expected = scene.d(x0.float(), scene.t, scene.context).double()
        off = scene.d(x0, scene.t, scene.context).double() - expected
        size = expected.square().mean().sqrt().clamp(min=1)
        if not off.square().mean().sqrt() <= tolerance * size:
            scene.fail(
                f"in {dtype} it is off from float32 by {float(off.square().mean().sqrt()):.2g}",
                "Compute in torch.promote_types(x0.dtype, torch.float32) and end with "
                ".to(x0.dtype).",
            )


@check("degradation", seed=0)
def cost_does_not_grow(subject: Subject) -> None:
    """D costs the same at every level and for any number of them: it does not loop over levels."""
    scene = first_scene(subject)
    base = _cost(scene, scene.d, 1)
    last = _cost(scene, scene.d, scene.d.num_steps)
    if len(last.names) > GROWTH * len(base.names):
        scene.fail(
            f"level 1 takes {len(base.names)} operations and level {scene.d.num_steps} takes "
            f"{len(last.names)}",
            "Do not loop over levels: compute a table over all of them when D is built, and look "
            "up table[t].",
        )
    twice = with_steps(subject, scene.shape, 2 * scene.d.num_steps)
    if twice is None:
        return
    more = _cost(scene, twice, 1)
    if len(more.names) > GROWTH * len(base.names) or more.numbers > 1.7 * base.numbers:
        scene.fail(
            f"with twice the levels, {2 * scene.d.num_steps}, it takes {len(more.names)} "
            f"operations on {more.numbers:,} numbers; before, {len(base.names)} on "
            f"{base.numbers:,}",
            "Do not degrade to every level and choose one: compute a table over the levels when D "
            "is built, and look up table[t].",
        )


def _cost(scene: Scene, d: Degradation, level: int) -> Operations:
    t = torch.full_like(scene.t, level)
    seen = Operations()
    with torch.no_grad():
        d(scene.x0, t, scene.context)  # makes the tables
        with seen:
            d(scene.x0, t, scene.context)
    return seen
