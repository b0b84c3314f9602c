"""A component and what it is called with, so that one law can hold for components of any kind."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core.contracts.component import name_of
from colddiff_core.contracts.degradation import Context, Degradation, ImageShape, TensorSpec
from colddiff_core.contracts.errors import ContextError, ParameterError, UsageError
from colddiff_core.registry.components import registry
from colddiff_core.testing.check import Check, blaming, check
from colddiff_core.testing.subject import SMALL, Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import global_seed

CLOSE = 1e-4
"""Largest difference of results that should be equal but for rounding, where images are in
[-1, 1]."""

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
    def kind(self) -> str:
        """Of the component."""
        return self.subject.kind

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

    def each(self, change: Callable[[Tensor], Tensor]) -> "Scene":
        """The same with each tensor changed."""
        arguments, context = (
            {name: change(value) for name, value in tensors.items()}
            for tensors in (self.arguments, self.context)
        )
        return replace(self, arguments=arguments, context=context)

    def take(self, index: slice) -> "Scene":
        """The same with some of the images."""
        return self.each(lambda value: value[index])

    def calls(self) -> dict[str, Callable[[], Any]]:
        """What is called to get images from it."""
        return {what: functools.partial(call, self) for what, call in CALLS[self.kind].items()}

    def all_calls(self) -> dict[str, Callable[[], Any]]:
        """These, and what else is called."""
        others = OTHER_CALLS if self.kind == "degradation" else {}
        return self.calls() | {w: functools.partial(call, self) for w, call in others.items()}

    @torch.no_grad()
    def results(self) -> dict[str, Any]:
        """What these calls return."""
        return {what: call() for what, call in self.calls().items()}

    def degraded(self, level: int | None = None) -> Tensor:
        """D of the images at their levels, or all at one."""
        t = self.t if level is None else torch.full_like(self.t, level)
        return self.d(self.x0, t, self.context)  # type: ignore[no-any-return]

    def draw(self, images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """All that the component draws for some images."""
        if self.kind == "prior":
            x_t, context = self.part.sample(len(images), generator)
            return {"x_T": x_t, **named(context)}
        return named(self.d.sample_context(images, generator))

    def __str__(self) -> str:
        parts = [f"{len(self.x0)} images of {self.shape}"]
        if "t" in self.arguments:
            parts.append(f"at levels {self.t.tolist()}")
        if self.kind == "degradation":
            parts.append(f"of {self.d.num_steps}")
        if self.degradation is not None:
            parts.append(f"to {self.s.tolist()} with {name_of(self.degradation)}")
        return " ".join(parts) + f", seed {self.seed}"

    def fail(self, what: str) -> NoReturn:
        """Report a broken law."""
        raise CheckFailed(f"{what} ({self})", self.seed)

    def expect_close(self, found: Tensor, expected: Tensor, what: str, most: float = 0) -> None:
        """Compare (B, C, H, W) images with those that the law demands.

        Args:
            found: what the component gave.
            expected: what it should have given.
            what: begins the message, followed by the image and the difference.
            most: the largest difference accepted, relative where values are over 1; if 0,
                what rounding makes of it, which is more in a network.
        """
        if found.shape != expected.shape:
            self.fail(f"{what}: shape {tuple(found.shape)}, not {tuple(expected.shape)}")
        off = distances(found, expected)
        most = most or (1e-3 if self.kind == "restorer" else CLOSE)
        for k in (~(off <= most)).nonzero().flatten().tolist():
            self.fail(f"{what}: image {k} (level {int(self.t[k])}) is off by {float(off[k]):.2g}")


CALLS: Mapping[str, Mapping[str, Callable[[Scene], Any]]] = {
    "degradation": {
        "D(x0, t)": lambda scene: scene.degraded(),
        "difference(x0, t, s)": lambda s: s.d.difference(s.x0, s.t, s.s, s.context),
    },
    "restorer": {"R(x_t, t)": lambda scene: scene.part(scene.x0, scene.t)},
    "sampler": {
        "step(x_t, x0_hat, t, s)": lambda s: s.part.step(
            *s.arguments.values(), s.degradation, s.context
        )
    },
    "prior": {"sample(n)": lambda scene: scene.part.sample(len(scene.x0), seeded(0))[0]},
}
"""By kind: how images are got from a component, as messages write it."""

OTHER_CALLS: Mapping[str, Callable[[Scene], Any]] = {
    "sample_context": lambda scene: scene.d.sample_context(scene.x0, seeded(0)),
    "estimate_context": lambda scene: estimate(scene, scene.x0),
}
"""What else of a degradation is called."""


def seeded(seed: int) -> torch.Generator:
    """A CPU generator."""
    return torch.Generator().manual_seed(seed)


def images(n: int, shape: ImageShape, draws: torch.Generator) -> Tensor:
    """Noise and smooth images in turn, in [-1, 1], both ends among the values of the noise."""
    channels, height, width = shape
    noise = 0.7 * torch.randn(n, *shape, generator=draws)
    coarse = torch.rand(n, channels, 4, 4, generator=draws) * 2 - 1
    smooth = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
    return torch.where(torch.arange(n)[:, None, None, None] % 2 == 0, noise, smooth).clamp(-1, 1)


def levels(n: int, num_steps: int, draws: torch.Generator) -> Tensor:
    """Levels 0, 1 and T where there is room, and any others, in any order; one alone is above 0."""
    drawn = torch.randint(0, num_steps + 1, (n,), generator=draws)
    if n == 1:
        return drawn.clamp(min=1)
    drawn[: min(n, 3)] = torch.tensor([num_steps, 0, 1])[:n]
    return drawn[torch.randperm(n, generator=draws)]


def distances(found: Tensor, expected: Tensor) -> Tensor:
    """(B,): the largest difference in each image, in units of its largest value if over 1."""
    found, expected = found.detach().double(), expected.detach().double()
    off = (found - expected).abs().flatten(1).amax(1)
    return off / expected.abs().flatten(1).amax(1).clamp(min=1)


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
    return part.eval() if isinstance(part, nn.Module) else part


def with_steps(subject: Subject, shape: ImageShape, num_steps: int) -> Degradation | None:
    """The degradation with another T; None where T is no parameter, or there is a limit to it."""
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


def expect_the_spec(scene: Scene, context: Context, images: Tensor) -> None:
    """Compare a context for some images with `context_spec`."""
    spec = scene.d.context_spec(scene.shape)
    if set(context) != set(spec):
        scene.fail(f"the context holds {sorted(context)}, the spec {sorted(spec)}")
    for name, value in context.items():
        if not isinstance(spec[name], TensorSpec):
            scene.fail(f"context_spec[{name!r}] is {spec[name]!r:.40}, no TensorSpec")
        expected = (spec[name].dtype, (len(images), *spec[name].shape), images.device)
        found = (value.dtype, tuple(value.shape), value.device)
        if found != expected:
            scene.fail(
                f"context[{name!r}] is {found[0]} {found[1]} on {found[2]} for {len(images)} "
                f"images of {images.dtype}, not {expected[0]} {expected[1]} on {expected[2]}"
            )
        if value.is_floating_point() and not value.isfinite().all():
            scene.fail(f"context[{name!r}] is not finite")
