"""Laws of restorers alone: new networks, and what is learnt of them."""

import torch

from colddiff_core.testing.check import check
from colddiff_core.testing.inputs import images, seeded
from colddiff_core.testing.scenes import first_scene, make
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed


@check("restorer", seed=0)
def finite_when_new(subject: Subject) -> None:
    """A new network gives finite images at every level, for flat images as well."""
    for shape in subject.shapes:
        net = make(subject, shape)
        flat = torch.tensor([-1.0, 0.0, 1.0])[:, None, None, None].expand(3, *shape)
        x_t = torch.cat([images(2, shape, seeded(0)), flat])
        for level in (1, 2, 20, 100):
            with torch.no_grad():
                x0_hat = net(x_t, torch.full((len(x_t),), level))
            if not x0_hat.isfinite().all():
                raise CheckFailed(f"R is not finite at level {level} on {shape}")


@check("restorer", seed=0)
def gradients_reach_every_parameter(subject: Subject) -> None:
    """Every weight that is to be learnt has a finite gradient that is not all zero."""
    scene = first_scene(subject)
    net = scene.part.train()
    (net(scene.x0, scene.t) - scene.x0.roll(1, 0)).abs().mean().backward()
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None or not parameter.grad.any():
            raise CheckFailed(
                f"no gradient reaches {name!r}: it takes no part in the result; use it, remove it "
                f"or set requires_grad_(False)"
            )
        if not parameter.grad.isfinite().all():
            raise CheckFailed(f"the gradient of {name!r} is not finite")
