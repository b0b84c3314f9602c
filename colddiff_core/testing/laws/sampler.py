"""Laws of samplers alone: a perfect restorer gets the image back."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from colddiff_core.contracts.component import name_of
from colddiff_core.contracts.degradation import NO_CONTEXT, Context
from colddiff_core.contracts.timesteps import evenly
from colddiff_core.process import ColdDiffusion
from colddiff_core.testing.check import check
from colddiff_core.testing.scenes import CLOSE, Scene, distances, images, on_scenes, scenes, seeded
from colddiff_core.testing.subject import SMALL, Subject
from colddiff_core.testing.verdict import CheckFailed

FEW = 20
"""Levels up to which all are gone through."""


class _Known(nn.Module):
    """The perfect restorer: R(x_t, t) = x0, whatever it sees."""

    def __init__(self, x0: Tensor) -> None:
        super().__init__()
        self.x0 = x0

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The clean images."""
        return self.x0


@check("sampler", essential=True, seed=0)
def perfect_restorer_returns_the_image(subject: Subject) -> None:
    """With x0_hat = x0 every schedule ends in x0, for each degradation that it does not refuse.

    The step to level 0 returns x0_hat where that is the image.
    """
    for name, process, x0, schedule, context in _runs(subject):
        x_t = process.degrade(x0, schedule[0], context)
        off = float(distances(process.restore(x_t, schedule, context), x0).max())
        if not off <= CLOSE:
            shown = ", ".join(map(str, schedule[:6])) + (", …" if len(schedule) > 6 else "")
            raise CheckFailed(
                f"a perfect restorer does not get the image back: it is off by {off:.2g} with "
                f"{name} over the levels {shown}"
            )


@check("sampler", seed=0)
def perfect_restorer_keeps_to_the_path(subject: Subject) -> None:
    """With x0_hat = x0 a step from D(x0, t) leads to D(x0, s): it reaches the level asked for.

    Use t and s as they are given, any s < t.
    """
    for name, process, x0, schedule, context in _runs(subject):
        for step in process.steps(process.degrade(x0, schedule[0], context), schedule, context):
            off = float(distances(step.x_s, process.degrade(x0, step.s, context)).max())
            if not off <= CLOSE:
                raise CheckFailed(
                    f"with a perfect restorer the step from level {step.t} to {step.s} does not "
                    f"end in D(x0, {step.s}): it is off by {off:.2g} with {name}"
                )


@on_scenes("sampler")
def same_without_a_context_it_does_not_use(scene: Scene) -> None:
    """Where `uses_context` is False, a step with an empty context is the same, bit for bit.

    Set uses_context = True, which is the default.
    """
    if scene.part.uses_context:
        return
    expected = scene.results()
    try:
        found = replace(scene, context=NO_CONTEXT).results()
    except KeyError as error:
        scene.fail(f"uses_context is False, and the step looks for {error} in the context")
    if not all(torch.equal(found[what], expected[what]) for what in expected):
        scene.fail("uses_context is False, and without a context the step is another")


def _runs(
    subject: Subject,
) -> Iterator[tuple[str, ColdDiffusion, Tensor, tuple[int, ...], Context]]:
    """A process with a perfect restorer, images, a schedule and a context, by degradation."""
    for scene in scenes(subject):
        d, draws = scene.degradation, seeded(0)
        x0 = images(2, SMALL[0], draws)
        context = d.sample_context(x0, draws)
        process = ColdDiffusion(d, _Known(x0), scene.part)
        some = torch.randperm(d.num_steps, generator=draws)[:6] + 1
        every = evenly(d.num_steps, min(FEW, d.num_steps))
        for schedule in (every, (d.num_steps, 0), (*sorted(some.tolist(), reverse=True), 0)):
            yield name_of(d), process, x0, schedule, context
