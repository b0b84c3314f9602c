"""Laws of degradations: what is random about D is its context, drawn from the generator given."""

from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from colddiff_core.contracts.degradation import Context, Degradation, TensorSpec
from colddiff_core.contracts.errors import ContextError
from colddiff_core.testing.check import check, one_line
from colddiff_core.testing.inputs import Scene, on_scenes, seeded
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import drawn_from, global_seed

EACH = (
    "Draw image by image, all that an image needs before the next: "
    "torch.stack([torch.rand(shape, generator=generator) for _ in x0])."
)


@on_scenes
def deterministic_given_context(scene: Scene) -> None:
    """The same image, level and context give the same, bit for bit, whatever was called before."""
    advice = (
        "D is a function of its arguments: keep nothing in self between calls, draw what is random "
        "in sample_context, and compute tables from the parameters alone."
    )
    d, x0, t, context = scene.d, scene.x0, scene.t, scene.context
    other: Degradation = scene.subject.build(scene.shape)
    first = d(x0, t, context)
    d.sample_context(-x0, seeded(1))
    d(-x0, scene.s, context)
    if not torch.equal(d(x0, t, context), first):
        scene.fail("the same image, level and context give something else later", advice)
    try:
        same = torch.equal(other(x0, t, context), first)
    except Exception as error:
        scene.fail(
            f"another one, built alike and given the same context, fails: {one_line(error)}", advice
        )
    if not same:
        scene.fail("another one, built alike and given the same context, does otherwise", advice)


@on_scenes
def no_global_randomness(scene: Scene) -> None:
    """Nothing is drawn from the global generators of torch, NumPy or Python."""
    d, x0, t, s, context = scene.d, scene.x0, scene.t, scene.s, scene.context
    calls: dict[str, Callable[[], object]] = {
        "forward": lambda: d(x0, t, context),
        "difference": lambda: d.difference(x0, t, s, context),
        "sample_context": lambda: d.sample_context(x0, seeded(0)),
    }
    for name, call in calls.items():
        with drawn_from() as drawn:
            call()
        if drawn:
            scene.fail(
                f"{name} draws from {drawn[0]}",
                "Draw in sample_context, from the generator it is given: torch.rand(…, "
                "generator=generator).",
            )


@check
def rebuilds_the_same(subject: Subject) -> None:
    """Two built with the same parameters are the same, whatever the global seed."""
    results = []
    for seed in (1, 2):
        with global_seed(seed):
            scene = Scene.of(subject, 0)
            results.append(scene.d(scene.x0, scene.t, scene.context))
    if not torch.equal(*results):
        raise CheckFailed(
            "built again with the same parameters under another global seed, it degrades "
            "otherwise: a model folder stores the parameters alone, so compute every table from "
            "them; what is random goes into the context",
            seed=0,
        )


@on_scenes
def context_matches_its_spec(scene: Scene) -> None:
    """`sample_context` returns what `context_spec` says: names, types and shapes, batch first."""
    for x0 in (scene.x0, scene.x0[:1], scene.x0.half()):
        _expect_the_spec(scene, scene.d.sample_context(x0, seeded(0)), x0)


@on_scenes
def estimated_context_matches_its_spec(scene: Scene) -> None:
    """`estimate_context` takes the tensors of a context as hints, and returns a whole context."""
    d, x0, t, context = scene.d, scene.x0, scene.t, scene.context
    x_t = d(x0, t, context)
    whole = d.estimate_context(x_t, t, context)
    _expect_the_spec(scene, whole, x_t)
    for name, value in context.items():
        if not torch.equal(whole[name], value):
            scene.fail(
                f"estimate_context is given {name!r} and returns another",
                "What the user knows goes before what can be estimated.",
            )
    with suppress(ContextError):  # which is how it says that it cannot
        _expect_the_spec(scene, d.estimate_context(x_t, t), x_t)


@on_scenes
def context_from_the_generator(scene: Scene) -> None:
    """A seed gives the same context wherever a batch is split: image by image, from `generator`."""
    d, x0 = scene.d, scene.x0
    whole = d.sample_context(x0, seeded(7))
    again = d.sample_context(x0, seeded(7))
    for name, value in whole.items():
        if not torch.equal(again[name], value):
            scene.fail(
                f"context[{name!r}] differs for equal seeds",
                "Take every random number from the generator given.",
            )
    for size in (1, 2):
        parts = seeded(7)
        drawn = [d.sample_context(one, parts) for one in torch.split(x0, size)]
        for name, value in whole.items():
            if not torch.equal(torch.cat([part[name] for part in drawn]), value):
                scene.fail(
                    f"context[{name!r}] of {len(x0)} images is another one when they are drawn in "
                    f"batches of {size}",
                    EACH,
                )


def _expect_the_spec(scene: Scene, context: Context, images: Tensor) -> None:
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
