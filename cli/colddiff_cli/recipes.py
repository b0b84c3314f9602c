"""`colddiff recipes`: the experiments that come with the packages."""

import json
from typing import Annotated

import typer

from colddiff_cli.options import Json

app = typer.Typer(help="The experiments that can be trained by name.", no_args_is_help=True)


@app.command("list")
def list_recipes(
    as_json: Json = False,
) -> None:
    """List the recipes: what `colddiff train` takes by name."""
    import tomllib

    from colddiff_core.models.recipe import packaged_recipes

    tables = {
        name: tomllib.loads(entry.read_text(encoding="utf-8"))
        for name, entry in packaged_recipes().items()
    }
    rows = [
        {"name": name, "summary": table.get("summary", ""), "source": table.get("source", "")}
        for name, table in tables.items()
    ]
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "recipes": rows}, indent=2))
        return
    from rich.table import Table

    from colddiff_cli.console import out

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Name", no_wrap=True)
    table.add_column("Summary", overflow="fold")
    for row in rows:
        table.add_row(row["name"], row["summary"])
    out.print(table, soft_wrap=False)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See `colddiff recipes list`.")],
) -> None:
    """Print a recipe as it stands, to read, or to start one of your own from.

    Example: `colddiff recipes show mnist-demo > mine.toml`
    """
    from colddiff_core.models.recipe import recipe_text

    typer.echo(recipe_text(name), nl=False)
