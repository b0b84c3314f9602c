"""Checkpoints: `checkpoints/0000500.safetensors` and, beside each, its SHA-256 in `….sha256`.

The tensors are plain safetensors; everything else that a run needs to go on is JSON in the file's
metadata. Nothing is ever unpickled. The hash is written last, in the format of `sha256sum`, so a
file without one is a save that was cut short. Imports no torch until tensors are read or written.
"""

import hashlib
import io
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from colddiff_core.contracts.errors import CheckpointError
from colddiff_core.disk import open_regular, os_errors_as, read_bounded, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINTS = "checkpoints"
_TENSORS, _HASH = ".safetensors", ".sha256"
_FACTS = "colddiff"  # key in the metadata of a safetensors file
_MAX_HEADER = 100_000_000  # bytes, what safetensors itself accepts
_MAX_BYTES = 1 << 36
_MAX_HASH = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: steps done.
        loss: that was logged last; None before the first line.
        seconds: that the run took, in all its parts.
        resumed_at: steps after which it was resumed.
    """

    step: int = 0
    loss: float | None = None
    seconds: float = 0.0
    resumed_at: tuple[int, ...] = ()


class _Facts(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    recipe: dict[str, Any]
    images: int
    data_digest: str
    versions: dict[str, str]
    progress: Progress
    ema_updates: int
    scaler: dict[str, float]


@dataclass(frozen=True)
class Checkpoint:
    """A run as it was after a step.

    Attributes:
        step: steps done.
        facts: what JSON can say: recipe, versions, counters.
        tensors: everything else, on the CPU.
    """

    step: int
    facts: Mapping[str, Any]
    tensors: Mapping[str, "Tensor"]


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / CHECKPOINTS
        self._damaged: list[Path] = []

    def save(self, checkpoint: Checkpoint, keep: int) -> None:
        """Write a checkpoint, then remove all but the newest `keep`.

        Raises:
            UsageError: it cannot be written; those before are still there.
        """
        from safetensors.torch import save

        path = self._path(checkpoint.step)
        content = save(dict(checkpoint.tensors), {_FACTS: json.dumps(checkpoint.facts)})
        digest = hashlib.sha256(content).hexdigest()
        write_atomically(path, content)
        write_atomically(path.with_suffix(_HASH), f"{digest}  {path.name}\n")
        older = [known for known in self.paths() if known not in (path, *self._damaged)]
        for old in {*self._damaged, *older[keep - 1 :]} - {path}:
            with suppress(OSError):
                old.with_suffix(_HASH).unlink(missing_ok=True)
                old.unlink(missing_ok=True)
        self._damaged.clear()

    def newest(self) -> Checkpoint | None:
        """The newest that is whole; each newer one that is not is told.

        Returns:
            None where there are none.

        Raises:
            CheckpointError: there are some, and none of them is whole.
        """
        paths = self.paths()
        for path in paths:
            try:
                checkpoint = _read(path)
            except CheckpointError as error:
                _log.warning("%s; trying the one before", error)
                self._damaged.append(path)
            else:
                return checkpoint
        if paths:
            raise CheckpointError(
                f"{self.folder}: none of the {len(paths)} checkpoints can be read; restore one "
                f"from a backup, or remove the folder to train from the start"
            )
        return None

    def precision(self) -> str | None:
        """That of the run, if it has begun; see `TrainTable.precision`."""
        for path in self.paths():
            with suppress(CheckpointError, LookupError, TypeError):
                return str(read_facts(path)["recipe"]["train"]["precision"])
        return None

    def paths(self) -> list[Path]:
        """Files of tensors, the newest first."""
        found = [path for path in self.folder.glob(f"*{_TENSORS}") if path.stem.isdecimal()]
        return sorted(found, key=lambda path: int(path.stem), reverse=True)

    def _path(self, step: int) -> Path:
        return self.folder / f"{step:07d}{_TENSORS}"


def read_facts(path: Path) -> Mapping[str, Any]:
    """The facts of a checkpoint, from the first bytes of its file; the hash is not checked.

    Raises:
        CheckpointError: it is not a checkpoint.
    """
    with os_errors_as(CheckpointError, path), open_regular(path, _MAX_BYTES) as file:
        return _facts(file, path)


def _facts(file: BinaryIO, path: Path) -> dict[str, Any]:
    size = int.from_bytes(file.read(8), "little")
    header = file.read(min(size, _MAX_HEADER))
    try:
        text = json.loads(header)["__metadata__"][_FACTS]
        _Facts.model_validate_json(text)
        return dict(json.loads(text))
    except ValidationError as error:
        wrong = ".".join(map(str, error.errors()[0]["loc"]))
        raise CheckpointError(f"{path}: not a checkpoint: {wrong} is missing or wrong") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a checkpoint: {error}") from error


def _read(path: Path) -> Checkpoint:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = read_bounded(path, _MAX_BYTES)
        recorded = read_bounded(path.with_suffix(_HASH), _MAX_HASH).decode(errors="replace")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: was not saved to the end") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    if recorded.split() != [hashlib.sha256(content).hexdigest(), path.name]:
        raise CheckpointError(f"{path}: damaged, it does not have the recorded SHA-256")
    facts = _facts(io.BytesIO(content), path)
    try:
        return Checkpoint(int(path.stem), facts, load(content))
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged: {error}") from error
