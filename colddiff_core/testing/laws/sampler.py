"""Laws of samplers: a step is pure, and a perfect restorer gets the image back."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from colddiff_core.contracts.degradation import NO_CONTEXT, Context, Degradation
from colddiff_core.contracts.errors import ParameterError, UsageError
from colddiff_core.contracts.sampler import Sampler
from colddiff_core.contracts.timesteps import evenly, full
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import registry
from colddiff_core.testing import uses
from colddiff_core.testing.check import check
from colddiff_core.testing.inputs import CLOSE, distances, images, levels, seeded, take
from colddiff_core.testing.subject import SMALL, Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import drawn_from

FEW = 20
"""Levels up to which all are gone through."""


class _Known(nn.Module):
    """The perfect restorer: R(x_t, t) = x0, whatever it sees."""

    def __init__(self, x0: Tensor) -> None:
        super().__init__()
        self.x0 = x0

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:  # noqa: ARG002
        """The clean images."""
        return self.x0


@dataclass(frozen=True)
class Move:
    """What a step is called with.

    Attributes:
        name: of the degradation.
        sampler: takes the step.
        arguments: x_t, x0_hat, t, s, degradation, context, as `Sampler.step` has them.
    """

    name: str
    sampler: Sampler
    arguments: tuple[Tensor, Tensor, Tensor, Tensor, Degradation, Context]

    def __call__(self, sampler: Sampler | None = None) -> Tensor:
        """Take the step, with another sampler if one is given."""
        return (sampler or self.sampler).step(*self.arguments)

    def __str__(self) -> str:
        x_t, _, t, s, _, _ = self.arguments
        return (
            f"on {len(x_t)} images of {tuple(x_t.shape[1:])} with {self.name}, levels "
            f"{t.tolist()} to {s.tolist()}"
        )


@check
def perfect_restorer_returns_the_image(subject: Subject) -> None:
    """With x0_hat = x0 every schedule ends in x0, for each degradation that it does not refuse."""
    for name, process, x0, schedule, context in _runs(subject):
        x_t = process.degrade(x0, schedule[0], context)
        off = float(distances(process.restore(x_t, schedule, context), x0).max())
        if not off <= CLOSE:
            raise CheckFailed(
                f"a perfect restorer does not get the image back: it is off by {off:.2g} with "
                f"{name} over the levels {_shown(schedule)}. The step to level 0 returns x0_hat "
                f"where that is the image",
                seed=0,
            )


@check
def perfect_restorer_keeps_to_the_path(subject: Subject) -> None:
    """With x0_hat = x0 a step from D(x0, t) leads to D(x0, s): it reaches the level asked for."""
    for name, process, x0, schedule, context in _runs(subject):
        for step in process.steps(process.degrade(x0, schedule[0], context), schedule, context):
            off = float(distances(step.x_s, process.degrade(x0, step.s, context)).max())
            if not off <= CLOSE:
                raise CheckFailed(
                    f"with a perfect restorer the step from level {step.t} to {step.s} does not "
                    f"end in D(x0, {step.s}): it is off by {off:.2g} with {name}. Use t and s as "
                    f"they are given, any s < t",
                    seed=0,
                )


@check
def result_like_the_input(subject: Subject) -> None:
    """x_s has the shape, the type and the device of x_t."""
    for move in _moves(subject):
        x_t, x_s = move.arguments[0], move()
        if not isinstance(x_s, Tensor):
            raise CheckFailed(f"step returns a {type(x_s).__name__}, not a tensor")
        found, expected = ((tuple(x.shape), x.dtype, x.device) for x in (x_s, x_t))
        if found != expected:
            raise CheckFailed(
                f"x_s is {found[1]} {found[0]} on {found[2]}, and x_t {expected[1]} {expected[0]} "
                f"on {expected[2]}, {move}",
                seed=0,
            )


@check
def keeps_its_input(subject: Subject) -> None:
    """Neither images, levels nor context are changed in place."""
    for move in _moves(subject):
        x_t, x0_hat, t, s, _, context = move.arguments
        tensors = {"x_t": x_t, "x0_hat": x0_hat, "t": t, "s": s, **context}
        before = {name: (value._version, value.clone()) for name, value in tensors.items()}
        move()
        for name, (version, copy) in before.items():
            if tensors[name]._version != version or not torch.equal(tensors[name], copy):
                raise CheckFailed(
                    f"{name} is changed in place, {move}: the caller needs it again; use the "
                    f"method without the underscore at its end",
                    seed=0,
                )


@check
def step_is_pure(subject: Subject) -> None:
    """The same arguments give the same step, whatever was called before: no state, no chance."""
    fresh: Sampler = subject.build()
    moves = list(_moves(subject))
    for move in moves:
        with drawn_from() as drawn:
            first = move()
        if drawn:
            raise CheckFailed(f"step draws from {drawn[0]}, {move}: a step is not random", seed=0)
        other: Degradation = move.arguments[4]
        x_t, x0_hat, t, s, _, context = move.arguments
        move.sampler.step(-x_t, -x0_hat, t, s, other, context)
        for when, again in {"after another step": move(), "by a new one": move(fresh)}.items():
            if not torch.equal(first, again):
                raise CheckFailed(
                    f"the same step gives something else {when}, {move}: keep nothing in self "
                    f"between steps",
                    seed=0,
                )


@check
def same_without_a_context_it_does_not_use(subject: Subject) -> None:
    """Where `uses_context` is False, a step with an empty context is the same, bit for bit."""
    advice = "set uses_context = True, which is the default"
    sampler: Sampler = subject.build()
    if sampler.uses_context:
        return
    for move in _moves(subject):
        x_t, x0_hat, t, s, d, _ = move.arguments
        try:
            found = move.sampler.step(x_t, x0_hat, t, s, d, NO_CONTEXT)
        except KeyError as error:
            raise CheckFailed(
                f"uses_context is False, and the step looks for {error} in the context, {move}: "
                f"{advice}",
                seed=0,
            ) from error
        if not torch.equal(found, move()):
            raise CheckFailed(
                f"uses_context is False, and the step is another one without a context, {move}: "
                f"{advice}",
                seed=0,
            )


@check
def batch_independent(subject: Subject) -> None:
    """An image goes its step alone as it does in a batch, from its own level to its own."""
    for move in _moves(subject):
        together = move()
        x_t, x0_hat, t, s, d, context = move.arguments
        for k in range(len(x_t)):
            i = slice(k, k + 1)
            alone = move.sampler.step(x_t[i], x0_hat[i], t[i], s[i], d, take(context, i))
            off = float(distances(together[i], alone).max())
            if not off <= CLOSE:
                raise CheckFailed(
                    f"image {k} is off by {off:.2g} when it is alone, {move}: t and s are tensors "
                    f"(B,), one level an image; means go over the axes (1, 2, 3), never over 0",
                    seed=0,
                )


@check
def restores_through_a_model_folder(subject: Subject) -> None:
    """A model that was saved and loaded restores the same, bit for bit."""
    name, d = next(_accepted(subject))
    with uses.process(degradation=d, sampler=subject.build()) as process:
        uses.expect_the_same_from_a_folder(process, subject.folder / name)


@check
def exports_to_onnx(subject: Subject) -> None:
    """A process with it is exported to ONNX, and the file agrees with torch."""
    _, d = next(_accepted(subject))
    with uses.process(degradation=d, sampler=subject.build()) as process:
        uses.expect_an_onnx_file(process, subject.folder)


def _accepted(subject: Subject) -> Iterator[tuple[str, Degradation]]:
    """The built-in degradations that it does not refuse; others if it refuses all of them.

    Raises:
        CheckFailed: it refuses every degradation.
    """
    items = registry().components("degradation")
    sampler: Sampler = subject.build()
    found = False
    for item in sorted(items, key=lambda item: not item.builtin):
        if found and not item.builtin:
            break
        try:
            d: Degradation = item.build()
            d.check(SMALL[0])
        except ParameterError:
            continue  # not for such images
        try:
            _move(item.name, sampler, d)()
        except UsageError:
            continue
        found = True
        yield item.name, d
    if not found:
        raise CheckFailed("step refuses every degradation by UsageError")


def _moves(subject: Subject) -> Iterator[Move]:
    sampler: Sampler = subject.build()
    for name, d in _accepted(subject):
        yield _move(name, sampler, d)


def _move(name: str, sampler: Sampler, d: Degradation) -> Move:
    """A step of four images, each from a level of its own to one of its own."""
    draws, n = seeded(0), 4
    x0 = images(n, SMALL[0], draws)
    t = levels(n, d.num_steps, draws).clamp(min=1)
    s = (torch.rand(n, generator=draws) * t).long()
    context = d.sample_context(x0, draws)
    x0_hat = 0.8 * x0 + 0.1
    return Move(name, sampler, (d(x0, t, context), x0_hat, t, s, d, context))


def _runs(
    subject: Subject,
) -> Iterator[tuple[str, ColdDiffusion, Tensor, tuple[int, ...], Context]]:
    """A process with a perfect restorer, images, a schedule and a context, by degradation."""
    for name, d in _accepted(subject):
        draws = seeded(0)
        x0 = images(2, SMALL[0], draws)
        context = d.sample_context(x0, draws)
        process = ColdDiffusion(d, _Known(x0), subject.build())
        some = torch.randperm(d.num_steps, generator=draws)[:6] + 1
        every = full(d.num_steps) if d.num_steps <= FEW else evenly(d.num_steps, FEW)
        for schedule in (every, (d.num_steps, 0), (*sorted(some.tolist(), reverse=True), 0)):
            yield name, process, x0, schedule, context


def _shown(schedule: tuple[int, ...]) -> str:
    head = ", ".join(map(str, schedule[:6]))
    return head if len(schedule) <= 6 else f"{head}, …"
