"""Run pictures through a model, in batches or in tiles, holding no more than is at work."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from colddiff_cli.already_degraded import AlreadyDegraded, grouped
from colddiff_cli.simulation import Simulation
from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.exporter import ExportedModel
from colddiff_core.pictures.images import Pixels, from_batch, tile, to_batch
from colddiff_core.restoration.level import FoundLevel
from colddiff_core.restoration.tiles import Tiling, default_overlap, restore_tiled, sample_tiles

if TYPE_CHECKING:
    from colddiff_core.contracts.locality import Locality

Images = NDArray[np.float32]

Schedule = Callable[[int], tuple[int, ...]]
"""From the level of a picture to the levels that are visited."""


@dataclass(frozen=True)
class Restored:
    """A result.

    Attributes:
        pixels: the picture; of a simulation, original, degraded and restored side by side.
        level: the level that the degraded picture was taken for.
        found: how that was found, if it was not given.
    """

    pixels: Pixels
    level: int
    found: FoundLevel | None = None


class Restoring:
    """How pictures are restored.

    Args:
        model: what restores them.
        schedule: the levels to visit from that of a picture.
        level: of all pictures; None to find that of each.
        batch_size: pictures or tiles at a time.
        source: degrades clean pictures, which are shown beside the results, or finds how the
            pictures were degraded.
    """

    def __init__(
        self,
        model: ExportedModel,
        schedule: Schedule,
        level: int | None,
        batch_size: int,
        source: Simulation | AlreadyDegraded,
    ) -> None:
        self._model = model
        self._schedule = schedule
        self._level = level
        self._batch_size = batch_size
        self._source = source

    def batched(self, pictures: Iterable[Pixels]) -> Iterator[Restored]:
        """Restore pictures of the model's size."""
        coming = iter(pictures)
        while some := list(itertools.islice(coming, self._batch_size)):
            batch = to_batch(some)
            if isinstance(self._source, Simulation):
                yield from self._simulated(batch, self._source)
            elif self._level is None:
                yield from self._each_from_its_own(batch, self._source)
            else:
                yield from self._from(batch, self._level, self._source)

    def _simulated(self, batch: Images, simulation: Simulation) -> Iterator[Restored]:
        x_t, context = simulation(batch)
        restored = self._model.restore(x_t, self._schedule(simulation.level), context)
        for row in zip(*map(from_batch, (batch, x_t, restored)), strict=True):
            yield Restored(tile([row]), simulation.level)

    def _from(self, x_t: Images, level: int, source: AlreadyDegraded) -> Iterator[Restored]:
        levels = self._schedule(level)
        restored = self._model.restore(x_t, levels, source.context(x_t, levels))
        return (Restored(pixels, level) for pixels in from_batch(restored))

    def _each_from_its_own(self, x_t: Images, source: AlreadyDegraded) -> Iterator[Restored]:
        """Find the levels, and restore together what has the same."""
        found = [source.level(x[None]) for x in x_t]
        results: dict[int, Restored] = {}
        for level, places in grouped([one.level for one in found]).items():
            restored = self._from(x_t[places], level, source)
            results.update(zip(places, restored, strict=True))
        for k, one in enumerate(found):
            yield replace(results[k], found=one)

    def tiled(self, overlap: int | None) -> Callable[[Pixels], Restored]:
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

        def restore(pixels: Pixels) -> Restored:
            tiling = Tiling(pixels.shape[:2], side, shared, locality.grid)
            if isinstance(self._source, Simulation):
                x_t, level = self._source.whole(pixels, locality.grid), self._source.level
                restored = self._tiles(lambda rows, columns: x_t[:, rows, columns], tiling, level)
                return Restored(tile([(pixels, from_batch(x_t[None])[0], restored)]), level)

            def crop(rows: slice, columns: slice) -> Images:
                inside: Images = to_batch([pixels[rows, columns]])[0]
                return inside

            if self._level is not None:
                return Restored(self._tiles(crop, tiling, self._level), self._level)
            margin = min(locality.reach, min(side) // 4)
            found = self._source.level(sample_tiles(crop, tiling), margin)
            return Restored(self._tiles(crop, tiling, found.level), found.level, found)

        return restore

    def _tiles(self, crop: Callable[[slice, slice], Images], tiling: Tiling, level: int) -> Pixels:
        levels = self._schedule(level)

        def restore(tiles: Images) -> Images:
            source = self._source
            context = source.context(tiles, levels) if isinstance(source, AlreadyDegraded) else None
            return self._model.restore(tiles, levels, context)

        return restore_tiled(restore, crop, tiling, batch_size=self._batch_size)

    def _locality(self) -> "Locality":
        locality: Locality | None = getattr(self._model, "locality", None)
        if locality is None:
            name = self._model.recipe.degradation.name
            raise UsageError(
                f"--tile: {name} is not local, a tile of its result is not what it makes of a "
                "tile; use --resize"
            )
        return locality
