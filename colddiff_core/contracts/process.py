"""The contract of a process: what exporters, evaluation and event hooks see of `ColdDiffusion`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from colddiff_core.contracts.degradation import (
    NO_CONTEXT,
    Context,
    Degradation,
    ImageShape,
    TensorSpec,
)
from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.prior import Prior
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.contracts.restorer import Restorer
from colddiff_core.contracts.sampler import Sampler
from colddiff_core.contracts.steps import Step


class Process(nn.Module, ABC):
    """A degradation, a restorer and a sampler at work together.

    Args:
        degradation: D.
        restorer: R, any module called as R(x_t, t) with int64 levels t of shape (B,).
        sampler: the step of the sampling algorithm.
        prior: what generation starts from, if it is to generate.
    """

    def __init__(
        self,
        degradation: Degradation,
        restorer: Restorer | nn.Module,
        sampler: Sampler,
        prior: Prior | None = None,
    ) -> None:
        super().__init__()
        check_part("degradation", degradation, Degradation)
        check_part("restorer", restorer, nn.Module)
        check_part("sampler", sampler, Sampler)
        if prior is not None:
            check_part("prior", prior, Prior)
        self.degradation = degradation
        self.restorer = restorer
        self.sampler = sampler
        self.prior = prior
        self.recipe: Recipe | None = None
        """What it was trained with, if it was trained or loaded; for model folders and files."""
        self.provenance: Mapping[str, Any] = {}
        """Where it comes from, as its model folder says, if it was loaded from one."""
        self._image_shape = restorer.image_shape if isinstance(restorer, Restorer) else None

    @property
    def image_shape(self) -> ImageShape:
        """(C, H, W) of the images that R is trained on.

        Raises:
            UsageError: R is a torch module that does not say it, and nobody has set it.
        """
        if self._image_shape is None:
            raise UsageError(
                f"{type(self.restorer).__name__}: says no image_shape; set that of the process, "
                "process.image_shape = (C, H, W)"
            )
        return self._image_shape

    @image_shape.setter
    def image_shape(self, shape: ImageShape) -> None:
        self._image_shape = shape

    @property
    def num_steps(self) -> int:
        """T."""
        return self.degradation.num_steps

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters(), torch.empty(0)).device

    @property
    def context_names(self) -> tuple[str, ...]:
        """The context that restoring takes: all of D's, or none if the sampler does not use it."""
        return self.degradation.context_names if self.sampler.uses_context else ()

    def context_spec(self, image_shape: ImageShape) -> Mapping[str, TensorSpec]:
        """Types and shapes of the context that restoring images of (C, H, W) takes."""
        return self.degradation.context_spec(image_shape) if self.sampler.uses_context else {}

    @abstractmethod
    def estimate(self, x_t: Tensor, t: Tensor) -> Tensor:
        """R(x_t, t) for images of any size; see `ColdDiffusion.estimate`."""

    @abstractmethod
    def sample_context(
        self, x0: Tensor, generator: torch.Generator, known: Context = NO_CONTEXT
    ) -> Context:
        """Put together the context for a batch; see `ColdDiffusion.sample_context`."""

    @abstractmethod
    def degrade(
        self, x0: Tensor, t: Tensor | int | None = None, context: Context | None = None
    ) -> Tensor:
        """D(x0, t, context); see `ColdDiffusion.degrade`."""

    @abstractmethod
    def steps(
        self,
        x_t: Tensor,
        timesteps: Iterable[int] | None = None,
        context: Context | None = None,
    ) -> Iterator[Step]:
        """The sampling loop as an iterator; see `ColdDiffusion.steps`."""

    @abstractmethod
    def trajectory(
        self,
        x_t: Tensor,
        timesteps: Iterable[int] | None = None,
        context: Context | None = None,
    ) -> Tensor:
        """All states of the loop; see `ColdDiffusion.trajectory`."""

    @abstractmethod
    def restore(
        self,
        x_t: Tensor,
        timesteps: Iterable[int] | None = None,
        context: Context | None = None,
        *,
        on_step: Callable[[Step], None] | None = None,
    ) -> Tensor:
        """Run the sampling loop; see `ColdDiffusion.restore`."""


def check_part(kind: str, part: object, contract: type) -> None:
    """Refuse what is no part of that kind, such as its name, or a class instead of an object.

    Raises:
        UsageError: says what it is.
    """
    if not isinstance(part, contract):
        came = f"the class {part.__name__}" if isinstance(part, type) else f"{part!r:.80}"
        raise UsageError(
            f"{kind}: expected an object of a subclass of {contract.__name__}, as "
            f"build({kind!r}, name, …) makes, got {came}"
        )
