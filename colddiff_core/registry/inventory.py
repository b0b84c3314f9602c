"""What is installed, as `colddiff plugins list` shows it: components, and plugins that bring none.

Nothing of a component is imported for it; see `colddiff_core.registry.targets`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from colddiff_core.registry.components import Registry, is_called, registry
from colddiff_core.registry.discovery import Plugin
from colddiff_core.registry.targets import fault_of

Status = Literal["active", "disabled", "broken", "incompatible", "shadowed"]
STATUSES: tuple[Status, ...] = ("active", "disabled", "broken", "incompatible", "shadowed")


@dataclass(frozen=True)
class Installed:
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

    def is_called(self, text: str) -> bool:
        """Whether `text` may be written for it."""
        return is_called(text, (self.name, *self.aliases), self.distribution)


def inventory(found: Registry | None = None) -> list[Installed]:
    """Everything that is installed, sorted by kind, name and distribution, plugins last."""
    found = found or registry()
    rows = []
    for item in found.components():
        status: Status = "active"
        note = None
        # our own tests load the built-ins, so their sources need not be read each time
        error = None if item.builtin else fault_of(item.component.target, item.kind)
        meant = found.meanings(item.kind, item.name)
        if error is not None:
            status = "broken"
        elif item not in meant:
            status = "shadowed"
            note = f"{item.name} means the built-in; write {item.identity}"
        elif len(meant) > 1:
            others = ", ".join(f"{o.identity} ({o.version})" for o in meant if o != item)
            note = f"{item.name} is also {others}; write {item.identity}"
        about = (item.distribution, item.version, item.component.summary, item.component.aliases)
        rows.append(Installed(item.name, item.kind, status, *about, error, note))
    for plugin in found.plugins:
        if not plugin.components:
            about = (plugin.distribution, plugin.version, "; ".join(_brings(plugin)), ())
            rows.append(Installed(plugin.entry_point, None, plugin.status, *about, plugin.error))
    return rows


def _brings(plugin: Plugin) -> Iterator[str]:
    if plugin.recipe_packages:
        yield "Recipes, see `colddiff recipes list`"
    if "colddiff_cli" in plugin.hooks:
        yield "A command, see `colddiff --help`"
    if steps := [name for name in plugin.hooks if name.endswith("_step")]:
        yield f"Listens to {' and '.join(steps)}"
