"""The contract of a process: what exporters, evaluation and event hooks see of `ColdDiffusion`.

| here | in the paper (arXiv 2208.09392) |
|---|---|
| `degrade` | x_t = D(x_0, t), section 3 |
| `restore` with `naive` | Algorithm 1 |
| `restore` with `improved` | Algorithm 2 |
| `restore` with `naive` and timesteps (T, 0) | direct reconstruction, R(x_T, T) |
"""

import math
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
    check_floating,
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
    def steps(
        self, x_t: Tensor, timesteps: Iterable[int] | None = None, context: Context | None = None
    ) -> Iterator[Step]:
        """The sampling loop as an iterator, for whoever wants to look inside; see `restore`."""

    def sample_context(
        self, x0: Tensor, generator: torch.Generator, known: Context = NO_CONTEXT
    ) -> Context:
        """Put together the context for a batch: what is known, then from the prior, then from D.

        Args:
            x0: (B, C, H, W) images to be degraded.
            generator: on the CPU, the only source of randomness.
            known: from the data set, `ImageDataset.context`; it is not drawn.

        Raises:
            UsageError: D has no use for what is known: the images would be degraded in another
                way than the real one.
        """
        wanted = set(self.degradation.context_names)
        if known.keys() - wanted:
            raise UsageError(
                f"data: gives {min(known.keys() - wanted)!r} with each image, and the degradation "
                f"takes {' and '.join(self.degradation.context_names) or 'no context'}; use one "
                f"that takes it, or other data"
            )
        given = {name: value.to(x0.device) for name, value in known.items()}
        if self.prior is not None and (wanted - given.keys()) & set(self.prior.gives):
            drawn = self.prior.sample(len(x0), generator)[1]
            given = {name: drawn[name].to(x0.device) for name in wanted & drawn.keys()} | given
        if wanted == given.keys():
            return given
        return {**self.degradation.sample_context(x0, generator), **given}

    def degrade(
        self, x0: Tensor, t: Tensor | int | None = None, context: Context | None = None
    ) -> Tensor:
        """D(x0, t, context).

        Args:
            x0: (B, C, H, W) clean images in [-1, 1].
            t: one level per image, (B,) int64, or one for all; T when None.
            context: from `degradation.sample_context`; needed if D is random.

        Returns:
            x_t, (B, C, H, W).

        Raises:
            UsageError: shape, level or context do not fit.
        """
        self._check_images(x0)
        levels = self._check_levels(self.num_steps if t is None else t, x0)
        context = self._check_context(context, self.degradation.context_names, x0)
        return self.degradation(x0, levels, context)  # type: ignore[no-any-return]

    def restore(
        self,
        x_t: Tensor,
        timesteps: Iterable[int] | None = None,
        context: Context | None = None,
        *,
        on_step: Callable[[Step], None] | None = None,
    ) -> Tensor:
        """Run the sampling loop; nothing is clamped, no gradient is recorded.

        Args:
            x_t: (B, C, H, W) images at level `timesteps[0]`.
            timesteps: levels, strictly decreasing to 0; all from T when None.
            context: that of the degradation; what `context_spec` names is needed.
            on_step: called after each step.

        Returns:
            The restored images, (B, C, H, W).

        Raises:
            UsageError: shape, timesteps or context do not fit.
        """
        x = x_t
        for step in self.steps(x_t, timesteps, context):
            if on_step is not None:
                on_step(step)
            x = step.x_s
        return x

    def trajectory(
        self, x_t: Tensor, timesteps: Iterable[int] | None = None, context: Context | None = None
    ) -> Tensor:
        """All states of `restore`, the start included: (len(timesteps), B, C, H, W)."""
        return torch.stack([x_t, *(step.x_s for step in self.steps(x_t, timesteps, context))])

    def _check_levels(self, t: Tensor | int, images: Tensor) -> Tensor:
        try:
            levels = torch.as_tensor(t)
        except (TypeError, ValueError, RuntimeError):  # a string, None, a ragged list
            levels = torch.tensor(math.nan)
        whole = not (
            levels.is_floating_point() or levels.is_complex() or levels.dtype == torch.bool
        )
        if not whole or levels.shape not in ((), (len(images),)):
            raise UsageError(
                f"t: expected one integer, or {len(images)}, one for each image; got {t!r:.80}"
            )
        levels = levels.to(torch.int64)
        if ((levels < 0) | (levels > self.num_steps)).any():
            raise UsageError(f"t: expected levels 0 to {self.num_steps}, got {levels.tolist()}")
        return levels.expand(len(images)).to(images.device)

    def _check_images(self, images: Tensor) -> None:
        check_floating(images)
        if images.ndim != 4 or 0 in images.shape[1:]:
            raise UsageError(
                f"images: expected (batch, channels, height, width), got {tuple(images.shape)}"
            )
        channels = self._image_shape[0] if self._image_shape else images.shape[1]
        if images.shape[1] != channels:
            raise UsageError(
                f"images: the restorer takes {channels} channels, got {images.shape[1]}"
            )
        self.degradation.check((images.shape[1], images.shape[2], images.shape[3]))

    def _check_context(
        self, context: Context | None, needed: Iterable[str], images: Tensor
    ) -> Context:
        """Those entries of a context that are needed."""
        given = NO_CONTEXT if context is None else context
        known = self.degradation.context_names
        unknown = sorted(given.keys() - set(known))
        if unknown:
            raise UsageError(
                f"context: the degradation has no {unknown[0]!r}; it takes "
                f"{', '.join(known) or 'none'}"
            )
        specs = self.degradation.context_spec((images.shape[1], images.shape[2], images.shape[3]))
        for name, spec in ((name, specs[name]) for name in needed):
            if name not in given:
                raise UsageError(
                    f"context: {name!r} is missing; draw it with degradation.sample_context"
                )
            expected = (images.shape[0], *spec.shape)
            if tuple(given[name].shape) != expected:
                raise UsageError(
                    f"context {name!r}: expected shape {expected}, got {tuple(given[name].shape)}"
                )
            if given[name].is_floating_point() != spec.dtype.is_floating_point:
                raise UsageError(
                    f"context {name!r}: expected {spec.dtype}, got {given[name].dtype}"
                )
        return {name: given[name] for name in needed}


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
