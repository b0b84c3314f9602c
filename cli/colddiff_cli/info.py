"""`colddiff info`: what a model folder or an exported file says about itself."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from colddiff_cli.options import Json


def info(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model folder or an exported file.")
    ],
    as_json: Json = False,
) -> None:
    """Print recipe, schedule, versions and training figures; nothing is run.

    Example: `colddiff info digits.onnx`
    """
    from colddiff_cli.models import describe_model

    facts = describe_model(model)
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "path": str(model), **facts}, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    from colddiff_cli.console import out

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(facts):
        table.add_row(name, Text(value))  # plain: what a file says is not our markup
    out.print(table, soft_wrap=False)


def _rows(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for item in value:
                yield f"{prefix}{name}", "  ".join(str(part) for part in item.values())
        elif value not in ("", None):
            yield f"{prefix}{name}", _short(value)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
