"""Pictures that are degraded already: what is random about D, and the level, from the pictures."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from colddiff_core.contracts.errors import ContextError, UsageError
from colddiff_core.contracts.model import Arrays, Images, Model
from colddiff_core.restoration.level import FoundLevel, consistency, search_levels
from colddiff_core.restoration.opening import as_model
from colddiff_core.restoration.simulation import operator_of

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from colddiff_core.process import ColdDiffusion

_OPTIONS = {"endpoint": "--endpoint FILE", "color": "--color '#rrggbb'"}
"""What gives a context tensor that the operator cannot find."""


class Estimating:
    """What pictures do not say of themselves: their levels, and the context of their degradation.

    Args:
        model: what is to restore the pictures.
        hints: what the user knows, for all pictures: arrays with a batch axis of 1, see
            `Degradation.estimate_context`.
    """

    def __init__(self, model: Model, hints: Mapping[str, Images]) -> None:
        self._model = model
        self._hints = hints

    @cached_property
    def _process(self) -> "ColdDiffusion":
        return operator_of(self._model, "finding how a picture was degraded")

    def check_size(self, height: int, width: int) -> None:
        """Refuse hints that are pictures of another size than the images.

        Raises:
            UsageError: such a hint was given.
        """
        for name, hint in self._hints.items():
            if hint.shape[2:] not in ((1, 1), (height, width)):
                raise UsageError(
                    f"--{name}: is {hint.shape[2]}x{hint.shape[3]} (height x width), what is "
                    f"restored at once {height}x{width}; --resize brings all to one size"
                )

    def context(self, x_t: Images, levels: Sequence[int]) -> Arrays | None:
        """The context to restore a batch with; None if the model takes none.

        Args:
            x_t: (B, C, H, W) degraded images.
            levels: the schedule, from the level of the images.

        Raises:
            UsageError: it cannot be told from the pictures and was not given, or what was given
                is of no use.
        """
        if not self._model.context_names:
            if not self._hints:
                return None
            if self._process.degradation.context_names:
                raise UsageError(
                    f"--{min(self._hints)}: the sampler restores without; leave it out"
                    f"{'' if self._model.fixed_sampler else ', or take another with --sampler'}"
                )
        process = self._process

        import torch

        x = torch.from_numpy(x_t)
        try:
            context = self._estimated(x, levels[0])
        except ContextError as error:
            if not (len(levels) == 2 and self._ends_in_the_estimate()):
                ways = ["--sampler naive --steps 1 does without"]
                if error.missing == "endpoint":
                    ways.insert(0, "--sampler ddim estimates it as it goes")
                if self._model.fixed_sampler:  # it has its sampler inside
                    ways = [
                        f"export with {way.replace(' --steps', ', and --steps')}" for way in ways
                    ]
                raise UsageError(_advised(error, *ways)) from None
            # A single step of this sampler gives R(x, t) itself, whatever the context
            context = process.degradation.sample_context(x, torch.Generator())
        return {name: value.numpy() for name, value in context.items()}

    def levels(self, x: Images) -> list[FoundLevel]:
        """Find the level of each of some images, (B, C, H, W).

        Raises:
            UsageError: the context cannot be told and was not given, or torch is not installed.
        """
        return self._find(lambda t, images: self._errors(x[list(images)], t, 0), len(x))

    def level_of_all(self, tiles: Images, margin: int) -> FoundLevel:
        """Find the level that tiles of one image have in common.

        Args:
            tiles: (B, C, h, w).
            margin: pixels at the borders of the tiles that are not compared.

        Raises:
            UsageError: see `levels`.
        """

        def error_at(t: int, _: Sequence[int]) -> list[float]:
            return [float(np.sqrt(np.square(self._errors(tiles, t, margin)).mean()))]

        return self._find(error_at, 1)[0]

    def _find(
        self, errors_at: Callable[[int, Sequence[int]], Sequence[float]], count: int
    ) -> list[FoundLevel]:
        try:
            return search_levels(errors_at, count, self._model.num_steps)
        except ContextError as error:
            raise UsageError(_advised(error, "without it, --level has to be a number")) from None

    def _errors(self, x: Images, t: int, margin: int) -> list[float]:
        """e(t) of each image."""
        degradation = self._process.degradation  # without torch, it is this that says so

        import torch

        images = torch.from_numpy(x)
        context = self._estimated(images, t)
        arrays = {name: value.numpy() for name, value in context.items()}
        x0_hat = torch.from_numpy(self._model.estimate(x, t, arrays))
        return consistency(degradation, images, x0_hat, t, context, margin=margin).tolist()

    def _estimated(self, x: "Tensor", t: int) -> "Mapping[str, Tensor]":
        import torch

        hints = {
            name: torch.from_numpy(array).expand(len(x), *array.shape[1:])
            for name, array in self._hints.items()
        }
        levels = torch.full((len(x),), t)
        return self._process.degradation.estimate_context(x, levels, hints)

    def _ends_in_the_estimate(self) -> bool:
        """Whether the sampler's step to level 0 gives R(x, t), as `naive` does."""
        import torch

        process, draws = self._process, torch.Generator().manual_seed(0)
        x, x0_hat = torch.randn(2, 1, *self._model.image_shape, generator=draws)
        t, s = torch.tensor([process.num_steps]), torch.tensor([0])
        context = process.degradation.sample_context(x, draws)
        step = process.sampler.step(x, x0_hat, t, s, process.degradation, context)
        return torch.equal(step, x0_hat)


def find_levels(
    model: "Model | Path | str | ColdDiffusion",
    images: Images,
    hints: Mapping[str, Images] | None = None,
) -> list[FoundLevel]:
    """The level of each image: the one from which what R makes of it can be degraded to it again.

    Args:
        model: what is to restore them, or what `open_model` takes.
        images: (B, C, H, W) float32 in [-1, 1].
        hints: what is known, see `Degradation.estimate_context`, with a batch axis of 1.

    Raises:
        UsageError: the images do not fit, the context cannot be told and was not given, or torch
            is not installed.
    """
    opened = as_model(model)
    opened.check(images)
    return Estimating(opened, hints or {}).levels(np.ascontiguousarray(images, np.float32))


def _advised(error: ContextError, *ways: str) -> str:
    """The message, with what helps."""
    option = _OPTIONS.get(error.missing)
    ways = (f"give it with {option}", *ways) if option else ways
    return f"{error.missing}: {error.reason}; {', or '.join(ways)}"
