"""`colddiff plugins info`: all about one component or plugin."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from inspect import cleandoc
from typing import Annotated, Any

import typer

from colddiff_cli.console import out, show_json, show_table
from colddiff_cli.options import Json, Kind, flag
from colddiff_core import ColdDiffError, ParameterError
from colddiff_core.contracts.errors import UnknownComponentError, nearby
from colddiff_core.registry.components import Registered, registry
from colddiff_core.registry.inventory import Installed, inventory
from colddiff_core.registry.schema import Parameters
from colddiff_core.registry.switches import normalized

_SHAPES = ((3, 32, 32), (1, 32, 32))  # of the images that a degradation is built for, to ask it


def info(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A component, name@distribution, a distribution or entry point."
        ),
    ],
    kind: Kind = None,
    as_json: Json = False,
    schema: Annotated[
        bool, flag("--schema", "Print only the JSON Schema of the parameters.")
    ] = False,
) -> None:
    """Show what a component is, where it comes from, its parameters and its context.

    Of a plugin that is broken, disabled or incompatible: why.

    Example: `colddiff plugins info gaussian-blur`
    """
    found = [_describe(entry) for entry in _matches(name, kind)]
    if schema:
        for about in found:
            if about["schema"] is None:
                raise ColdDiffError(f"{about['name']}: {about['error']}")
            typer.echo(json.dumps(about["schema"], indent=2))
    elif as_json:
        show_json({"plugins": found})
    else:
        for about in found:
            _print(about)


def _matches(name: str, kind: str | None) -> list[Installed]:
    everything = [entry for entry in inventory() if kind in (None, entry.kind)]
    components = [entry for entry in everything if entry.is_called(name)]
    if found := components or [
        entry for entry in everything if normalized(entry.distribution) == normalized(name)
    ]:
        return found
    names = sorted({entry.name for entry in everything})
    hint = nearby(name, names, "see `colddiff plugins list`")
    raise UnknownComponentError(f"nothing is named {name!r}; {hint}")


def _describe(entry: Installed) -> dict[str, Any]:
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


def _context(item: Registered) -> dict[str, dict[str, Any]] | None:
    """Names, types and shapes of the context tensors; None if the defaults do not build."""
    for shape in _SHAPES:
        try:
            degradation = item.build()
            degradation.check(shape)
        except ParameterError:
            continue
        return {
            name: {"dtype": str(spec.dtype).removeprefix("torch."), "shape": list(spec.shape)}
            for name, spec in degradation.context_spec(shape).items()
        }
    return None


def _print(about: Mapping[str, Any]) -> None:
    kind = about["kind"] or "plugin"
    out.print(f"{about['name']}  ({kind}, {about['status']})", style="bold")
    facts = {
        "": about["error"] or about["note"],
        "Summary": about["summary"],
        "From": f"{about['distribution']} {about['version']}",
        "Class": about["target"],
        "Aliases": ", ".join(about["aliases"]),
    }
    for label, fact in facts.items():
        if fact:
            out.print(f"{label}: {fact}" if label else fact)
    if about["description"]:
        out.print("", about["description"], sep="\n")
    if about["parameters"]:
        out.print()
        show_table(
            [
                (
                    row["name"],
                    row["type"],
                    "required" if row["required"] else json.dumps(row["default"]),
                    row["help"],
                )
                for row in about["parameters"]
            ],
            ("Parameter", "Type", "Default", "Meaning"),
        )
    if about["context"]:
        out.print("", "Context, drawn once per image (shapes for 32x32 pixels):", sep="\n")
        for name, spec in about["context"].items():
            out.print(f"  {name}  {spec['dtype']} {('B', *spec['shape'])}".replace("'", ""))
    elif about["context"] == {}:
        out.print("", "Context: none, it is deterministic.", sep="\n")
    out.print()


def _first_paragraph(doc: str) -> str:
    return " ".join(cleandoc(doc).partition("\n\n")[0].split())
