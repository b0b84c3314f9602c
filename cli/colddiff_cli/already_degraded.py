"""Pictures that are degraded already: what is random about D, and the level, from the pictures."""

import itertools
from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colddiff_cli.model_operator import operator_of
from colddiff_core.contracts.errors import ContextError, UsageError
from colddiff_core.contracts.exporter import ExportedModel
from colddiff_core.restoration.level import FoundLevel, consistency, find_level

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core.process import ColdDiffusion

Images = NDArray[np.float32]

_OPTIONS = {"endpoint": "--endpoint FILE", "color": "--color '#rrggbb'"}
"""What gives a context tensor that the operator cannot find."""


class AlreadyDegraded:
    """What a picture does not say of itself: its level, and the context it was degraded with.

    Args:
        model: what is to restore the pictures.
        hints: what the user knows, for all pictures: arrays with a batch axis of 1, see
            `Degradation.estimate_context`.
    """

    def __init__(self, model: ExportedModel, hints: Mapping[str, Images]) -> None:
        self._model = model
        self._hints = hints

    @cached_property
    def _process(self) -> "ColdDiffusion":
        return operator_of(self._model, "finding how a picture was degraded")

    def context(self, x_t: Images, levels: tuple[int, ...]) -> Mapping[str, NDArray[Any]] | None:
        """The context to restore a batch with; None if the model takes none.

        Args:
            x_t: (B, C, H, W) degraded images.
            levels: the schedule, from the level of the images.

        Raises:
            UsageError: it cannot be told from the pictures and was not given, or what was given
                is of no use.
        """
        if not self._takes_context():
            if not self._hints:
                return None
            if self._process.degradation.context_names:
                raise UsageError(
                    f"--{min(self._hints)}: the sampler restores without; leave it out, or take "
                    f"another with --sampler"
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
                raise UsageError(_advised(error, *ways)) from None
            # A single step of this sampler gives R(x, t) itself, whatever the context
            context = process.degradation.sample_context(x, torch.Generator())
        return {name: value.numpy() for name, value in context.items()}

    def level(self, x: Images, margin: int = 0) -> FoundLevel:
        """Find the level that some images have in common.

        Args:
            x: (B, C, H, W) degraded images: one, or tiles of one.
            margin: pixels at the borders of tiles that are not looked at.

        Raises:
            UsageError: the context cannot be told and was not given, or torch is not installed.
        """
        degradation = self._process.degradation  # without torch, it is this that says so

        import torch

        images = torch.from_numpy(x)

        def error_at(t: int) -> float:
            context = self._estimated(images, t)
            x0_hat = torch.from_numpy(self._once_restored(x, t, context))
            errors = consistency(degradation, images, x0_hat, t, context, margin=margin)
            return float(errors.square().mean().sqrt())

        try:
            return find_level(error_at, self._model.num_steps)
        except ContextError as error:
            raise UsageError(_advised(error, "without it, --level has to be a number")) from None

    def _once_restored(self, x: Images, t: int, context: "Mapping[str, Tensor]") -> Images:
        """R(x, t); from a file, what its sampler makes of x in one step, which is as consistent.

        With `improved` that is R + x - D(R), which for a linear D is off by (D - 1)(x - D(R)): the
        inconsistency of R, but for what D leaves alone.
        """
        estimate = getattr(self._model, "estimate", None)
        if estimate is not None:
            return np.asarray(estimate(x, t), np.float32)
        arrays = {name: value.numpy() for name, value in context.items()}
        return self._model.restore(x, (t, 0), arrays)

    def _estimated(self, x: "Tensor", t: int) -> "Mapping[str, Tensor]":
        import torch

        hints = {
            name: torch.from_numpy(array).expand(len(x), *array.shape[1:])
            for name, array in self._hints.items()
        }
        levels = torch.full((len(x),), t)
        return self._process.degradation.estimate_context(x, levels, hints)

    def _takes_context(self) -> bool:
        names = getattr(self._model, "context_names", None)
        if names is None and find_spec("torch"):
            names = self._process.context_names
        return bool(names)

    def _ends_in_the_estimate(self) -> bool:
        """Whether the sampler's step to level 0 gives R(x, t), as `naive` does."""
        import torch

        process, draws = self._process, torch.Generator().manual_seed(0)
        x, x0_hat = torch.randn(2, 1, *process.image_shape, generator=draws)
        t, s = torch.tensor([process.num_steps]), torch.tensor([0])
        context = process.degradation.sample_context(x, draws)
        return torch.equal(process.sampler(x, x0_hat, t, s, process.degradation, context), x0_hat)


def grouped(levels: list[int]) -> dict[int, list[int]]:
    """Which images of a batch are of the same level."""
    order = sorted(range(len(levels)), key=levels.__getitem__)
    return {t: list(some) for t, some in itertools.groupby(order, key=levels.__getitem__)}


def _advised(error: ContextError, *ways: str) -> str:
    """The message, with what helps."""
    option = _OPTIONS.get(error.missing)
    ways = (f"give it with {option}", *ways) if option else ways
    return f"{error.missing}: {error.reason}; {', or '.join(ways)}"
