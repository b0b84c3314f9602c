"""Runs read back from their folders, finished or not. Imports no torch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from colddiff_core.contracts.errors import CheckpointError, RecipeError, UsageError
from colddiff_core.disk import read_toml
from colddiff_core.models.facts import RECIPE
from colddiff_core.models.recipe import parse_recipe
from colddiff_core.training.checkpoint import Checkpoints, read_facts
from colddiff_core.training.lock import is_locked
from colddiff_core.training.metrics import METRICS, read_lines

State = Literal["finished", "running", "stopped", "damaged"]


@dataclass(frozen=True)
class RunRecord:
    """What a run's folder says.

    Attributes:
        folder: of the run.
        state: finished (it holds a model), running (a process holds it), stopped, or damaged: it
            cannot be read.
        recipe: the resolved recipe; empty where there is neither a model nor a checkpoint.
        lines: of `metrics.jsonl`, in the order of steps.
        saved: the steps of its checkpoints, the newest first.
        changed: when a line was last written, if that is known.
        error: why it cannot be read.
    """

    folder: Path
    state: State
    recipe: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    saved: Sequence[int]
    changed: datetime | None = None
    error: str | None = None

    def summary(self) -> dict[str, Any]:
        """What a list of runs shows, in types of JSON."""
        last = self.lines[-1] if self.lines else {}
        names = {key: self.recipe.get(key, {}).get("name") for key in ("data", "degradation")}
        return {
            "run": str(self.folder),
            "state": self.state,
            "step": last.get("step", 0),
            "steps": last.get("steps") or self.recipe.get("train", {}).get("steps"),
            "loss": last.get("loss"),
            **names,
            "saved": list(self.saved),
            "changed": self.changed and self.changed.isoformat(timespec="seconds"),
            "error": self.error,
        }


def find_runs(folders: Iterable[Path]) -> Iterator[RunRecord]:
    """The runs among `folders` and what lies directly in them, by path, damaged ones too.

    Raises:
        UsageError: there is no such folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
        for candidate in (folder, *sorted(folder.iterdir())):
            try:
                if (candidate / METRICS).is_file():
                    yield read_run(candidate)
            except (UsageError, OSError) as error:
                yield RunRecord(candidate, "damaged", {}, (), (), error=str(error))


def read_run(folder: Path) -> RunRecord:
    """Read a run.

    Raises:
        UsageError: the folder holds none.
    """
    path = folder / METRICS
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        raise UsageError(f"{folder}: not a run, it has no {METRICS}") from None
    checkpoints = Checkpoints(folder).paths()
    state: State = "running" if is_locked(folder) else "stopped"
    return RunRecord(
        folder,
        "finished" if (folder / RECIPE).exists() else state,
        _recipe(folder, checkpoints),
        [
            {key: value for key, value in line.items() if isinstance(value, int | float | None)}
            for line in sorted(read_lines(folder), key=lambda line: line["step"])
        ],
        [int(path.stem) for path in checkpoints],
        changed,
    )


def _recipe(folder: Path, checkpoints: Iterable[Path]) -> Mapping[str, Any]:
    """The recipe of the model, or else of the newest checkpoint; empty where none is whole."""
    with suppress(RecipeError):
        return _checked(read_toml(folder / RECIPE))
    for path in checkpoints:
        with suppress(CheckpointError, RecipeError):
            return _checked(read_facts(path)["recipe"])
    return {}


def _checked(recipe: dict[str, Any]) -> Mapping[str, Any]:
    parse_recipe(recipe, where=RECIPE)
    return recipe
