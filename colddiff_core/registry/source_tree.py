"""Use a plugin from the folder in which it is written, as if it were installed."""

import sys
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import read_toml
from colddiff_core.registry import discovery
from colddiff_core.registry.components import registry
from colddiff_core.registry.discovery import Plugin
from colddiff_core.registry.hookspecs import PROJECT
from colddiff_core.registry.schema import validate_table
from colddiff_core.registry.switches import normalized


class _Project(BaseModel):
    name: Annotated[str, Field(min_length=1)]
    version: str = "0"
    requires: tuple[str, ...] = Field((), alias="dependencies")
    entry_points: dict[str, dict[str, str]] = Field({}, alias="entry-points")


class _File(BaseModel):
    project: _Project


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
    project = validate_table(_File, read_toml(path), where=str(path), error=UsageError).project
    points = project.entry_points.get(PROJECT)
    if not points:
        raise UsageError(
            f"{path}: expected a table [project.entry-points.{PROJECT}] that names the plugin's "
            f'module: fog = "colddiff_fog"'
        )
    for place in (folder / "src", folder):
        if place.is_dir():
            sys.path.insert(0, str(place.resolve()))
    owner, about = normalized(project.name), (project.name, project.version)
    discovery.source_trees[:] = [
        *(tree for tree in discovery.source_trees if normalized(tree.distribution) != owner),
        *(Plugin(name, *about, target=points[name], requires=project.requires) for name in points),
    ]
    discovery.plugins.cache_clear()
    registry.cache_clear()
    return project.name
