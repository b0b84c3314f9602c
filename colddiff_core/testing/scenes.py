"""A component and what it is called with, so that one law can hold for components of any kind."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import torch
from torch import Tensor

from colddiff_core.contracts.component import name_of
from colddiff_core.contracts.degradation import Context, Degradation, ImageShape
from colddiff_core.contracts.errors import ContextError, ParameterError, UsageError
from colddiff_core.registry.components import registry
from colddiff_core.testing.check import Check, blaming, check
from colddiff_core.testing.inputs import CLOSE, distances, images, levels, seeded, take
from colddiff_core.testing.subject import SMALL, Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import global_seed

BATCHES = (5, 3, 1, 12)
"""Batch sizes of the scenes; their seeds are 0, 1, 2 and 3."""

NUDGE = 0.02
"""Standard deviation of what is added to a network's new weights, which are often zero."""


@dataclass(frozen=True)
class Scene:
    """A component and what it is called with.

    Attributes:
        subject: where the component comes from.
        part: the component.
        arguments: tensors (B, …) by the names of the contract, the images in front.
        context: of the degradation.
        degradation: what a sampler is called with.
        seed: what everything was drawn from.
    """

    subject: Subject
    part: Any
    arguments: Mapping[str, Tensor]
    context: Context = field(default_factory=dict)
    degradation: Any = None
    seed: int = 0

    @property
    def d(self) -> Degradation:
        """The component, where it is a degradation."""
        return self.part  # type: ignore[no-any-return]

    @property
    def x0(self) -> Tensor:
        """(B, C, H, W) float32 images in about [-1, 1], whatever the contract calls them."""
        return next(iter(self.arguments.values()))

    @property
    def t(self) -> Tensor:
        """(B,) levels."""
        return self.arguments["t"]

    @property
    def s(self) -> Tensor:
        """(B,) other levels."""
        return self.arguments["s"]

    @property
    def shape(self) -> ImageShape:
        """(C, H, W) of the images."""
        _, channels, height, width = self.x0.shape
        return channels, height, width

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that the component is given, as messages call it."""
        return {**self.arguments, **named(self.context)}

    def on(self, images: Tensor) -> "Scene":
        """The same with other images."""
        first = next(iter(self.arguments))
        return replace(self, arguments={**self.arguments, first: images})

    def by(self, part: Any) -> "Scene":
        """The same with another component."""
        return replace(self, part=part)

    def take(self, index: slice) -> "Scene":
        """The same with some of the images."""
        arguments, context = take(self.arguments, index), take(self.context, index)
        return replace(self, arguments=arguments, context=context)

    def calls(self) -> dict[str, Callable[[], Any]]:
        """What is called to get images from it."""
        calls = CALLS[self.subject.kind]
        return {what: functools.partial(call, self) for what, call in calls.items()}

    @torch.no_grad()
    def results(self) -> dict[str, Any]:
        """What these calls return."""
        return {what: call() for what, call in self.calls().items()}

    def draw(self, images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """All that the component draws for some images."""
        if self.subject.kind == "prior":
            x_t, context = self.part.sample(len(images), generator)
            return {"x_T": x_t, **named(context)}
        return named(self.d.sample_context(images, generator))

    def __str__(self) -> str:
        parts = [f"{len(self.x0)} images of {self.shape}"]
        if "t" in self.arguments:
            parts.append(f"at levels {self.t.tolist()}")
        if self.subject.kind == "degradation":
            parts.append(f"of {self.d.num_steps}")
        if self.degradation is not None:
            parts.append(f"to {self.s.tolist()} with {name_of(self.degradation)}")
        return " ".join(parts) + f", seed {self.seed}"

    def fail(self, what: str, advice: str) -> NoReturn:
        """Report a broken law."""
        raise CheckFailed(f"{what} ({self}). {advice}", self.seed)

    def expect_close(
        self, found: Tensor, expected: Tensor, what: str, advice: str, tolerance: float = 0
    ) -> None:
        """Compare (B, C, H, W) images with those that the law demands.

        Args:
            found: what the component gave.
            expected: what it should have given.
            what: begins the message, followed by the image and the difference.
            advice: ends it.
            tolerance: the largest difference accepted, relative where values are over 1; if 0,
                what rounding makes of it, which is more in a network.
        """
        if found.shape != expected.shape:
            self.fail(f"{what}: shape {tuple(found.shape)}, not {tuple(expected.shape)}", advice)
        off = distances(found, expected)
        most = tolerance or (1e-3 if self.subject.kind == "restorer" else CLOSE)
        wrong = (~(off <= most)).nonzero().flatten().tolist()
        if wrong:
            k = wrong[0]
            self.fail(
                f"{what}: image {k} (level {int(self.t[k])}) is off by {float(off[k]):.2g}", advice
            )


CALLS: Mapping[str, Mapping[str, Callable[[Scene], Any]]] = {
    "degradation": {
        "D(x0, t)": lambda scene: scene.d(scene.x0, scene.t, scene.context),
        "difference(x0, t, s)": lambda scene: scene.d.difference(
            scene.x0, scene.t, scene.s, scene.context
        ),
    },
    "restorer": {"R(x_t, t)": lambda scene: scene.part(scene.x0, scene.t)},
    "sampler": {
        "step(x_t, x0_hat, t, s)": lambda scene: scene.part.step(
            *scene.arguments.values(), scene.degradation, scene.context
        )
    },
    "prior": {"sample(n)": lambda scene: scene.part.sample(len(scene.x0), seeded(0))[0]},
}
"""By kind: how images are got from a component, as messages write it."""

OTHER_CALLS: Mapping[str, Mapping[str, Callable[[Scene], Any]]] = {
    "degradation": {
        "sample_context": lambda scene: scene.d.sample_context(scene.x0, seeded(0)),
        "estimate_context": lambda scene: estimate(scene, scene.x0),
    }
}
"""What else of it is called."""


def estimate(scene: Scene, x_t: Tensor) -> Context | None:
    """The context that D tells from degraded images alone; None if it cannot."""
    with suppress(ContextError):
        return scene.d.estimate_context(x_t, scene.t)
    return None


def named(context: Context) -> dict[str, Tensor]:
    """The tensors of a context, as messages call them."""
    return {f"context[{name!r}]": value for name, value in context.items()}


def make(
    subject: Subject, shape: ImageShape | None = None, *, seed: int = 0, nudge: bool = False
) -> Any:
    """Build a component under a global seed; a prior is fitted to two dozen images.

    Args:
        subject: the component.
        shape: (C, H, W) of the images it is for; the first usable when None.
        seed: for torch, NumPy and Python.
        nudge: add a little to the weights of a network, so that they let everything through.
    """
    with global_seed(seed):
        part = subject.build(shape)
        draws = seeded(1)
        if subject.kind == "prior":
            part.fit(images(8, part.image_shape, draws) for _ in range(3))
    if nudge and subject.kind == "restorer":
        with torch.no_grad():
            for parameter in part.parameters():
                parameter.add_(NUDGE * torch.randn(parameter.shape, generator=draws))
    return part.eval() if isinstance(part, torch.nn.Module) else part


def with_steps(subject: Subject, shape: ImageShape, num_steps: int) -> Degradation | None:
    """The degradation with another T; None where T is no parameter, or there is a limit to it."""
    if "num_steps" not in getattr(subject.build(shape).config, "params", {}):
        return None
    with suppress(ParameterError):
        return subject.build(shape, num_steps=num_steps)  # type: ignore[no-any-return]
    return None


def scenes(subject: Subject) -> Iterator[Scene]:
    """The scenes that a component is tried in."""
    if subject.kind == "sampler":
        yield from _steps(subject)
        return
    subject.shapes  # noqa: B018 - no seed is to blame if it cannot be built
    for seed in range({"degradation": 4, "restorer": len(subject.shapes)}.get(subject.kind, 1)):
        with blaming(seed):
            scene = first_scene(subject, seed)
        yield scene


def first_scene(
    subject: Subject, seed: int = 0, shape: ImageShape | None = None, part: Any = None
) -> Scene:
    """Draw the scene of `seed`.

    Args:
        subject: no sampler.
        seed: of the images and levels.
        shape: (C, H, W); one of those that it takes when None.
        part: the component; a new one when None.
    """
    shape = shape or subject.shapes[seed % len(subject.shapes)]
    part = part or make(subject, shape, nudge=True)
    draws, n = seeded(seed), BATCHES[seed]
    x = images(n, shape, draws)
    if subject.kind == "degradation":
        t, s = (levels(n, part.num_steps, draws) for _ in range(2))
        context = part.sample_context(x, draws)
        return Scene(subject, part, {"x0": x, "t": t, "s": s}, context, seed=seed)
    t = levels(n, 20, draws).clamp(min=1)
    return Scene(subject, part, {"x_t": x, "t": t}, seed=seed)


def _steps(subject: Subject) -> Iterator[Scene]:
    """A sampler with each built-in degradation that it does not refuse; else with any other.

    Raises:
        CheckFailed: it refuses every degradation.
    """
    sampler, found = make(subject), False
    items = registry().components("degradation")
    for item in sorted(items, key=lambda item: not item.builtin):
        if found and not item.builtin:
            break
        try:
            d: Degradation = item.build()
            d.check(SMALL[0])
        except ParameterError:
            continue  # not for such images
        draws, n = seeded(0), 4
        x0 = images(n, SMALL[0], draws)
        t = levels(n, d.num_steps, draws).clamp(min=1)
        s = (torch.rand(n, generator=draws) * t).long()
        context = d.sample_context(x0, draws)
        step = {"x_t": d(x0, t, context), "x0_hat": 0.8 * x0 + 0.1, "t": t, "s": s}
        scene = Scene(subject, sampler, step, context, d)
        try:
            scene.results()
        except UsageError:
            continue
        found = True
        yield scene
    if not found:
        raise CheckFailed("step refuses every degradation by UsageError")


def on_scenes(*kinds: str, essential: bool = False) -> Callable[[Callable[[Scene], None]], Check]:
    """Make a check of a law on one scene: it holds where it holds on each."""

    def of(law: Callable[[Scene], None]) -> Check:
        @functools.wraps(law)
        def on_each(subject: Subject) -> None:
            for scene in scenes(subject):
                with blaming(scene.seed):
                    law(scene)

        return check(*kinds, essential=essential)(on_each)

    return of
