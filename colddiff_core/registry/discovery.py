"""Find the plugins that are installed and ask each what it brings.

Every entry point is loaded by itself: pluggy's own loader stops at the first one that fails, and a
plugin may do anything on import, `sys.exit` included. What fails is kept with its cause, and the
others go on.
"""

import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any, Literal

import pluggy

from colddiff_core.contracts.errors import PluginError
from colddiff_core.registry.compatibility import (
    IncompatiblePluginError,
    check_api,
    check_hooks,
    check_requirements,
)
from colddiff_core.registry.hookspecs import HOOKS, KINDS, PROJECT, SPECS, Component
from colddiff_core.registry.switches import Switches, is_strict, is_traced, trace

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

Status = Literal["active", "disabled", "broken", "incompatible"]


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
        module: the module that the entry point names.
        requires: what its distribution requires.
        manager: calls its hooks, and no other plugin's; None unless it is active.
    """

    entry_point: str
    distribution: str
    version: str
    components: tuple[tuple[str, Component], ...] = ()
    recipe_packages: tuple[str, ...] = ()
    error: str | None = None
    status: Status = "active"
    module: str = ""
    requires: tuple[str, ...] = ()
    manager: pluggy.PluginManager | None = None

    @property
    def blame(self) -> str:
        """Whom to turn to: `"colddiff-fog 1.0"`."""
        return f"{self.distribution} {self.version}"

    @property
    def hooks(self) -> tuple[str, ...]:
        """Names of the hooks it implements."""
        if self.manager is None:
            return ()
        hook = self.manager.hook
        return tuple(name for name in HOOKS if getattr(hook, name).get_hookimpls())


source_trees: list[tuple[Plugin, EntryPoint]] = []
"""Plugins that are used from where they are written; see `colddiff_core.registry.source_tree`."""


@cache
def plugins() -> tuple[Plugin, ...]:
    """All installed plugins, sorted by distribution and entry-point name; loaded once."""
    replaced = {plugin.distribution for plugin, _ in source_trees}
    installed = [(_absent(point), point) for point in entry_points(group=PROJECT)]
    found = sorted(
        [*(pair for pair in installed if pair[0].distribution not in replaced), *source_trees],
        key=lambda pair: (pair[0].distribution, pair[0].entry_point),
    )
    trace(f"{len(found)} entry points in {len({p.distribution for p, _ in found})} distributions")
    switches = Switches.from_environment()
    for warning in switches.unmatched((p.distribution, p.entry_point) for p, _ in found):
        logging.getLogger(__name__).warning("%s", warning)
    return tuple(_loaded(absent, point, switches) for absent, point in found)


def load_plugin(point: EntryPoint) -> Plugin:
    """Load one entry point and collect what it registers.

    Args:
        point: names the module or object with the plugin's hook implementations.

    Returns:
        The plugin; a fault of its own is told in its `status` and `error`.

    Raises:
        BaseException: what the plugin raised, if `COLDDIFF_PLUGINS_STRICT` asks for it.
    """
    return _loaded(_absent(point), point, Switches.from_environment())


def _absent(point: EntryPoint) -> Plugin:
    """What is known of a plugin before it is loaded."""
    module = point.value.partition(":")[0]
    if point.dist is None:
        return Plugin(point.name, "unknown", "0", module=module)
    metadata = point.dist.metadata  # read once, as each access parses the file
    return Plugin(
        point.name,
        metadata["Name"] or "unknown",  # it may be damaged, so that either is missing
        metadata["Version"] or "0",
        module=module,
        requires=tuple(metadata.get_all("Requires-Dist") or ()),
    )


def _loaded(absent: Plugin, point: EntryPoint, switches: Switches) -> Plugin:
    objection = switches.objection(absent.distribution, absent.entry_point)
    if objection is not None:
        trace(f"{absent.blame}, {absent.entry_point}: disabled: {objection}")
        return replace(absent, status="disabled", error=objection)
    try:
        return _load(absent, point)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise SystemExit, or worse, on import
        trace(f"{absent.blame}, {absent.entry_point}: failed: {_one_line(error)}")
        if is_strict():
            if isinstance(error, SystemExit):  # which would end the program without a word
                raise PluginError(f"{absent.blame}: {_one_line(error)}") from error
            error.add_note(f"while loading the plugin {absent.entry_point} of {absent.blame}")
            raise
        incompatible = isinstance(error, IncompatiblePluginError)
        status: Status = "incompatible" if incompatible else "broken"
        return replace(absent, status=status, error=_one_line(error))


def _load(absent: Plugin, point: EntryPoint) -> Plugin:
    check_requirements(absent.requires)
    began = time.perf_counter()
    with redirect_stdout(sys.stderr):  # results alone go to stdout
        plugin = point.load()
    milliseconds = (time.perf_counter() - began) * 1e3
    trace(f"{absent.blame}, {point.name}: imported in {milliseconds:.1f} ms")
    check_api(plugin)
    manager = _manager(absent.blame)
    manager.register(plugin, name=f"{absent.distribution}:{point.name}")
    implemented = manager.get_hookcallers(plugin)
    if not implemented:
        raise PluginError("it implements no hook of colddiff")
    check_hooks(implemented, absent.blame)
    manager.add_hookspecs(SPECS)
    components = tuple(
        (kind, _checked(component))
        for kind in KINDS
        for component in _collect(manager, f"colddiff_{kind}s")
    )
    twice = [name for name, n in Counter((k, c.name) for k, c in components).items() if n > 1]
    if twice:
        raise PluginError(f"it registers the {' '.join(twice[0])} twice")
    packages = tuple(_collect(manager, "colddiff_recipes"))
    for package in packages:
        files(package)  # a package that is not there is better noticed now
    return replace(absent, components=components, recipe_packages=packages, manager=manager)


def _manager(blame: str) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    if is_traced():
        manager.add_hookcall_monitoring(
            before=lambda hook, impls, _: trace(f"{blame}: {hook}") if impls else None,
            after=lambda *_: None,
        )
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
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise PluginError(f"component name {name!r}: use lower case, digits and hyphens")
    if not isinstance(component.summary, str):
        raise PluginError(f"component {component.name!r}: the summary is not a string")
    if not isinstance(component.target, str) or not _TARGET.fullmatch(component.target):
        raise PluginError(f"target {component.target!r}: expected 'package.module:Class'")
    return component


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, PluginError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
