"""Small processes with a component in them, and exported files held against them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from colddiff_core.contracts.degradation import Degradation, ImageShape
from colddiff_core.contracts.errors import ParameterError
from colddiff_core.contracts.exporter import Exporter
from colddiff_core.contracts.prior import Prior
from colddiff_core.contracts.timesteps import evenly
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build, registry
from colddiff_core.testing.scenes import Scene, expect_the_spec, images, make, scenes, seeded
from colddiff_core.testing.stand_ins import TinyRestorer
from colddiff_core.testing.subject import SMALL, Subject
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped

TOLERANCE = 2e-4
"""Largest difference of an exported file from torch, which checked itself in single steps."""

SHORT = 4
"""Steps of the schedule in which a file is run once more."""


@contextmanager
def process(shape: ImageShape = (3, 16, 16), **parts: Any) -> Iterator[ColdDiffusion]:
    """A process of the parts given, with small ones for the rest, in evaluation mode.

    It can be saved and exported within the context.

    Args:
        shape: (C, H, W) of the images.
        **parts: by their kind.
    """
    with Subject.of(TinyRestorer) as tiny, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield ColdDiffusion(
            parts.get("degradation") or build("degradation", "gaussian-blur", num_steps=4, std=0.7),
            parts.get("restorer") or tiny.build(shape),
            parts.get("sampler") or build("sampler", "improved"),
            parts.get("prior"),
        ).eval()


@contextmanager
def process_of(subject: Subject, *, nudge: bool = False) -> Iterator[ColdDiffusion]:
    """A process with a component in it, and with a degradation that suits it.

    Args:
        subject: the component; no data set or exporter.
        nudge: as for `make`.
    """
    parts = {subject.kind: make(subject, nudge=nudge)}
    if subject.kind == "sampler":
        parts["degradation"] = next(scenes(subject)).degradation
    elif subject.kind == "prior":
        parts["degradation"] = _served(subject, parts["prior"])
    shape = SMALL[0] if subject.kind == "sampler" else subject.shapes[0]
    with process(shape, **parts) as made:
        yield made


def _served(subject: Subject, prior: Prior) -> Degradation:
    """A degradation that needs no context but what the prior gives, all of it if possible.

    Raises:
        CheckSkipped: there is none.
    """
    found: list[Degradation] = []
    for item in registry().components("degradation"):
        with suppress(ParameterError):  # not for such images, or it needs to be told more
            d: Degradation = item.build()
            d.check(prior.image_shape)
            if set(d.context_names) <= set(prior.gives):
                found.append(d)
    if not found:
        raise CheckSkipped("no installed degradation can do with the context that it gives")
    d = max(found, key=lambda d: (len(d.context_names), -d.num_steps))
    x_t, context = prior.sample(2, seeded(0))
    used = {name: context[name] for name in d.context_names}
    expect_the_spec(Scene(subject, d, {"x_t": x_t}), used, x_t)
    return d


def expect_to_agree(exporter: Exporter, path: Path, process: ColdDiffusion, what: str) -> None:
    """An exported file restores what the process restores.

    Raises:
        CheckFailed: they differ by more than `TOLERANCE`.
    """
    x0 = images(2, process.image_shape, seeded(0))
    context = process.sample_context(x0, seeded(1))
    levels = short(process)
    x_t = process.degrade(x0, levels[0], context)
    arrays = {name: value.numpy() for name, value in context.items()}
    found = torch.from_numpy(exporter.open(path, device="cpu").restore(x_t.numpy(), levels, arrays))
    expected = process.restore(x_t, levels, context)
    off = float((found - expected).abs().max()) if found.shape == expected.shape else torch.inf
    if not off <= TOLERANCE:
        raise CheckFailed(
            f"with {what}, file and torch differ by {off:.2g} over the levels {list(levels)}"
        )


def short(process: ColdDiffusion) -> tuple[int, ...]:
    """A schedule of a few steps."""
    return evenly(process.num_steps, min(SHORT, process.num_steps))
