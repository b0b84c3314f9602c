"""`colddiff recipes`: the experiments that come with the packages."""

import tomllib
from typing import Annotated

import typer

from colddiff_cli.console import out, show_json, show_table
from colddiff_cli.options import Json
from colddiff_core.models.recipe import packaged_recipes, recipe_text

app = typer.Typer(
    help="The experiments that can be trained by name.", no_args_is_help=True, add_completion=False
)


@app.command("list")
def list_recipes(as_json: Json = False) -> None:
    """List the recipes: what `colddiff train` takes by name."""
    rows = []
    for name, entry in packaged_recipes().items():
        table = tomllib.loads(entry.read_text(encoding="utf-8"))
        about = {key: str(table.get(key, "")) for key in ("summary", "source")}
        rows.append({"name": name, **about})
    if as_json:
        show_json({"recipes": rows})
    else:
        show_table([(row["name"], row["summary"]) for row in rows], ("Name", "Summary"))


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See `colddiff recipes list`.")],
) -> None:
    """Print a recipe as it stands, to read, or to start one of your own from.

    Example: `colddiff recipes show mnist-demo > mine.toml`
    """
    out.print(*recipe_text(name).splitlines(), sep="\n")
