"""`colddiff plugins info`: all about one component or plugin."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from colddiff_core.registry.components import Registered
    from colddiff_core.registry.inventory import Entry

_SHAPES = ((3, 32, 32), (1, 32, 32))  # of the images that a degradation is built for, to ask it


def info(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A component, name@distribution, a distribution or entry point."
        ),
    ],
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Where two kinds have that name.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for programs, with the JSON Schema.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print only the JSON Schema of the parameters.")
    ] = False,
) -> None:
    """Show what a component is, where it comes from, its parameters and its context.

    Of a plugin that is broken, disabled or incompatible: why.

    Example: `colddiff plugins info gaussian-blur`
    """
    from colddiff_core.contracts.errors import ColdDiffError

    found = [_describe(entry) for entry in _matches(name, kind)]
    if schema:
        for about in found:
            if about["schema"] is None:
                raise ColdDiffError(f"{about['name']}: {about['error']}")
            typer.echo(json.dumps(about["schema"], indent=2))
    elif as_json:
        typer.echo(json.dumps({"schema_version": 1, "plugins": found}, indent=2))
    else:
        for about in found:
            _print(about)


def _matches(name: str, kind: str | None) -> "list[Entry]":
    from colddiff_core.contracts.errors import UnknownComponentError
    from colddiff_core.registry.inventory import inventory
    from colddiff_core.registry.switches import normalized

    everything = [entry for entry in inventory() if kind in (None, entry.kind)]
    components = [entry for entry in everything if name in entry.spellings]
    if found := components or [
        entry for entry in everything if normalized(entry.distribution) == normalized(name)
    ]:
        return found
    from difflib import get_close_matches

    names = sorted({entry.name for entry in everything})
    nearest = get_close_matches(name, names, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else "see `colddiff plugins list`"
    raise UnknownComponentError(f"nothing is named {name!r}; {hint}")


def _describe(entry: "Entry") -> dict[str, Any]:
    about: dict[str, Any] = {
        **asdict(entry),
        "target": None,
        "description": "",
        "parameters": None,
        "context": None,
        "schema": None,
    }
    if entry.kind is None or entry.error is not None:
        return about
    from colddiff_core.contracts.errors import ColdDiffError
    from colddiff_core.registry.components import registry
    from colddiff_core.registry.schema import Parameters

    item = registry().find(entry.kind, f"{entry.name}@{entry.distribution}")
    about["target"] = item.component.target
    try:
        cls = item.load()
        parameters = Parameters.of(cls)
    except ColdDiffError as error:  # what its source did not tell
        return {**about, "status": "broken", "error": str(error)}
    about["description"] = _first_paragraph(cls.__doc__ or "")
    about["parameters"] = parameters.describe()
    about["schema"] = parameters.json_schema()
    if entry.kind == "degradation":
        about["context"] = _context(item)
    return about


def _context(item: "Registered") -> dict[str, dict[str, Any]] | None:
    """Names, types and shapes of the context tensors; None if the defaults do not build."""
    from colddiff_core.contracts.errors import ParameterError
    from colddiff_core.registry.components import registry

    for shape in _SHAPES:
        try:
            degradation = registry().build(item.kind, item.identity)
            degradation.check(shape)
        except ParameterError:
            continue
        return {
            name: {"dtype": str(spec.dtype).removeprefix("torch."), "shape": list(spec.shape)}
            for name, spec in degradation.context_spec(shape).items()
        }
    return None


def _print(about: Mapping[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from colddiff_cli.console import out

    kind = about["kind"] or "plugin"
    out.print(Text(f"{about['name']}  ({kind}, {about['status']})", style="bold"))
    facts = {
        "": about["error"] or about["note"],
        "Summary": about["summary"],
        "From": f"{about['distribution']} {about['version']}",
        "Class": about["target"],
        "Aliases": ", ".join(about["aliases"]),
    }
    for label, fact in facts.items():
        if fact:
            out.print(Text(f"{label}: {fact}" if label else fact))
    if about["description"]:
        out.print(Text(f"\n{about['description']}"))
    if about["parameters"]:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("Parameter", "Type", "Default", "Meaning"):
            table.add_column(column, overflow="fold", min_width=6)
        for row in about["parameters"]:
            default = "required" if row["required"] else json.dumps(row["default"])
            table.add_row(*map(Text, (row["name"], row["type"], default, row["help"])))
        out.print()
        out.print(table, soft_wrap=False)
    if about["context"]:
        out.print("\nContext, drawn once per image (shapes for 32x32 pixels):")
        for name, spec in about["context"].items():
            out.print(Text(f"  {name}  {spec['dtype']} {('B', *spec['shape'])}".replace("'", "")))
    elif about["context"] == {}:
        out.print("\nContext: none, it is deterministic.")
    out.print()


def _first_paragraph(doc: str) -> str:
    from inspect import cleandoc

    return " ".join(cleandoc(doc).partition("\n\n")[0].split())
