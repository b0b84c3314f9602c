"""The process: a degradation, a restorer and a sampler at work together.

| here | in the paper (arXiv 2208.09392) |
|---|---|
| `degrade` | x_t = D(x_0, t), section 3 |
| `restore` with `naive` | Algorithm 1 |
| `restore` with `improved` | Algorithm 2 |
| `restore` with `naive` and timesteps (T, 0) | direct reconstruction, R(x_T, T) |
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.component import name_of
from colddiff_core.contracts.degradation import (
    NO_CONTEXT,
    Context,
    Degradation,
    ImageShape,
    check_floating,
)
from colddiff_core.contracts.errors import ColdDiffError, ModelFolderError, UsageError
from colddiff_core.contracts.prior import Prior
from colddiff_core.contracts.process import Process, check_part
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.contracts.restorer import Restorer
from colddiff_core.contracts.sampler import Sampler
from colddiff_core.contracts.steps import Step
from colddiff_core.models.facts import load_model_recipe, load_provenance
from colddiff_core.models.folder import load_weights, save_model
from colddiff_core.models.recipe import build_table
from colddiff_core.pictures.padding import reflect_to
from colddiff_core.registry.events import emit


class ColdDiffusion(Process):
    """Degrade, restore and generate images.

    Args:
        degradation: D.
        restorer: R, any module called as R(x_t, t) with int64 levels t of shape (B,).
        sampler: the step of the sampling algorithm.
        prior: what generation starts from, if it is to generate.
    """

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
        self,
        x_t: Tensor,
        timesteps: Iterable[int] | None = None,
        context: Context | None = None,
    ) -> Tensor:
        """All states of `restore`, the start included: (len(timesteps), B, C, H, W)."""
        return torch.stack([x_t, *(step.x_s for step in self.steps(x_t, timesteps, context))])

    @torch.no_grad()
    def steps(
        self,
        x_t: Tensor,
        timesteps: Iterable[int] | None = None,
        context: Context | None = None,
    ) -> Iterator[Step]:
        """The sampling loop as an iterator, for whoever wants to look inside; see `restore`."""
        levels = (
            schedules.full(self.num_steps)
            if timesteps is None
            else schedules.checked(timesteps, self.num_steps)
        )
        self._check_images(x_t)
        weight = next(self.restorer.parameters(), None)
        if weight is not None and weight.dtype != x_t.dtype:
            raise UsageError(
                f"images: the restorer computes in {weight.dtype}, got {x_t.dtype}; convert one"
            )
        context = self._check_context(context, self.context_names, x_t)
        x = x_t
        for t, s in itertools.pairwise(levels):
            t_batch, s_batch = (
                torch.full((len(x),), level, dtype=torch.int64, device=x.device) for level in (t, s)
            )
            x0_hat = self.estimate(x, t_batch)
            if x0_hat.shape != x.shape:
                raise ColdDiffError(
                    f"restorer {name_of(self.restorer)}: expected {tuple(x.shape)}, "
                    f"got {tuple(x0_hat.shape)}"
                )
            x_s = self.sampler.step(x, x0_hat, t_batch, s_batch, self.degradation, context)
            step = Step(t, s, x, x0_hat, x_s)
            emit("colddiff_sampling_step", step=step, process=self)
            yield step
            x = x_s

    def estimate(self, x_t: Tensor, t: Tensor) -> Tensor:
        """R(x_t, t), the restorer's estimate of x0.

        Where R takes multiples of some number of pixels only, or one size, images are padded by
        reflection at the bottom and on the right, and the result is cropped.

        Args:
            x_t: (B, C, H, W) images.
            t: (B,) int64, their levels.

        Returns:
            x0_hat, (B, C, H, W).

        Raises:
            UsageError: the images are larger than the only size that R takes.
        """
        height, width = x_t.shape[2:]
        padded = reflect_to(x_t, self._padded_size(height, width))
        return self.restorer(padded, t)[:, :, :height, :width]  # type: ignore[no-any-return]

    def _padded_size(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self.restorer, Restorer):
            return height, width  # a module of the user's own, who knows what it takes
        multiple = self.restorer.size_multiple
        if multiple is not None:
            return -(-height // multiple) * multiple, -(-width // multiple) * multiple
        _, most_rows, most_columns = self.restorer.image_shape
        if height > most_rows or width > most_columns:
            raise UsageError(
                f"images: {name_of(self.restorer)} takes {most_rows}x{most_columns} pixels only, "
                f"got {height}x{width}; restore them in tiles"
            )
        return most_rows, most_columns

    def generate(
        self,
        n: int,
        prior: Prior | None = None,
        timesteps: Iterable[int] | None = None,
        *,
        generator: torch.Generator,
        on_step: Callable[[Step], None] | None = None,
    ) -> Tensor:
        """Restore `n` images that a prior drew at level T.

        Args:
            n: how many.
            prior: draws x_T and the context; the process's own when None.
            timesteps: levels, strictly decreasing to 0; all from T when None.
            generator: on the CPU, the only source of randomness.
            on_step: called after each step.

        Returns:
            (n, C, H, W).

        Raises:
            UsageError: there is no prior, or it does not give the context that D needs.
        """
        prior = prior or self.prior
        if prior is None:
            raise UsageError("generate: no prior to start from; name one in [prior] of the recipe")
        if n < 1:
            raise UsageError(f"generate: expected 1 image or more, got {n}")
        x_t, context = prior.sample(n, generator)
        wanted = set(self.degradation.context_names) & context.keys()
        context = {name: context[name].to(self.device) for name in wanted}
        return self.restore(x_t.to(self.device), timesteps, context, on_step=on_step)

    def save(self, folder: Path | str, *, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write a model folder: recipe, weights, provenance; no other file of `folder` changes.

        Args:
            folder: made if it does not exist.
            provenance: what else to record, e.g. seeds and training figures.

        A part that `build` did not make has to be given to `load`.

        Raises:
            UsageError: it cannot be written.
        """
        return save_model(self, folder, provenance=provenance)

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        degradation: Degradation | None = None,
        restorer: Restorer | nn.Module | None = None,
        sampler: Sampler | None = None,
        prior: Prior | None = None,
    ) -> Self:
        """Read a model folder, in evaluation mode, on the CPU; nothing in it is executed.

        Args:
            folder: the model folder.
            degradation: taken instead of what the recipe names, and so are the others. What was
                saved of a class that no plugin brings has to be given; `restorer` and `prior`
                receive the weights that were saved.
            restorer: see `degradation`.
            sampler: see `degradation`.
            prior: see `degradation`.

        Raises:
            ModelFolderError: it is not a model folder, or is damaged, or is of something else than
                the objects given.
            RecipeError: a part is of a class that no plugin brings, and was not given.
            UnknownComponentError: a plugin that it needs is not installed.
        """
        folder = Path(folder)
        recipe = load_model_recipe(folder)
        if recipe.image_shape is None:
            raise ModelFolderError(f"{folder}: its recipe has no image_shape")
        given = dict(degradation=degradation, restorer=restorer, sampler=sampler, prior=prior)  # noqa: C408
        process = cls.from_recipe(recipe, recipe.image_shape, **given)
        levels = recipe.degradation.params.get("num_steps", process.num_steps)
        if levels != process.num_steps:
            raise ModelFolderError(
                f"{folder}: is of {levels} levels, the degradation given has {process.num_steps}"
            )
        load_weights(process, folder)
        process.image_shape = recipe.image_shape
        process.recipe = recipe
        process.provenance = load_provenance(folder)
        return process.eval()

    @classmethod
    def from_recipe(cls, recipe: Recipe, image_shape: ImageShape, **given: Any) -> Self:
        """Build the parts that a recipe names, with nothing learnt yet.

        Args:
            recipe: names the parts.
            image_shape: (C, H, W) of the images.
            **given: parts that are there already, by kind, None for others.

        Raises:
            UsageError: a name or a parameter is wrong, or the parts do not fit the images.
        """

        def part(kind: str, **more: Any) -> Any:
            table = getattr(recipe, kind)
            there = given.get(kind)
            return there if there is not None or table is None else build_table(kind, table, **more)

        degradation = part("degradation")
        check_part("degradation", degradation, Degradation)
        degradation.check(image_shape)
        restorer = part("restorer", image_shape=image_shape)
        prior = part("prior", image_shape=image_shape)
        return cls(degradation, restorer, part("sampler"), prior)

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
