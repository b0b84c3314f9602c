"""`colddiff plugins`: what is installed."""

import json
from typing import Annotated, Any

import typer

app = typer.Typer(help="What is installed: built-in and third-party components.")


@app.callback(invoke_without_command=True)
def plugins(ctx: typer.Context) -> None:
    """What is installed: built-in and third-party components."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


@app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List every component, and every distribution whose plugin is broken."""
    rows = _rows()
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "plugins": rows}, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    from colddiff_cli.console import out

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Name", "Kind", "Status", "Distribution", "Summary"):
        table.add_column(column, overflow="fold", min_width=6)
    for row in rows:
        cells = (
            row["name"],
            row["kind"] or "-",
            row["status"],
            f"{row['distribution']} {row['version']}",
            row["error"] or row["summary"],
        )
        table.add_row(*map(Text, cells))  # plain: a plugin's words are not our markup
    out.print(table, soft_wrap=False)


def _rows() -> list[dict[str, Any]]:
    from colddiff_core.registry import registry

    found = registry()
    rows: list[dict[str, Any]] = [
        {
            "name": item.name,
            "kind": item.kind,
            "status": "shadowed" if found.is_shadowed(item) else "active",
            "distribution": item.distribution,
            "version": item.version,
            "summary": item.component.summary,
            "aliases": list(item.component.aliases),
            "error": None,
        }
        for item in found.components()
    ]
    rows += [
        {
            "name": plugin.entry_point,
            "kind": None,
            "status": "broken",
            "distribution": plugin.distribution,
            "version": plugin.version,
            "summary": "",
            "aliases": [],
            "error": plugin.error,
        }
        for plugin in found.plugins
        if plugin.error
    ]
    return rows
