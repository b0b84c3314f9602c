"""Laws of degradations: what is random about D is its context, as its spec says."""

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import Context, TensorSpec
from colddiff_core.testing.inputs import seeded
from colddiff_core.testing.scenes import Scene, estimate, on_scenes


@on_scenes("degradation")
def context_matches_its_spec(scene: Scene) -> None:
    """`sample_context` returns what `context_spec` says: names, types and shapes, batch first."""
    for x0 in (scene.x0, scene.x0[:1], scene.x0.half()):
        expect_the_spec(scene, scene.d.sample_context(x0, seeded(0)), x0)


@on_scenes("degradation")
def estimated_context_matches_its_spec(scene: Scene) -> None:
    """`estimate_context` takes the tensors of a context as hints, and returns a whole context."""
    d, x0, t, context = scene.d, scene.x0, scene.t, scene.context
    x_t = d(x0, t, context)
    whole = d.estimate_context(x_t, t, context)
    expect_the_spec(scene, whole, x_t)
    for name, value in context.items():
        if not torch.equal(whole[name], value):
            scene.fail(
                f"estimate_context is given {name!r} and returns another",
                "What the user knows goes before what can be estimated.",
            )
    found = estimate(scene, x_t)
    if found is not None:
        expect_the_spec(scene, found, x_t)


def expect_the_spec(scene: Scene, context: Context, images: Tensor) -> None:
    """Compare a context for some images with `context_spec`."""
    _, *shape = images.shape
    spec = scene.d.context_spec((shape[0], shape[1], shape[2]))
    if set(context) != set(spec):
        scene.fail(
            f"the context holds {sorted(context)}, the spec {sorted(spec)}",
            "An exporter makes one input for each entry of context_spec.",
        )
    for name, value in context.items():
        if not isinstance(spec[name], TensorSpec):
            scene.fail(f"context_spec[{name!r}] is {spec[name]!r:.40}", "Use TensorSpec.")
        expected = (spec[name].dtype, (len(images), *spec[name].shape), images.device)
        found = (value.dtype, tuple(value.shape), value.device)
        if found != expected:
            scene.fail(
                f"context[{name!r}] is {found[0]} {found[1]} on {found[2]} for "
                f"{len(images)} images of {images.dtype}, not {expected[0]} {expected[1]} on "
                f"{expected[2]}",
                "The spec has the shape without the batch axis; the type does not depend on "
                "that of the images.",
            )
        if value.is_floating_point() and not value.isfinite().all():
            scene.fail(f"context[{name!r}] is not finite", "Draw finite numbers.")
