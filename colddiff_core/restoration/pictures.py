"""Restore picture files: what Python does in a few lines, and the command line in one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.errors import ColdDiffError, UsageError
from colddiff_core.contracts.model import Model
from colddiff_core.pictures.batches import Pixels, fit, to_channels
from colddiff_core.pictures.reading import read_picture, software_of
from colddiff_core.pictures.writing import SOFTWARE, write_image
from colddiff_core.restoration.engine import Engine, Restored, Room, Schedule
from colddiff_core.restoration.estimating import Estimating
from colddiff_core.restoration.hints import PictureHints, read_hints
from colddiff_core.restoration.opening import as_model
from colddiff_core.restoration.simulation import Simulation

if TYPE_CHECKING:
    from colddiff_core.process import ColdDiffusion


@dataclass(frozen=True)
class PictureResult:
    """What became of a picture.

    Attributes:
        source: the file that was read.
        output: the file that was written; None if the picture could not be restored.
        restored: pixels and level; None if it could not be restored.
        notes: what was changed on the way, or could not be preserved.
        error: why it could not be restored.
    """

    source: Path
    output: Path | None = None
    restored: Restored | None = None
    notes: tuple[str, ...] = ()
    error: ColdDiffError | None = None


def restore_pictures(
    model: "Model | Path | str | ColdDiffusion",
    pictures: Iterable[Path | str] | Path | str,
    output: Path | str,
    *,
    level: int | Literal["auto"] | None = None,
    steps: int | None = None,
    timesteps: Sequence[int] | None = None,
    hints: PictureHints | None = None,
    simulate: bool = False,
    seed: int = 0,
    resize: bool = False,
    room: Room | None = None,
    overwrite: bool = False,
    on_pixels: Callable[[int], None] | None = None,
) -> Iterator[PictureResult]:
    """Restore pictures of any size and write each as `output`/NAME.png.

    A picture that cannot be read or restored is returned with its error, and the others go on.

    Args:
        model: what restores them, or what `open_model` takes.
        pictures: the files, or one.
        output: the folder; made if it does not exist.
        level: how degraded the pictures are, 1 to T; "auto" finds the level of each. T when None.
        steps: so many steps, evenly spaced; those of the model when None.
        timesteps: the levels to visit, from that of the pictures down to 0.
        hints: what is known of their degradation.
        simulate: the pictures are clean: degrade them first, and write original, degraded and
            restored side by side.
        seed: of what a simulation draws.
        resize: bring the pictures to the size of the model's training.
        room: how large a piece is restored at once.
        overwrite: replace files that this function has not written.
        on_pixels: called with how many pixels are restored since the last call.

    Yields:
        What became of each picture, in order of their completion.

    Raises:
        UsageError: options exclude each other or do not fit the model, or a file would be
            overwritten. Nothing has been written then.
    """
    opened = as_model(model)
    pictures = [pictures] if isinstance(pictures, str | Path) else pictures
    paths, hints = [Path(path) for path in pictures], hints or PictureHints()
    targets = _targets(paths, Path(output), hints.files, overwrite=overwrite)
    start, schedule = chosen_schedule(opened, level=level, steps=steps, timesteps=timesteps)
    source: Simulation | Estimating
    if simulate:
        if hints.given or start is None:
            raise UsageError("simulate: draws what a hint would tell, at a level that is known")
        source = Simulation(opened, start, seed)
    else:
        source = Estimating(opened, read_hints(opened.image_shape, hints, resize=resize))
    engine = Engine(opened, schedule, start, source, room or Room(), on_pixels)
    return _results(engine, opened, targets, resize=resize)


def chosen_schedule(
    model: Model,
    *,
    level: int | Literal["auto"] | None = None,
    steps: int | None = None,
    timesteps: Sequence[int] | None = None,
) -> tuple[int | None, Schedule]:
    """The level that images are taken for, and the levels to visit from there.

    Returns:
        The level, None if it is to be found, and the schedule from any level found.

    Raises:
        UsageError: two of them exclude each other, or it is no schedule for the model.
    """
    most = model.num_steps
    if timesteps is not None:
        if steps is not None or level is not None:
            other = "steps" if steps is not None else "level"
            raise UsageError(f"{other} and timesteps: give one of them; timesteps say both")
        levels = schedules.checked(timesteps, most)
        return levels[0], lambda _: levels
    if steps is not None:
        schedules.evenly(most, steps)  # too many are an error before any work
    if level is not None and level != "auto":
        level = schedules.checked_level(level, most)

    def visited(t: int) -> tuple[int, ...]:
        if steps is None:
            return model.schedule(t)
        return schedules.evenly(t, min(steps, t) if level == "auto" else steps)

    start = None if level == "auto" else level or most
    if start is not None:
        visited(start)
    return start, visited


def _results(
    engine: Engine, model: Model, targets: dict[Path, Path], *, resize: bool
) -> Iterator[PictureResult]:
    restoring: deque[PictureResult] = deque()
    failed: list[PictureResult] = []

    def read() -> Iterator[Pixels]:
        for path in targets:
            try:
                pixels, notes = _read(path, model, resize=resize)
            except ColdDiffError as error:
                failed.append(PictureResult(path, error=error))
            else:
                restoring.append(PictureResult(path, notes=notes))
                yield pixels

    for result in engine(read()):
        yield from failed
        failed.clear()
        picture = restoring.popleft()
        if isinstance(result, ColdDiffError):
            yield PictureResult(picture.source, error=result)
            continue
        target = targets[picture.source]
        write_image(target, result.pixels)
        notes = (*picture.notes, *result.notes)
        yield PictureResult(picture.source, target, result, notes)
    yield from failed


def _read(path: Path, model: Model, *, resize: bool) -> tuple[Pixels, tuple[str, ...]]:
    channels, height, width = model.image_shape
    picture = read_picture(path)
    pixels, notes = picture.pixels, picture.notes
    if pixels.shape[2] != channels and channels in (1, 3):
        wanted = "grey" if channels == 1 else "colour"
        notes = (*notes, f"was converted to {wanted}, which is what the model restores")
        pixels = to_channels(pixels, channels)
    return (fit(pixels, height, width) if resize else pixels), notes


def _targets(
    pictures: Sequence[Path], folder: Path, hints: Sequence[Path], *, overwrite: bool
) -> dict[Path, Path]:
    """What each picture is written to; nothing that is not ours is replaced."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: expected a folder to write to, this is a file")
    targets: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    read = {path.resolve() for path in (*pictures, *hints)}
    for picture in pictures:
        target = folder / f"{picture.stem}.png"
        if target in taken:
            raise UsageError(f"{taken[target]} and {picture} would both be written to {target}")
        if target.resolve() in read:
            raise UsageError(f"{target} is read, and would be overwritten; name another folder")
        if target.exists() and not overwrite and software_of(target) != SOFTWARE:
            raise UsageError(
                f"{target}: is there already, and was not restored by colddiff; name another "
                "folder, or replace it with --overwrite"
            )
        targets[picture] = target
        taken[target] = picture
    return targets
