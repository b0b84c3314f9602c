"""Laws of what is drawn: the context of a degradation, as its spec says; what a prior draws."""

import torch

from colddiff_core.testing.check import check
from colddiff_core.testing.scenes import Scene, estimate, expect_the_spec, make, on_scenes, seeded
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed


@on_scenes("degradation", "prior")
def from_the_generator(scene: Scene) -> None:
    """A seed gives the same wherever a batch is split: image by image, from `generator`.

    Take every random number from the generator given. Draw image by image, all that an image needs
    before the next: torch.stack([torch.rand(shape, generator=generator) for _ in x0]).
    """
    whole = scene.draw(scene.x0, seeded(7))
    again = scene.draw(scene.x0, seeded(7))
    for name, value in whole.items():
        if not torch.equal(again[name], value):
            scene.fail(f"{name} differs for equal seeds")
    for size in (1, 2):
        draws = seeded(7)
        parts = [scene.draw(some, draws) for some in torch.split(scene.x0, size)]
        for name, value in whole.items():
            if not torch.equal(torch.cat([part[name] for part in parts]), value):
                scene.fail(f"{name} is another one when images are drawn in batches of {size}")
    if "x_T" in whole and torch.equal(whole["x_T"], scene.draw(scene.x0, seeded(8))["x_T"]):
        scene.fail("every seed gives the same images")


@check("prior", seed=0)
def gives_what_it_says(subject: Subject) -> None:
    """`sample(n)` gives n images of finite numbers, and the context named in `gives`, batch first.

    Training draws from the prior what `gives` names.
    """
    prior = make(subject)
    for n in (1, 3):
        x_t, context = prior.sample(n, seeded(0))
        if set(context) != set(prior.gives):
            raise CheckFailed(
                f"the context holds {sorted(context)}, and `gives` names {sorted(prior.gives)}"
            )
        for name, value in {"x_T": x_t, **context}.items():
            if not value.ndim or len(value) != n or not value.isfinite().all():
                raise CheckFailed(
                    f"{name} of {n} images has shape {tuple(value.shape)}, or is not finite"
                )


@on_scenes("degradation")
def context_matches_its_spec(scene: Scene) -> None:
    """`sample_context` returns what `context_spec` says: names, types and shapes, batch first.

    An exporter makes one input for each entry of context_spec. The spec has the shape without the
    batch axis; the type does not depend on that of the images.
    """
    for x0 in (scene.x0, scene.x0[:1], scene.x0.half()):
        expect_the_spec(scene, scene.d.sample_context(x0, seeded(0)), x0)


@on_scenes("degradation")
def estimated_context_matches_its_spec(scene: Scene) -> None:
    """`estimate_context` takes the tensors of a context as hints, and returns a whole context.

    What the user knows goes before what can be estimated.
    """
    x_t = scene.d(scene.x0, scene.t, scene.context)
    whole = scene.d.estimate_context(x_t, scene.t, scene.context)
    expect_the_spec(scene, whole, x_t)
    for name, value in scene.context.items():
        if not torch.equal(whole[name], value):
            scene.fail(f"estimate_context is given {name!r} and returns another")
    found = estimate(scene, x_t)
    if found is not None:
        expect_the_spec(scene, found, x_t)
