"""What is installed, as `colddiff plugins list` shows it: components, and plugins that bring none.

Nothing of a component is imported for it; see `colddiff_core.registry.targets`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from colddiff_core.registry.components import Registered, Registry, registry, spellings
from colddiff_core.registry.discovery import Plugin
from colddiff_core.registry.targets import fault_of

Status = Literal["active", "disabled", "broken", "incompatible", "shadowed"]
STATUSES: tuple[Status, ...] = ("active", "disabled", "broken", "incompatible", "shadowed")


@dataclass(frozen=True)
class Entry:
    """A component, or a plugin without components.

    Attributes:
        name: of the component, or of the entry point.
        kind: one of `colddiff_core.registry.hookspecs.KINDS`, or None for a plugin.
        status: what became of it.
        distribution: name of the distribution that brings it.
        version: its version.
        summary: one line on what it is.
        aliases: further names.
        error: why it cannot be used, or None.
        note: what to know in order to use it, or None.
    """

    name: str
    kind: str | None
    status: Status
    distribution: str
    version: str
    summary: str
    aliases: tuple[str, ...] = ()
    error: str | None = None
    note: str | None = None

    @property
    def spellings(self) -> frozenset[str]:
        """All that may be written for it."""
        return spellings((self.name, *self.aliases), self.distribution)


def inventory(found: Registry | None = None) -> list[Entry]:
    """Everything that is installed, sorted by kind, name and distribution, plugins last."""
    found = found or registry()
    return [
        *(_of_component(item, found) for item in found.components()),
        *(_of_plugin(plugin) for plugin in found.plugins if not plugin.components),
    ]


def _of_component(item: Registered, found: Registry) -> Entry:
    status: Status = "active"
    # our own tests load the built-ins, so their sources need not be read each time
    error = None if item.builtin else fault_of(item.component.target, item.kind)
    note = None
    if error is not None:
        status = "broken"
    elif found.is_shadowed(item):
        status = "shadowed"
        note = f"{item.name} means the built-in; write {item.identity}"
    elif others := found.namesakes(item):
        theirs = ", ".join(f"{other.identity} ({other.version})" for other in others)
        note = f"{item.name} is also {theirs}; write {item.identity}"
    return Entry(
        item.name,
        item.kind,
        status,
        item.distribution,
        item.version,
        item.component.summary,
        item.component.aliases,
        error,
        note,
    )


def _of_plugin(plugin: Plugin) -> Entry:
    return Entry(
        plugin.entry_point,
        None,
        plugin.status,
        plugin.distribution,
        plugin.version,
        "; ".join(_brings(plugin)),
        error=plugin.error,
    )


def _brings(plugin: Plugin) -> Iterator[str]:
    if plugin.recipe_packages:
        yield "Recipes, see `colddiff recipes list`"
    if "colddiff_cli" in plugin.hooks:
        yield "A command, see `colddiff --help`"
    if steps := [name for name in plugin.hooks if name.endswith("_step")]:
        yield f"Listens to {' and '.join(steps)}"
