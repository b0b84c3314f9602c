"""The process: a degradation, a restorer and a sampler at work together."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.component import name_of
from colddiff_core.contracts.degradation import Context, Degradation, ImageShape
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

    @torch.no_grad()
    def steps(
        self, x_t: Tensor, timesteps: Iterable[int] | None = None, context: Context | None = None
    ) -> Iterator[Step]:
        """The sampling loop as an iterator, for whoever wants to look inside; see `restore`."""
        levels = schedules.chosen(self.num_steps, timesteps=timesteps)
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
