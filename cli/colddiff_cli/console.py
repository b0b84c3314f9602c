"""Results go to stdout, everything else to stderr.

Strings are printed as they are: what a file, a folder or a plugin is called is not our markup, and
cannot move the cursor.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress

_UNBOUNDED = 100_000  # columns


def escaped(text: str) -> str:
    r"""The text on one line: line ends, control characters and other unseen ones as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class _Console(Console):
    """Takes no string for markup, and escapes what would not print."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(
            stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False, soft_wrap=True
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string comes by here: of a line, a cell or a heading."""
        return super().render_str(escaped(text), **options)


IS_FIRST = os.environ.get("RANK", "0") == "0"
"""Whether this process is alone, or the one of several (`torchrun`) that has results to print."""

out = _Console(quiet=not IS_FIRST)
err = _Console(stderr=True)
if IS_FIRST and out.is_terminal and err.is_terminal:
    err = out  # so that lines and a progress bar on one screen know of each other


class _Log(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        err.print(f"colddiff: {record.getMessage()}")


def set_up() -> None:
    """Let no name fail to be printed, and print what the packages log."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(handlers=[_Log()], level=logging.WARNING)


def show_json(content: Mapping[str, Any]) -> None:
    """Print what `--json` asks for."""
    # ASCII, so that it is the same whatever the terminal can encode
    print(json.dumps({"schema_version": 1, **content}, indent=2))  # noqa: T201


def show_table(
    rows: Sequence[Sequence[str | Text]],
    headings: Sequence[str] = (),
    *,
    title: str | None = None,
    numbers: bool = False,
) -> None:
    """Print a table: folded to a terminal's width, elsewhere a line for each row.

    Args:
        rows: cells; without headings, the first of each row is its name.
        headings: of the columns.
        title: stands above.
        numbers: in all columns but the first.
    """
    table = Table(
        title=title,
        title_justify="left",
        box=None,
        pad_edge=False,
        show_header=bool(headings),
        header_style="bold",
    )
    for k, heading in enumerate(headings or [""] * len(rows[0])):
        table.add_column(
            heading,
            justify="right" if numbers and k else "left",
            style=None if headings or k else "bold",
            overflow="fold",
            min_width=len(heading),
        )
    for row in rows:
        table.add_row(*row)
    if out.is_terminal:
        out.print(table, soft_wrap=False)
        return
    table.width = out.measure(table, options=out.options.update_width(_UNBOUNDED)).maximum
    with out.capture() as lines:
        out.print(table)
    out.print(*(line.rstrip() for line in lines.get().splitlines()), sep="\n")


@contextmanager
def progress() -> Iterator["Progress"]:
    """A progress display on stderr with room for a note; silent when that is no terminal."""
    from rich import progress as parts  # 10 ms

    with parts.Progress(
        parts.SpinnerColumn(),
        parts.TextColumn("{task.description}"),
        parts.BarColumn(),
        parts.TaskProgressColumn(),
        parts.TextColumn("{task.fields[note]}"),
        parts.TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    ) as display:
        yield display


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress display that is told how many are done, and of how many."""
    with progress() as display:
        task = display.add_task(what, total=None, note="")
        yield lambda done, total: display.update(task, completed=done, total=total)
