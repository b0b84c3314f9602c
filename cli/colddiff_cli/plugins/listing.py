"""`colddiff plugins list`: everything that is installed, and in which state."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from colddiff_cli.options import Json
from colddiff_core.contracts.errors import UsageError
from colddiff_core.registry.hookspecs import KINDS
from colddiff_core.registry.inventory import STATUSES, inventory

if TYPE_CHECKING:
    from colddiff_core.registry.inventory import Entry

_HEADINGS = ("Name", "Kind", "Status", "Distribution", "Version", "Summary")

SCHEMA_VERSION = 1
"""Of the JSON; `list.schema.json` beside this file describes it."""


def list_plugins(
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help=f"Only these: {', '.join(KINDS)}.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help=f"Only these: {', '.join(STATUSES)}.")
    ] = None,
    as_json: Json = False,
    requirements: Annotated[
        bool,
        typer.Option(
            "--requirements", help="Print the distributions as `pip install -r` takes them."
        ),
    ] = False,
) -> None:
    """List every component, and every plugin that is broken, disabled or incompatible.

    Example: `colddiff plugins list --kind degradation`
    """
    if kind not in (None, *KINDS):
        raise UsageError(f"--kind {kind}: expected {', '.join(KINDS)}")
    if status not in (None, *STATUSES):
        raise UsageError(f"--status {status}: expected {', '.join(STATUSES)}")
    if as_json and requirements:
        raise UsageError("--json and --requirements: give one of them")
    entries = [
        entry
        for entry in inventory()
        if kind in (None, entry.kind) and status in (None, entry.status)
    ]
    if as_json:
        table = {"schema_version": SCHEMA_VERSION, "plugins": [asdict(entry) for entry in entries]}
        typer.echo(json.dumps(table, indent=2))
    elif requirements:
        for line in sorted({f"{entry.distribution}=={entry.version}" for entry in entries}):
            typer.echo(line)
    else:
        _print(entries)


def _print(entries: "list[Entry]") -> None:
    rows = [
        (
            entry.name,
            entry.kind or "-",
            entry.status,
            entry.distribution,
            entry.version,
            " ".join((entry.error or _said(entry)).split()),
        )
        for entry in entries
    ]
    if sys.stdout.isatty():
        _print_table(rows)
        return
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    for row in (_HEADINGS, *rows):  # a line for each, to be searched
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())


def _said(entry: "Entry") -> str:
    return ". ".join(filter(None, (entry.summary, entry.note)))


def _print_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Fold what is longer than the terminal is wide."""
    from rich.table import Table
    from rich.text import Text

    from colddiff_cli.console import out

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold", min_width=6)
    for row in rows:
        table.add_row(*map(Text, row))  # plain: a plugin's words are not our markup
    out.print(table, soft_wrap=False)
