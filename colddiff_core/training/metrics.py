"""`metrics.jsonl`: one line for each logged step, without gaps or repeats. Imports no torch."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from colddiff_core.contracts.errors import UsageError
from colddiff_core.contracts.steps import TrainingStep
from colddiff_core.disk import os_errors_as, read_bounded, write_atomically

METRICS = "metrics.jsonl"
_MAX_BYTES = 1 << 30


class MetricsFile:
    """Appends lines to a run's `metrics.jsonl`; a context manager.

    Args:
        folder: of the run.
        after: the step that the run goes on from: later lines, which a resumed run writes again,
            and a last line that a dead process left unfinished are removed.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, folder: Path, after: int) -> None:
        self.path = folder / METRICS
        kept = [json.dumps(line) for line in read_lines(folder) if line["step"] <= after]
        write_atomically(self.path, "".join(line + "\n" for line in kept))
        self._file = self.path.open("ab", buffering=0)

    def write(self, line: TrainingStep) -> None:
        """Append a line.

        Raises:
            UsageError: it cannot be written, or not all of it.
        """
        values = asdict(line)
        if not math.isfinite(line.loss):
            values["loss"] = None  # JSON has no word for it
        content = (json.dumps(values) + "\n").encode()
        with os_errors_as(UsageError, f"{self.path}: cannot be written"):
            whole = self._file.write(content) == len(content)
        if not whole:
            raise UsageError(f"{self.path}: cannot be written: the disk is full")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of a run's `metrics.jsonl` that can be read; none if there is no such file.

    Raises:
        UsageError: it is there and cannot be opened.
    """
    path = folder / METRICS
    try:
        content = read_bounded(path, _MAX_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    for text in content.splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            yield line
