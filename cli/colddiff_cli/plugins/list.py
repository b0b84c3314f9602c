"""`colddiff plugins list`: everything that is installed, and in which state.

`list.schema.json` beside this file describes the JSON.
"""

from dataclasses import asdict
from typing import Annotated

import typer

from colddiff_cli.console import out, show_json, show_table
from colddiff_cli.options import Json, Kind, flag, option
from colddiff_core.contracts.errors import UsageError
from colddiff_core.registry.inventory import STATUSES, Installed, inventory

app = typer.Typer(add_completion=False)
_HEADINGS = ("Name", "Kind", "Status", "Distribution", "Version", "Summary")


@app.command("list")
def list_plugins(
    kind: Kind = None,
    status: Annotated[str | None, option("STATUS", f"Only these: {', '.join(STATUSES)}.")] = None,
    as_json: Json = False,
    requirements: Annotated[
        bool, flag("--requirements", "Print the distributions as `pip install -r` takes them.")
    ] = False,
) -> None:
    """List every component, and every plugin that is broken, disabled or incompatible.

    Example: `colddiff plugins list --kind degradation`
    """
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
        show_json({"plugins": [asdict(entry) for entry in entries]})
    elif requirements:
        lines = sorted({f"{entry.distribution}=={entry.version}" for entry in entries})
        out.print(*lines, sep="\n")
    else:
        show_table([_row(entry) for entry in entries], _HEADINGS)


def _row(entry: Installed) -> tuple[str, ...]:
    said = entry.error or ". ".join(filter(None, (entry.summary, entry.note)))
    one_line = " ".join(said.split())
    kind = entry.kind or "-"
    return entry.name, kind, entry.status, entry.distribution, entry.version, one_line
