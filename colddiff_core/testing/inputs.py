"""Inputs that are drawn from a seed: images, levels, and scenes for degradations."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core.contracts.degradation import Context, Degradation, ImageShape
from colddiff_core.testing.check import Check, blaming, check
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed

BATCHES = (5, 3, 1, 4)
"""Batch sizes of the scenes; their seeds are 0, 1, 2 and 3."""

CLOSE = 1e-4
"""Largest difference of results that should be equal but for rounding, where images are in
[-1, 1]."""


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


def take(context: Context, index: slice | Tensor) -> Context:
    """The context of some images of a batch."""
    return {name: value[index] for name, value in context.items()}


@dataclass(frozen=True)
class Scene:
    """A degradation and what it is called with.

    Attributes:
        seed: what everything was drawn from.
        subject: where D comes from.
        d: D.
        x0: (B, C, H, W) float32 images in [-1, 1].
        t: (B,) levels.
        s: (B,) other levels.
        context: of D for `x0`.
    """

    seed: int
    subject: Subject
    d: Degradation
    x0: Tensor
    t: Tensor
    s: Tensor
    context: Context

    @classmethod
    def of(cls, subject: Subject, seed: int) -> "Scene":
        """Draw the scene of `seed`."""
        shape = subject.shapes[seed % len(subject.shapes)]
        draws, n = seeded(seed), BATCHES[seed % len(BATCHES)]
        d: Degradation = subject.build(shape)
        x0 = images(n, shape, draws)
        t, s = (levels(n, d.num_steps, draws) for _ in range(2))
        return cls(seed, subject, d, x0, t, s, d.sample_context(x0, draws))

    @property
    def shape(self) -> ImageShape:
        """(C, H, W) of the images."""
        _, channels, height, width = self.x0.shape
        return channels, height, width

    def __str__(self) -> str:
        return (
            f"{len(self.x0)} images of {tuple(self.x0.shape[1:])} at levels {self.t.tolist()} "
            f"of {self.d.num_steps}, seed {self.seed}"
        )

    def fail(self, what: str, advice: str) -> NoReturn:
        """Report a broken law."""
        raise CheckFailed(f"{what} ({self}). {advice}", self.seed)

    def expect_close(
        self, found: Tensor, expected: Tensor, what: str, advice: str, tolerance: float = CLOSE
    ) -> None:
        """Compare (B, C, H, W) images with those that the law demands.

        Args:
            found: what D gave.
            expected: what it should have given.
            what: begins the message, followed by the image and the difference.
            advice: ends it.
            tolerance: the largest difference accepted, relative where values are over 1.
        """
        if found.shape != expected.shape:
            self.fail(f"{what}: shape {tuple(found.shape)}, not {tuple(expected.shape)}", advice)
        off = distances(found, expected)
        wrong = (~(off <= tolerance)).nonzero().flatten().tolist()
        if wrong:
            k = wrong[0]
            self.fail(
                f"{what}: image {k} (level {int(self.t[k])}) is off by {float(off[k]):.2g}", advice
            )


def distances(found: Tensor, expected: Tensor) -> Tensor:
    """(B,): the largest difference in each image, in units of its largest value if over 1."""
    found, expected = found.detach().double(), expected.detach().double()
    off = (found - expected).abs().flatten(1).amax(1)
    return off / expected.abs().flatten(1).amax(1).clamp(min=1)


def on_scenes(law: Callable[[Scene], None]) -> Check:
    """Make a check of a law on one scene: it holds where it holds on each."""

    @functools.wraps(law)
    def on_each(subject: Subject) -> None:
        subject.shapes  # noqa: B018 - no seed is to blame if it cannot be built
        for seed in range(len(BATCHES)):
            with blaming(seed):
                law(Scene.of(subject, seed))

    return check(on_each)
