"""Run pictures through a model, in batches or in tiles, holding no more than is at work."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colddiff_core.errors import UsageError
from colddiff_core.exporter import ExportedModel
from colddiff_core.images import Pixels, from_batch, tile, to_batch
from colddiff_core.tiles import Tiling, default_overlap, restore_tiled

if TYPE_CHECKING:
    from colddiff_core.degradation import Degradation
    from colddiff_core.locality import Locality

Images = NDArray[np.float32]


class Restoring:
    """How pictures are restored.

    Args:
        model: what restores them.
        levels: the schedule.
        batch_size: pictures or tiles at a time.
        seed: to degrade clean pictures first, and to show them beside the results; None when the
            pictures are degraded already.
    """

    def __init__(
        self, model: ExportedModel, levels: tuple[int, ...], batch_size: int, seed: int | None
    ) -> None:
        self._model = model
        self._levels = levels
        self._batch_size = batch_size
        self._simulation = None if seed is None else _Simulation(model, levels[0], seed)

    def batched(self, pictures: Iterable[Pixels]) -> Iterator[Pixels]:
        """Restore pictures of the model's size."""
        coming = iter(pictures)
        while some := list(itertools.islice(coming, self._batch_size)):
            batch = to_batch(some)
            x_t, context = self._simulation(batch) if self._simulation else (batch, None)
            restored = from_batch(self._model.restore(x_t, self._levels, context))
            if self._simulation:
                rows = zip(from_batch(batch), from_batch(x_t), restored, strict=True)
                yield from (tile([row]) for row in rows)
            else:
                yield from restored

    def tiled(self, overlap: int | None) -> Callable[[Pixels], Pixels]:
        """A function that restores a picture of any size.

        Args:
            overlap: pixels that neighbouring tiles share; by the degradation's reach when None.

        Raises:
            UsageError: the degradation is not local, or the overlap does not fit the tiles.
        """
        locality = self._locality()
        side = self._model.image_shape[1:]
        shared = default_overlap(side, locality) if overlap is None else overlap
        Tiling(side, side, shared, locality.grid)  # a bad overlap is told before any work
        if 2 * locality.reach > min(side):
            from colddiff_cli.console import err

            err.print(
                f"colddiff: the degradation reaches {locality.reach} pixels and the tiles are "
                f"{side[0]}x{side[1]}: what lies beyond a tile is missed, seams may show"
            )

        def restore(pixels: Pixels) -> Pixels:
            tiling = Tiling(pixels.shape[:2], side, shared, locality.grid)
            if self._simulation is None:
                return self._restored(lambda rows, columns: _crop(pixels, rows, columns), tiling)
            x_t = self._simulation.whole(pixels, locality.grid)
            restored = self._restored(lambda rows, columns: x_t[:, rows, columns], tiling)
            return tile([(pixels, from_batch(x_t[None])[0], restored)])

        return restore

    def _restored(self, crop: Callable[[slice, slice], Images], tiling: Tiling) -> Pixels:
        return restore_tiled(
            lambda tiles: self._model.restore(tiles, self._levels),
            crop,
            tiling,
            batch_size=self._batch_size,
        )

    def _locality(self) -> "Locality":
        locality: Locality | None = getattr(self._model, "locality", None)
        if locality is None:
            name = self._model.recipe.degradation.name
            raise UsageError(
                f"--tile: {name} is not local, a tile of its result is not what it makes of a "
                "tile; use --resize"
            )
        return locality


class _Simulation:
    """Degrade clean pictures with the model's own operator."""

    def __init__(self, model: ExportedModel, level: int, seed: int) -> None:
        try:
            import torch
        except ImportError:
            raise UsageError(
                "--simulate: degrading takes torch, which is not installed; pip install torch, or "
                "give pictures that are degraded already"
            ) from None

        self._table = model.recipe.degradation
        self._level = level
        self._generator = torch.Generator().manual_seed(seed)
        self._degradation = self._built(model.image_shape)

    def __call__(self, x0: Images) -> tuple[Images, Mapping[str, Any]]:
        """Degrade a batch: (x_t, context)."""
        import torch

        clean = torch.from_numpy(x0)
        context = self._degradation.sample_context(clean, self._generator)
        x_t = self._degradation(clean, torch.full((len(clean),), self._level), context)
        return x_t.numpy(), {name: value.numpy() for name, value in context.items()}

    def whole(self, pixels: Pixels, grid: int) -> Images:
        """Degrade one picture of any size, (C, H, W), mirrored up to multiples of `grid`."""
        import torch

        height, width, channels = pixels.shape
        beyond = [(0, -side % grid) for side in (height, width)]
        padded = np.pad(pixels, [*beyond, (0, 0)], mode="symmetric")
        degradation = self._built((channels, padded.shape[0], padded.shape[1]))
        x0 = torch.from_numpy(to_batch([padded]))
        context = degradation.sample_context(x0, self._generator)
        x_t: torch.Tensor = degradation(x0, torch.tensor([self._level]), context)
        inside: Images = x_t[0, :, :height, :width].numpy()
        return inside

    def _built(self, shape: tuple[int, int, int]) -> "Degradation":
        from colddiff_core.recipe import build_table

        built: Degradation = build_table("degradation", self._table, image_shape=shape)
        return built


def _crop(pixels: Pixels, rows: slice, columns: slice) -> Images:
    inside: Images = to_batch([pixels[rows, columns]])[0]
    return inside
