"""Use a plugin from the folder in which it is written, as if it were installed."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import read_toml
from colddiff_core.registry import discovery
from colddiff_core.registry.components import registry
from colddiff_core.registry.hookspecs import PROJECT


def use_source_tree(folder: Path) -> str:
    """Let the plugins of a project be found in this process, in place of an installed copy.

    This runs code of the folder, as importing it does.

    Args:
        folder: has a pyproject.toml with a table `[project.entry-points.colddiff]`; its modules
            lie in it or in its `src`.

    Returns:
        The name of the distribution.

    Raises:
        UsageError: the folder is no such project.
    """
    path = folder / "pyproject.toml"
    if not path.is_file():
        raise UsageError(f"{folder}: expected the folder of a plugin, it has no pyproject.toml")
    project = read_toml(path).get("project")
    points = project.get("entry-points", {}).get(PROJECT) if isinstance(project, dict) else None
    if not (
        isinstance(points, dict) and points and all(isinstance(v, str) for v in points.values())
    ):
        raise UsageError(
            f"{path}: expected a table [project.entry-points.{PROJECT}] that names the plugin's "
            f'module: fog = "colddiff_fog"'
        )
    assert isinstance(project, dict)  # noqa: S101 - it has entry points; for the type checker
    name = _text(project, "name", path)
    version = _text(project, "version", path) if "version" in project else "0"
    requires = tuple(filter(lambda item: isinstance(item, str), project.get("dependencies", ())))
    for place in (folder / "src", folder):
        if place.is_dir():
            sys.path.insert(0, str(place.resolve()))
    others = [pair for pair in discovery.source_trees if pair[0].distribution != name]
    discovery.source_trees[:] = others
    for entry, value in points.items():
        plugin = discovery.Plugin(
            entry, name, version, module=value.partition(":")[0], requires=requires
        )
        discovery.source_trees.append((plugin, EntryPoint(entry, value, PROJECT)))
    discovery.plugins.cache_clear()
    registry.cache_clear()
    return name


def _text(project: dict[str, Any], key: str, path: Path) -> str:
    value = project.get(key)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{path}: expected a {key} in [project]")
    return value
