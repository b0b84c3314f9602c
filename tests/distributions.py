"""Distributions as pip would leave them in site-packages, made by hand: metadata and a module."""

import os
from collections.abc import Iterable
from pathlib import Path

HOOK = """\
from colddiff_core import Component, hookimpl


@hookimpl
def colddiff_{kind}s():
    return [Component({name!r}, {target!r}, "A test")]
"""


def install(
    site: Path,
    name: str,
    module: str | None,
    *,
    version: str = "1.0",
    requires: Iterable[str] = (),
    entry_points: str | None = None,
) -> None:
    """Put a distribution into the folder `site`.

    Args:
        site: on the path of those who are to see it.
        name: of the distribution; its module has underscores for hyphens.
        module: source of the module that its one entry point names; no module when None.
        version: of the distribution.
        requires: its requirements.
        entry_points: the lines of the group instead of the one.
    """
    package = name.replace("-", "_")
    info = site / f"{package}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Requires-Dist: {requirement}" for requirement in requires]
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines]
    (info / "METADATA").write_text("\n".join(metadata) + "\n")
    declared = f"{name} = {package}" if entry_points is None else entry_points
    (info / "entry_points.txt").write_text(f"[colddiff]\n{declared}\n")
    if module is not None:
        (site / f"{package}.py").write_text(module)


def component(name: str, target: str, kind: str = "degradation") -> str:
    """Source of a plugin module that registers one component."""
    return HOOK.format(kind=kind, name=name, target=target)


def environment(site: Path, **switches: str) -> dict[str, str]:
    """The environment of a process that sees the distributions in `site`."""
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "80", "NO_COLOR": "1", **switches}
