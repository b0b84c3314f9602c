"""Recipes: the TOML files that name data, degradation, restorer, sampler and training."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from colddiff_core.contracts.errors import ParameterError, RecipeError, nearby
from colddiff_core.contracts.recipe import ComponentTable, Recipe
from colddiff_core.disk import read_toml
from colddiff_core.registry.components import registry
from colddiff_core.registry.discovery import plugins
from colddiff_core.registry.schema import validate_table

UNREGISTERED = "unregistered:"
"""Begins the name of a part of a model that no plugin brings: the class follows."""


def parse_recipe(table: Mapping[str, Any], *, where: str) -> Recipe:
    """Check a parsed TOML document.

    Raises:
        RecipeError: names the key, what was expected, what came and the nearest valid name.
    """
    return validate_table(Recipe, table, where=where, error=RecipeError)


def build_table(kind: str, table: ComponentTable, **given: Any) -> Any:
    """Build what a table of a recipe names.

    Args:
        kind: one of `colddiff_core.registry.hookspecs.KINDS`.
        table: the component's name and parameters.
        **given: arguments that are not for a recipe to set, such as `image_shape` or `split`.

    Raises:
        UnknownComponentError: nothing of that kind has that name.
        RecipeError: it is a class of somebody's own.
        ParameterError: a parameter is unknown, missing, of the wrong type or out of range.
    """
    if table.name.startswith(UNREGISTERED):
        raise RecipeError(
            f"{kind} {table.name.removeprefix(UNREGISTERED)!r}: is no component of a plugin; make "
            f"one yourself and give it: ColdDiffusion.load(folder, {kind}=…)"
        )
    clash = sorted(given.keys() & table.params.keys())
    if clash:
        raise ParameterError(f"{kind} {table.name!r}: {clash[0]!r} is not for a recipe to set")
    return registry().build(kind, table.name, **given, **table.params)


def load_recipe(source: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe by path, or by name if a plugin brings it.

    Args:
        source: `"my/recipe.toml"` or `"mnist-demo"`.
        overrides: `"train.steps=500"` and the like; the value is TOML, or else a string.

    Raises:
        RecipeError: not found, not TOML, or something in it does not fit.
    """
    path = Path(source)
    # so that no file hides a recipe
    if path.suffix.lower() == ".toml" or path.name != str(source):
        table = read_toml(path)
    else:
        table = tomllib.loads(recipe_text(str(source)))
    for override in overrides:
        _apply(table, override)
    return parse_recipe(table, where=str(source))


def recipe_text(name: str) -> str:
    """The TOML document of a recipe that a plugin brings.

    Raises:
        RecipeError: there is none of that name.
    """
    known = packaged_recipes()
    if name not in known:
        hint = nearby(name, known, "see `colddiff recipes list`")
        if Path(f"{name}.toml").is_file():
            hint = f"for the file, write {name}.toml"
        raise RecipeError(f"no file and no recipe {name!r}; {hint}")
    return known[name].read_text(encoding="utf-8")


def packaged_recipes() -> dict[str, Traversable]:
    """The recipes that plugins bring, by name, sorted; a built-in wins over a namesake."""
    found: dict[str, Traversable] = {}
    for plugin in sorted(plugins(), key=lambda p: (p.distribution != "colddiff", p.distribution)):
        for package in plugin.recipe_packages:
            for entry in files(package).iterdir():
                if entry.name.endswith(".toml"):
                    found.setdefault(entry.name.removesuffix(".toml"), entry)
    return dict(sorted(found.items()))


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split `key=value`; the value is TOML, or else a string.

    Raises:
        RecipeError: there is no `=`, or no key before it, or the value is not TOML but all the same
            no string: `True`, `.5` or `~/pictures`.
    """
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key:
        raise RecipeError(f"--set {text!r}: expected key=value")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        if (meant := _meant(value)) is not None:
            raise RecipeError(f"--set {key}={value}: write --set {key}={meant}") from None
        return key, value
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, say
        raise RecipeError(f"--set {key}: {error}") from error
    return key, parsed["value"] if len(parsed) == 1 else value


def _meant(value: str) -> str | None:
    """What to write for what is not TOML: Python's words, `.001`, a folder below `~`."""
    if value in ("True", "False"):
        return value.lower()
    try:
        return f"{float(value):.15g}"
    except ValueError:
        home = os.path.expanduser(value)  # noqa: PTH111 - Path raises where nobody has that name
        return None if home == value else home


def _apply(table: dict[str, Any], override: str) -> None:
    key, value = parse_assignment(override)
    *tables, last = key.split(".")
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {override!r}: {name!r} is not a table")
    table[last] = value
