"""Results go to stdout, everything else to stderr."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def show_log() -> None:
    """Print what the packages log, such as a picture that was skipped, to stderr."""
    logging.basicConfig(stream=sys.stderr, format="colddiff: %(message)s", level=logging.WARNING)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on stderr with room for a note; silent when that is no terminal."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    ) as display:
        yield display
