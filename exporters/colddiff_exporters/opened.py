"""What a file of any format knows from its metadata, once it is open."""

import itertools
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colddiff_core import Arrays, Images, Model, UsageError
from colddiff_core.contracts import timesteps as schedules
from colddiff_exporters.metadata import Metadata

if TYPE_CHECKING:
    from colddiff_core import Prior, Recipe


class OpenedFile(Model):
    """The part of a model that the formats share; a subclass runs the loop in `run`.

    A subclass is made from a path and a device, `cls(path, device=device)`.

    Args:
        path: of the file.
        metadata: of the file, checked.
        context_names: the context tensors that it takes.

    Attributes:
        metadata: of the file.
        graph: the kind of graph: `sampler`, `step` or `restorer`.
        static_steps: the only number of steps it takes; None for any.
    """

    def __init__(self, path: Path | str, metadata: Metadata, context_names: Iterable[str]) -> None:
        self.name = str(path)
        self.image_shape, self.num_steps = metadata.image_shape, metadata.num_steps
        self.size = metadata.image_shape[1:]
        self.size_multiple = metadata.size_multiple
        self.reach = metadata.reach
        self.locality = metadata.locality
        self.metadata = metadata
        self.graph: str = metadata.graph
        self.static_steps = metadata.static_steps
        self.context_names = tuple(context_names)

    @cached_property
    def recipe(self) -> "Recipe":
        """The recipe that the file carries."""
        return self.metadata.recipe

    @cached_property
    def prior(self) -> "Prior":
        """What generation starts from; drawing it takes torch."""
        return self.metadata.prior

    def memory(self, height: int, width: int) -> int:
        """Not known, and not needed: the file takes one size, and says nothing of its tensors."""
        return 0

    def schedule(self, level: int | None = None) -> tuple[int, ...]:
        """The levels to visit from `level`; see `Model.schedule`."""
        start = self.num_steps if level is None else level
        if self.graph == "restorer":
            return start, 0
        steps = self.static_steps
        return super().schedule(level) if steps is None else schedules.evenly(start, steps)

    def stream(
        self,
        images: Iterable[Images],
        timesteps: Iterable[int] | None = None,
        *,
        batch_size: int = 16,
    ) -> Iterator[Images]:
        """Restore any number of images, holding one batch at a time.

        Args:
            images: (C, H, W) float32 images at level `timesteps[0]`, in [-1, 1].
            timesteps: levels, strictly decreasing to 0; all from T when None.
            batch_size: images restored together.

        Yields:
            The restored images, (C, H, W), in order.

        Raises:
            UsageError: batch size, shape or timesteps do not fit, or the model takes context.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size: expected 1 or more, got {batch_size}")
        levels = self.schedule() if timesteps is None else tuple(timesteps)
        coming = iter(images)
        return (
            image
            for batch in iter(lambda: list(itertools.islice(coming, batch_size)), [])
            for image in self.restore(np.stack(batch), levels)
        )

    def run(self, x_t: Images, levels: tuple[int, ...], context: Arrays) -> Images:
        """Run the loop over any levels, a part of a schedule for example."""
        raise NotImplementedError

    def _restore(self, x_t: Images, levels: tuple[int, ...], context: Arrays) -> Images:
        steps = len(levels) - 1
        if self.graph == "restorer" and steps != 1:
            raise UsageError(
                "timesteps: this file is the restorer alone, which takes one step, e.g. "
                f"{self.num_steps},0; export with --graph sampler for more"
            )
        if self.static_steps not in (None, steps):
            raise UsageError(
                f"timesteps: this file takes {self.static_steps} steps, no other number"
            )
        return self.run(x_t, levels, context)
