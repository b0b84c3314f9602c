"""Run pictures through a model: whole where they fit, else in tiles; batches of one size."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from colddiff_core.contracts.errors import ColdDiffError, UsageError
from colddiff_core.contracts.locality import Locality
from colddiff_core.contracts.model import Images, Model
from colddiff_core.pictures.batches import Pixels, from_batch, tile, to_batch
from colddiff_core.restoration.estimating import Estimating
from colddiff_core.restoration.footprint import SHARE, free_memory, resident_memory
from colddiff_core.restoration.level import FoundLevel
from colddiff_core.restoration.simulation import Simulation
from colddiff_core.restoration.tiles import Tiling, restore_tiled, sample_tiles

_LARGEST_TILE = 1024  # pixels a side: larger ones share no less, and take longer to show progress

FAINT = 32  # pixels: what comes from farther through several steps is below 0.01 of 255

Schedule = Callable[[int], tuple[int, ...]]
"""From the level of a picture to the levels that are visited."""


@dataclass(frozen=True)
class Restored:
    """A result.

    Attributes:
        pixels: the picture; of a simulation, original, degraded and restored side by side.
        level: the level that the degraded picture was taken for.
        found: how that was found, if it was not given.
        notes: what the result lacks.
    """

    pixels: Pixels
    level: int
    found: FoundLevel | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Room:
    """How large a piece is restored at once.

    Attributes:
        batch_size: pictures, or tiles, at a time, at most.
        memory: bytes that the process may come to hold; by default a share of what is free.
        tile: side of the tiles, pixels; by the memory when None.
        overlap: pixels that neighbouring tiles share; by how far the model reaches when None.
    """

    batch_size: int = 16
    memory: int | None = None
    tile: int | None = None
    overlap: int | None = None

    def for_work(self, pixels: int) -> int:
        """Bytes that are left for tensors, beside pictures of so many bytes."""
        if self.memory is None:
            return int(free_memory() * SHARE)
        return self.memory - resident_memory() - pixels


class Engine:
    """How pictures are restored.

    Args:
        model: what restores them.
        schedule: the levels to visit from that of a picture.
        level: of all pictures; None to find that of each.
        source: degrades clean pictures, which are shown beside the results, or finds how the
            pictures were degraded.
        room: how large a piece is restored at once.
        on_pixels: called with how many pixels are restored since the last call.
    """

    def __init__(
        self,
        model: Model,
        schedule: Schedule,
        level: int | None,
        source: Simulation | Estimating,
        room: Room,
        on_pixels: Callable[[int], None] | None = None,
    ) -> None:
        self._model = model
        self._reach = model.locality.reach if model.locality else 0
        self._schedule = schedule
        self._level = level
        self._source = source
        self._room = room
        self._on_pixels = on_pixels or (lambda _: None)

    def __call__(self, pictures: Iterable[Pixels]) -> Iterator[Restored | ColdDiffError]:
        """Restore pictures, in order; neighbours of one size together.

        Yields:
            What came out, or why nothing did.
        """
        waiting: list[Pixels] = []
        for pixels in pictures:
            if waiting and (
                pixels.shape != waiting[0].shape
                or len(waiting) == self._together(*pixels.shape[:2])
            ):
                yield from self._each(waiting)
                waiting = []
            waiting.append(pixels)
        if waiting:
            yield from self._each(waiting)

    def _together(self, height: int, width: int) -> int:
        """How many images, or tiles, of a size are restored at once."""
        each = max(self._model.memory(height, width), 1)
        return max(1, min(self._room.batch_size, self._room.for_work(0) // each))

    def _each(self, pictures: list[Pixels]) -> Iterator[Restored | ColdDiffError]:
        """Restore pictures of one size; where that fails, find out which of them is to blame."""
        try:
            yield from list(self._restore(pictures))
        except (ColdDiffError, MemoryError) as error:
            if len(pictures) == 1:
                why = f"out of memory: {error}; restore it in smaller tiles"
                yield error if isinstance(error, ColdDiffError) else ColdDiffError(why)
                return
            for pixels in pictures:
                yield from self._each([pixels])

    def _restore(self, pictures: list[Pixels]) -> Iterator[Restored]:
        tiling = self._tiling(pictures[0])
        if isinstance(self._source, Estimating):
            height, width, _ = pictures[0].shape
            self._source.check_size(*(tiling.tile if tiling else (height, width)))
        if tiling is not None:
            for pixels in pictures:
                yield replace(self._tiled(pixels, tiling), notes=tuple(self._missed(tiling)))
            return
        batch = to_batch(pictures)
        if isinstance(self._source, Simulation):
            results = self._simulated(batch, self._source)
        elif self._level is None:
            results = self._each_from_its_own(batch, self._source)
        else:
            results = self._from(batch, self._level, self._source)
        for pixels, result in zip(pictures, results, strict=True):
            self._on_pixels(pixels.shape[0] * pixels.shape[1])
            yield result

    def _simulated(self, batch: Images, simulation: Simulation) -> Iterator[Restored]:
        x_t, context = simulation(batch)
        restored = self._model.restore(x_t, self._schedule(simulation.level), context)
        for row in zip(*map(from_batch, (batch, x_t, restored)), strict=True):
            yield Restored(tile([row]), simulation.level)

    def _from(self, x_t: Images, level: int, source: Estimating) -> Iterator[Restored]:
        levels = self._schedule(level)
        restored = self._model.restore(x_t, levels, source.context(x_t, levels))
        return (Restored(pixels, level) for pixels in from_batch(restored))

    def _each_from_its_own(self, x_t: Images, source: Estimating) -> Iterator[Restored]:
        """Find the levels, and restore together what has the same."""
        found = source.levels(x_t)
        results: dict[int, Restored] = {}
        for level in sorted({one.level for one in found}):
            places = [k for k, one in enumerate(found) if one.level == level]
            results |= zip(places, self._from(x_t[places], level, source), strict=True)
        for k, one in enumerate(found):
            yield replace(results[k], found=one)

    def _tiled(self, pixels: Pixels, tiling: Tiling) -> Restored:
        if isinstance(self._source, Simulation):
            x_t, _ = self._source(to_batch([pixels]))
            level = self._source.level
            restored = self._tiles(lambda rows, columns: x_t[0, :, rows, columns], tiling, level)
            return Restored(tile([(pixels, from_batch(x_t)[0], restored)]), level)

        def crop(rows: slice, columns: slice) -> Images:
            inside: Images = to_batch([pixels[rows, columns]])[0]
            return inside

        if self._level is not None:
            return Restored(self._tiles(crop, tiling, self._level), self._level)
        tiles = sample_tiles(crop, tiling)
        margin = min(self._reach, min(tiles.shape[2:]) // 4)
        found = self._source.level_of_all(tiles, margin=margin)
        return Restored(self._tiles(crop, tiling, found.level), found.level, found)

    def _missed(self, tiling: Tiling) -> Iterator[str]:
        """What tiles see otherwise than the whole picture would."""
        height, width = tiling.tile
        tiled = f"was restored in tiles of {height}x{width}"
        if 2 * self._reach > min(tiling.tile):
            yield (
                f"{tiled}, and the degradation reaches {self._reach} pixels: what lies beyond a "
                f"tile is missed, seams may show"
            )
        elif self._model.reach is None:
            yield f"{tiled} by a network that looks at all of an image: seams may show"

    def _tiles(self, crop: Callable[[slice, slice], Images], tiling: Tiling, level: int) -> Pixels:
        levels = self._schedule(level)

        def restore(tiles: Images) -> Images:
            source = self._source
            context = source.context(tiles, levels) if isinstance(source, Estimating) else None
            return self._model.restore(tiles, levels, context)

        return restore_tiled(
            restore,
            crop,
            tiling,
            channels=self._model.image_shape[0],
            batch_size=self._together(*tiling.tile),
            on_pixels=self._on_pixels,
        )

    def _tiling(self, pixels: Pixels) -> Tiling | None:
        """How to cut a picture; None where it is restored whole.

        Raises:
            UsageError: it does not fit whole, and a tile of D's result is not what D makes of it.
        """
        model, room = self._model, self._room
        height, width, channels = pixels.shape
        beside = 2 * pixels.size  # the result, and the file that it is written to
        budget = room.for_work(beside)
        if room.tile is None and _fits(model, height, width, budget):
            return None
        if room.tile is not None and room.tile >= max(height, width) and model.size is None:
            return None
        locality = model.locality
        if locality is None:
            raise UsageError(self._why_not_in_tiles(height, width))
        grid = math.lcm(locality.grid, model.size_multiple)
        tile = model.size
        if room.tile is not None:
            tile = (room.tile, room.tile)
        elif tile is None:
            side = self._side(width, channels, budget, grid)
            tile = (side, side)
        if model.size is None:  # two cells at least: the last tile of a picture may lack one
            tile = (max(tile[0] // grid, 2) * grid, max(tile[1] // grid, 2) * grid)
        overlap = room.overlap
        if overlap is None:
            steps = len(self._schedule(self._level or model.num_steps)) - 1
            overlap = default_overlap(min(tile), locality, model.reach, grid, steps)
        return Tiling((height, width), tile, overlap, grid)

    def _side(self, width: int, channels: int, budget: int, grid: int) -> int:
        """The largest side of a square tile that fits, beside the strip that is blended."""
        line = 12 * (channels + 1) * width  # the strip in float32, its copy, and what is returned
        side = _LARGEST_TILE
        while side > 4 * grid and self._model.memory(side, side) + side * line > budget:
            side = side * 3 // 4
        return max(side, 4 * grid)

    def _why_not_in_tiles(self, height: int, width: int) -> str:
        model, name = self._model, self._model.recipe.degradation.name
        if model.size is not None:
            rows, columns = model.size
            return (
                f"{model.name}: takes pictures of {rows}x{columns} pixels, this one is "
                f"{height}x{width}, and {name} is not local, so that it cannot be cut into tiles; "
                f"use --resize, the model folder, or a file exported for that size"
            )
        needed = math.ceil(model.memory(height, width) / 2**20)
        return (
            f"a picture of {height}x{width} takes about {needed} MiB, and {name} is not local: a "
            f"tile of its result is not what it makes of a tile; use --resize, or allow more with "
            f"--memory"
        )


def default_overlap(side: int, locality: Locality, reach: int | None, grid: int, steps: int) -> int:
    """What neighbouring tiles share, pixels: twice as far as a tile's border is felt.

    That is the reach of a step, of R and D together, n times for n steps; but what comes from
    afar through several steps is faint, see `FAINT`. It is half of a tile at most.

    Args:
        side: of the tiles.
        locality: of D.
        reach: of R; None counts as a few pixels, since no overlap would do.
        grid: tiles start at multiples of it.
        steps: n.
    """
    once = locality.reach + (min(side // 8, FAINT) if reach is None else reach)
    felt = max(once, min(steps * once, FAINT))
    return min(2 * felt, side // 2, side - grid)


def _fits(model: Model, height: int, width: int, budget: int) -> bool:
    if model.size is not None:
        exact = (height, width) == model.size
        within = height <= model.size[0] and width <= model.size[1]
        return exact or (within and model.locality is not None)
    return model.memory(height, width) <= budget
