"""The process: a degradation, a restorer and a sampler at work together.

| here | in the paper (arXiv 2208.09392) |
|---|---|
| `degrade` | x_t = D(x_0, t), section 3 |
| `restore` with `naive` | Algorithm 1 |
| `restore` with `improved` | Algorithm 2 |
| `restore` with `naive` and timesteps (T, 0) | direct reconstruction, R(x_T, T) |
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.degradation import NO_CONTEXT, Context, ImageShape, TensorSpec
from colddiff_core.contracts.errors import ModelFolderError, UsageError
from colddiff_core.contracts.prior import Prior
from colddiff_core.contracts.process import Process
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.contracts.steps import Step
from colddiff_core.models.facts import load_model_recipe, load_provenance
from colddiff_core.models.folder import load_weights, save_model
from colddiff_core.models.recipe import build_table
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
        wanted = self.degradation.context_spec.keys()
        if known.keys() - wanted:
            raise UsageError(
                f"data: gives {min(known.keys() - wanted)!r} with each image, and the degradation "
                f"takes {', '.join(wanted) or 'no context'}; use one that takes it, or other data"
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
        context = self._check_context(context, self.degradation.context_spec, x0)
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
        context = self._check_context(context, self.context_spec, x_t)
        x = x_t
        for t, s in itertools.pairwise(levels):
            t_batch, s_batch = (
                torch.full((len(x),), level, dtype=torch.int64, device=x.device) for level in (t, s)
            )
            x0_hat = self.restorer(x, t_batch)
            x_s = self.sampler.step(x, x0_hat, t_batch, s_batch, self.degradation, context)
            step = Step(t, s, x, x0_hat, x_s)
            emit("colddiff_sampling_step", step=step, process=self)
            yield step
            x = x_s

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
        x_t, context = prior.sample(n, generator)
        wanted = self.degradation.context_spec.keys() & context.keys()
        context = {name: context[name].to(self.device) for name in wanted}
        return self.restore(x_t.to(self.device), timesteps, context, on_step=on_step)

    def save(self, folder: Path | str, *, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write a model folder: recipe, weights, provenance; no other file of `folder` changes.

        Args:
            folder: made if it does not exist.
            provenance: what else to record, e.g. seeds and training figures.

        Raises:
            UsageError: a part was not made by `build`, so no recipe can name it.
        """
        return save_model(self, folder, provenance=provenance)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a model folder, in evaluation mode, on the CPU; nothing in it is executed.

        Raises:
            ModelFolderError: it is not a model folder, or is damaged.
            UnknownComponentError: a plugin that it needs is not installed.
        """
        folder = Path(folder)
        recipe = load_model_recipe(folder)
        if recipe.image_shape is None:
            raise ModelFolderError(f"{folder}: its recipe has no image_shape")
        process = cls.from_recipe(recipe, recipe.image_shape)
        load_weights(process, folder)
        process.recipe = recipe
        process.provenance = load_provenance(folder)
        return process.eval()

    @classmethod
    def from_recipe(cls, recipe: Recipe, image_shape: ImageShape) -> Self:
        """Build the parts that a recipe names, with nothing learnt yet.

        Args:
            recipe: names the parts.
            image_shape: (C, H, W) of the images.

        Raises:
            UsageError: a name or a parameter is wrong, or the parts do not fit the images.
        """
        named = {
            "degradation": recipe.degradation,
            "restorer": recipe.restorer,
            "prior": recipe.prior,
        }
        parts = {
            kind: build_table(kind, table, image_shape=image_shape)
            for kind, table in named.items()
            if table is not None
        }
        return cls(sampler=build_table("sampler", recipe.sampler), **parts)

    def _check_levels(self, t: Tensor | int, images: Tensor) -> Tensor:
        levels = torch.as_tensor(t)
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
        expected = self.degradation.image_shape
        if images.ndim != 4 or tuple(images.shape[1:]) != tuple(expected):
            raise UsageError(
                f"images: expected (batch, {', '.join(map(str, expected))}), "
                f"got {tuple(images.shape)}"
            )

    def _check_context(
        self, context: Context | None, needed: Mapping[str, TensorSpec], images: Tensor
    ) -> Context:
        """Those entries of a context that are needed."""
        given = NO_CONTEXT if context is None else context
        unknown = sorted(given.keys() - self.degradation.context_spec.keys())
        if unknown:
            raise UsageError(
                f"context: the degradation has no {unknown[0]!r}; it takes "
                f"{', '.join(self.degradation.context_spec) or 'none'}"
            )
        for name, spec in needed.items():
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
