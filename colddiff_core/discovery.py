"""Find the plugins that are installed and ask each what it brings.

Every entry point is loaded by itself: pluggy's own loader stops at the first one that fails, and a
plugin may do anything on import, `sys.exit` included. What fails is kept with its cause, and the
others go on.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any

import pluggy

from colddiff_core import hookspecs
from colddiff_core.errors import PluginError
from colddiff_core.hookspecs import KINDS, PROJECT, Component

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Plugin:
    """One entry point of the group `colddiff`, loaded or broken.

    Attributes:
        entry_point: its name.
        distribution: name of the distribution that declares it.
        version: that distribution's version.
        components: (kind, component) pairs it registers; empty when broken.
        recipe_packages: packages that hold its recipes.
        error: one line on why it is broken, or None.
    """

    entry_point: str
    distribution: str
    version: str
    components: tuple[tuple[str, Component], ...] = ()
    recipe_packages: tuple[str, ...] = ()
    error: str | None = None


@cache
def plugins() -> tuple[Plugin, ...]:
    """All installed plugins, sorted by distribution and entry-point name; loaded once."""
    found = entry_points(group=PROJECT)
    return tuple(load_plugin(point) for point in sorted(found, key=_origin))


def load_plugin(point: EntryPoint) -> Plugin:
    """Load one entry point and collect what it registers; never raises for the plugin's faults."""
    distribution, entry_point, version = _origin(point)
    try:
        manager = _manager()
        with redirect_stdout(sys.stderr):  # results alone go to stdout
            plugin = point.load()
        manager.register(plugin, name=f"{distribution}:{entry_point}")
        manager.check_pending()
        components = tuple(
            (kind, _checked(component))
            for kind in KINDS
            for component in _collect(manager, f"colddiff_{kind}s")
        )
        packages = tuple(_collect(manager, "colddiff_recipes"))
        for package in packages:
            files(package)  # a package that is not there is better noticed now
        twice = [name for name, n in Counter((k, c.name) for k, c in components).items() if n > 1]
        if twice:
            fault: str | None = f"it registers the {' '.join(twice[0])} twice"
            return Plugin(entry_point, distribution, version, error=fault)
        fault = None if components or packages else "it implements no hook of colddiff"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise SystemExit, or worse, on import
        return Plugin(entry_point, distribution, version, error=_one_line(error))
    return Plugin(entry_point, distribution, version, components, packages, fault)


def _origin(point: EntryPoint) -> tuple[str, str, str]:
    if point.dist is None:
        return "unknown", point.name, "0"
    return point.dist.name, point.name, point.dist.version


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _collect(manager: pluggy.PluginManager, hook: str) -> Iterator[Any]:
    for answer in getattr(manager.hook, hook)():
        if isinstance(answer, str) or not isinstance(answer, Iterable):
            raise PluginError(f"{hook} returned {answer!r:.80}, not a list")
        yield from answer


def _checked(component: Any) -> Component:
    if not isinstance(component, Component):
        raise PluginError(f"expected a Component, got {component!r:.80}")
    for name in (component.name, *component.aliases):
        if not _NAME.fullmatch(name):
            raise PluginError(f"component name {name!r}: use lower case, digits and hyphens")
    if not isinstance(component.summary, str):
        raise PluginError(f"component {component.name!r}: the summary is not a string")
    if not _TARGET.fullmatch(component.target):
        raise PluginError(f"target {component.target!r}: expected 'package.module:Class'")
    return component


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
