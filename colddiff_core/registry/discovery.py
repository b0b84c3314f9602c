"""Find the plugins that are installed and ask each what it brings.

Distributions are walked one by one, and every entry point is loaded by itself: `importlib.metadata`
stops at the first damaged file and pluggy's own loader at the first plugin that fails, and a plugin
may do anything on import, `sys.exit` included. What fails is kept with its cause, and the others go
on.
"""

import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import Distribution, EntryPoint, EntryPoints, distributions
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import pluggy

from colddiff_core.contracts.errors import PluginError, one_line
from colddiff_core.registry import hookspecs
from colddiff_core.registry.compatibility import (
    IncompatiblePluginError,
    check_api,
    check_hooks,
    check_requirements,
)
from colddiff_core.registry.hookspecs import KINDS, PROJECT, Component
from colddiff_core.registry.switches import is_strict, normalized, objection, trace, unmatched

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

Status = Literal["active", "disabled", "broken", "incompatible"]

manager = pluggy.PluginManager(PROJECT)
"""Knows every plugin that was loaded and every object that is `listening`, by a name for messages.
Each is called by itself, see `call`, so that none can stop the others."""
manager.add_hookspecs(hookspecs)


@dataclass(frozen=True)
class Plugin:
    """One entry point of the group `colddiff`, loaded or not.

    Attributes:
        entry_point: its name.
        distribution: name of the distribution that declares it.
        version: that distribution's version.
        components: (kind, component) pairs it registers; empty unless it is active.
        recipe_packages: packages that hold its recipes.
        error: one line on why it is not active, or None.
        status: what became of it.
        target: what the entry point names, `"package.module"` or `"package.module:object"`.
        requires: what its distribution requires.
        hooks: names of the hooks it implements; empty unless it is active.
    """

    entry_point: str
    distribution: str
    version: str
    components: tuple[tuple[str, Component], ...] = ()
    recipe_packages: tuple[str, ...] = ()
    error: str | None = None
    status: Status = "active"
    target: str = ""
    requires: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()

    @property
    def blame(self) -> str:
        """Whom to turn to: `"colddiff-fog 1.0"`."""
        return f"{self.distribution} {self.version}"

    @property
    def title(self) -> str:
        """What the manager knows it by: `"fog of colddiff-fog 1.0"`."""
        return f"{self.entry_point} of {self.blame}"

    @property
    def module(self) -> str:
        """The module that the entry point names."""
        return self.target.partition(":")[0].strip()

    @property
    def packages(self) -> set[str]:
        """Top-level packages of its hooks and of its components, which may be others."""
        targets = (self.module, *(component.target for _, component in self.components))
        return {target.partition(":")[0].partition(".")[0] for target in targets}


_entry_points: Callable[[Distribution], EntryPoints] = vars(Distribution)["entry_points"].fget

source_trees: list[Plugin] = []
"""Plugins that are used from where they are written; see `colddiff_core.registry.source_tree`."""


@cache
def plugins() -> tuple[Plugin, ...]:
    """All installed plugins, sorted by distribution and entry-point name; loaded once."""
    replaced = {normalized(plugin.distribution) for plugin in source_trees}
    found = sorted(
        [*(p for p in installed() if normalized(p.distribution) not in replaced), *source_trees],
        key=lambda plugin: (plugin.distribution, plugin.entry_point),
    )
    trace(f"{len(found)} entry points in {len({p.distribution for p in found})} distributions")
    for warning in unmatched((p.distribution, p.entry_point) for p in found):
        logging.getLogger(__name__).warning("%s", warning)
    return tuple(_loaded(plugin) for plugin in found)


def installed() -> list[Plugin]:
    """All entry points of the group, none loaded, and distributions with a damaged list of them."""
    found: dict[str, list[Plugin]] = {}
    for distribution in distributions():
        folder = Path(str(getattr(distribution, "_path", "unknown")))
        # by the name of its folder, colddiff_fog-1.0.dist-info, which no damaged file can spoil
        name, _, version = folder.stem.partition("-")
        key = normalized(name) if folder.suffix in (".dist-info", ".egg-info") else str(folder)
        if key not in found:  # else it is hidden by one that comes earlier on the path
            found[key] = _declared(distribution, Plugin(key, normalized(name), version or "0"))
    return list(chain.from_iterable(found.values()))


def _declared(distribution: Distribution, plugin: Plugin) -> list[Plugin]:
    """The entry points of a distribution; `plugin` says what its folder tells of it."""
    found = []
    try:
        for name, target in _points(distribution.read_text("entry_points.txt") or ""):
            found.append(replace(plugin, entry_point=name, target=target))
        _entry_points(distribution)
    except Exception as error:
        _pass_over_damage()
        fault = f"its entry_points.txt cannot be read: {one_line(error)}; reinstall it"
        found = found or [replace(plugin, status="broken", error=fault)]
    if not any(point.target for point in found):
        return found
    try:
        metadata = distribution.metadata
        plugin = replace(
            plugin,
            distribution=metadata["Name"] or plugin.distribution,
            version=metadata["Version"] or plugin.version,
            requires=tuple(metadata.get_all("Requires-Dist") or ()),
        )
    except Exception as error:
        fault = f"its METADATA cannot be read: {one_line(error)}; reinstall it"
        plugin = replace(plugin, status="broken", error=fault)
    return [replace(plugin, entry_point=p.entry_point, target=p.target) for p in found]


@cache
def _pass_over_damage() -> None:
    """Let no damaged distribution stop others from being used.

    torch and pydantic, when imported, and torch's exporter ask every distribution for its entry
    points, and importlib.metadata raises at the first that is damaged: it has none from now on.
    """

    def entry_points(distribution: Distribution) -> EntryPoints:
        try:
            return _entry_points(distribution)
        except Exception:
            return EntryPoints()

    Distribution.entry_points = property(entry_points)  # type: ignore[method-assign, assignment]


def _points(text: str) -> Iterator[tuple[str, str]]:
    """Name and target of each line of the group; one that cannot be understood has no target."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            group = line.strip("[] ")
        elif group == PROJECT and line and not line.startswith("#"):
            name, _, target = map(str.strip, line.partition("="))
            yield name or line, target


def load_plugin(point: EntryPoint) -> Plugin:
    """Load one entry point and collect what it registers.

    Args:
        point: names the module or object with the plugin's hook implementations.

    Returns:
        The plugin; a fault of its own is told in its `status` and `error`.

    Raises:
        BaseException: what the plugin raised, if `COLDDIFF_PLUGINS_STRICT` asks for it.
    """
    return _loaded(Plugin(point.name, "unknown", "0", target=point.value))


def culprit(error: BaseException) -> str | None:
    """What an exception says, with the plugin and the author's own line that it comes from.

    Returns:
        None for one that came through no third party's code.
    """
    ours = {name for p in plugins() if p.distribution == PROJECT for name in p.packages}
    for plugin in plugins():
        for package in sorted(plugin.packages - ours):
            text = one_line(error, package)
            if text != one_line(error):
                return f"{plugin.blame}: {text}"
    return None


def call(hook: str, implementation: pluggy.HookImpl, **arguments: Any) -> Any:
    """Call one plugin's implementation of a hook, with those arguments that it takes."""
    trace(f"{implementation.plugin_name}: {hook}")
    return implementation.function(*(arguments[name] for name in implementation.argnames))


def _loaded(plugin: Plugin) -> Plugin:
    switch = objection(plugin.distribution, plugin.entry_point)
    if switch is not None:
        trace(f"{plugin.blame}, {plugin.entry_point}: disabled: {switch}")
        return replace(plugin, status="disabled", error=switch)
    if plugin.error is not None:
        return plugin
    try:
        with redirect_stdout(sys.stderr):  # results alone go to stdout
            return _load(plugin)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise SystemExit, or worse, on import
        if manager.has_plugin(plugin.title):
            manager.unregister(name=plugin.title)
        cause = one_line(error, plugin.module)
        trace(f"{plugin.blame}, {plugin.entry_point}: failed: {cause}")
        if is_strict():
            if isinstance(error, SystemExit):  # which would end the program without a word
                raise PluginError(f"{plugin.blame}: {one_line(error)}") from error
            error.add_note(f"while loading the plugin {plugin.title}")
            raise
        incompatible = isinstance(error, IncompatiblePluginError)
        return replace(plugin, status="incompatible" if incompatible else "broken", error=cause)


def _load(plugin: Plugin) -> Plugin:
    if plugin.distribution != PROJECT:
        check_requirements(plugin.requires)
    if not EntryPoint.pattern.match(plugin.target):
        raise PluginError(f"its entry point names {plugin.target!r}, expected 'package.module'")
    began = time.perf_counter()
    brought = EntryPoint(plugin.entry_point, plugin.target, PROJECT).load()
    milliseconds = (time.perf_counter() - began) * 1e3
    trace(f"{plugin.blame}, {plugin.entry_point}: imported in {milliseconds:.1f} ms")
    check_api(brought)
    check_hooks(brought, manager)
    if manager.has_plugin(plugin.title):  # from an earlier look at what is installed
        manager.unregister(name=plugin.title)
    if manager.is_registered(brought):
        raise PluginError(f"{plugin.target} is {manager.get_name(brought)} already")
    manager.register(brought, name=plugin.title)
    components = tuple(
        (kind, _checked(component))
        for kind in KINDS
        for component in _collect(plugin, f"{PROJECT}_{kind}s")
    )
    twice = [name for name, n in Counter((k, c.name) for k, c in components).items() if n > 1]
    if twice:
        raise PluginError(f"it registers the {' '.join(twice[0])} twice")
    packages = tuple(_collect(plugin, "colddiff_recipes"))
    for package in packages:
        files(package)  # a package that is not there is better noticed now
    hooks = tuple(caller.name for caller in manager.get_hookcallers(brought) or ())
    return replace(plugin, components=components, recipe_packages=packages, hooks=hooks)


def _collect(plugin: Plugin, hook: str) -> Iterator[Any]:
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin_name == plugin.title:
            answer = call(hook, implementation)
            if isinstance(answer, str) or not isinstance(answer, Iterable):
                raise PluginError(f"{hook} returned {answer!r:.80}, not a list")
            yield from answer


def _checked(component: Any) -> Component:
    if not isinstance(component, Component):
        raise PluginError(f"expected a Component, got {component!r:.80}")
    for name in (component.name, *component.aliases):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise PluginError(f"component name {name!r}: use lower case, digits and hyphens")
    if not isinstance(component.summary, str):
        raise PluginError(f"component {component.name!r}: the summary is not a string")
    if not isinstance(component.target, str) or not _TARGET.fullmatch(component.target):
        raise PluginError(f"target {component.target!r}: expected 'package.module:Class'")
    return component
