"""Components by kind and name, whoever registered them, and `build`, which makes one.

A bare name means the built-in, else the only third-party component of that name;
`name@distribution` always says which.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from colddiff_core.contracts.component import Buildable, ComponentConfig
from colddiff_core.contracts.errors import ParameterError, PluginError, UnknownComponentError
from colddiff_core.registry.discovery import Plugin, plugins
from colddiff_core.registry.hookspecs import CONTRACTS, KINDS, PROJECT, Component

if TYPE_CHECKING:
    from colddiff_core.contracts.dataset import ImageDataset
    from colddiff_core.contracts.degradation import Degradation
    from colddiff_core.contracts.exporter import Exporter
    from colddiff_core.contracts.prior import Prior
    from colddiff_core.contracts.restorer import Restorer
    from colddiff_core.contracts.sampler import Sampler


@dataclass(frozen=True)
class Registered:
    """A component and who brought it.

    Attributes:
        kind: one of `KINDS`.
        component: as the plugin registered it.
        distribution: name of the distribution.
        version: its version.
        module: the plugin's own module, the one that the entry point names.
    """

    kind: str
    component: Component
    distribution: str
    version: str
    module: str

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    @property
    def identity(self) -> str:
        """`name@distribution`, which is unique among the components of a kind."""
        return f"{self.name}@{self.distribution}"

    @cached_property  # each component is compared with every other
    def spellings(self) -> frozenset[str]:
        """All that may be written for it; what one spelling means is for `Registry.find`."""
        return spellings((self.name, *self.component.aliases), self.distribution)

    @property
    def builtin(self) -> bool:
        """Whether this project itself brings it."""
        return self.distribution == PROJECT

    def load(self) -> type[Buildable]:
        """Import the class and check that it is of its kind.

        Raises:
            PluginError: the target is missing, fails on import or is of another class.
        """
        blame = f"{self.kind} {self.identity} {self.version}"
        try:
            with redirect_stdout(sys.stderr):  # results alone go to stdout
                target = _import(self.component.target)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin's module may do anything on import
            raise PluginError(
                f"{blame}: cannot import {self.component.target}: {type(error).__name__}: {error}"
            ) from error
        base = base_class(self.kind)
        if not (isinstance(target, type) and issubclass(target, base)):
            raise PluginError(
                f"{blame}: {self.component.target} is not a {base.__name__}; subclass "
                f"{base.__module__}.{base.__name__}"
            )
        return target

    def build(self, /, **params: Any) -> Any:
        """Make an instance; see the module's `build`."""
        from colddiff_core.registry.schema import (
            Parameters,  # pydantic, only where something is built
        )

        cls = self.load()
        parameters = Parameters.of(cls)
        values = parameters.validate(params, where=f"{self.kind} {self.name!r}")
        try:
            instance = cls(**values)
        except ParameterError as error:
            raise ParameterError(f"{self.kind} {self.name!r}: {error}") from error
        instance.config = ComponentConfig(
            kind=self.kind,
            name=self.name if self.builtin else self.identity,
            params=parameters.as_toml(values),
            distribution=f"{self.distribution}=={self.version}",
            target=self.component.target,
        )
        return instance


class Registry:
    """All components of a set of plugins."""

    def __init__(self, found: Iterable[Plugin]) -> None:
        """Index the components of `found`, and keep the plugins themselves for the listing."""
        self.plugins = tuple(found)
        self._components = sorted(
            (
                Registered(kind, component, plugin.distribution, plugin.version, plugin.module)
                for plugin in self.plugins
                for kind, component in plugin.components
            ),
            key=lambda item: (KINDS.index(item.kind), item.name, item.distribution),
        )

    def components(self, kind: str | None = None) -> list[Registered]:
        """The components of `kind`, or of every kind, sorted by kind, name and distribution."""
        return [item for item in self._components if kind in (None, item.kind)]

    def is_shadowed(self, item: Registered) -> bool:
        """Whether the bare name of `item` means a built-in of that name instead."""
        return not item.builtin and any(
            other.builtin and item.name in other.spellings for other in self.components(item.kind)
        )

    def namesakes(self, item: Registered) -> list[Registered]:
        """The other third-party components that make the bare name of `item` ambiguous."""
        if item.builtin or self.is_shadowed(item):
            return []
        return [
            other
            for other in self.components(item.kind)
            if other != item and item.name in other.spellings
        ]

    def find(self, kind: str, name: str) -> Registered:
        """Resolve a bare or qualified name.

        Raises:
            UnknownComponentError: none, or two third-party components, have that name, or the
                plugin that brings it is not active.
        """
        if kind not in KINDS:
            raise UnknownComponentError(f"unknown kind {kind!r}; the kinds are {', '.join(KINDS)}")
        everything = self.components(kind)
        matches = [item for item in everything if name in item.spellings]
        builtin = [item for item in matches if item.builtin]
        if len(builtin or matches) == 1:
            return (builtin or matches)[0]
        if matches:
            choices = " or ".join(f"{item.identity} ({item.version})" for item in matches)
            raise UnknownComponentError(f"{kind} {name!r} is ambiguous: write {choices}")
        known = sorted({item.name for item in everything})
        nearest = get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known) or '-'}"
        absent = sorted({f"{p.distribution} ({p.status})" for p in self.plugins if p.error})
        note = f"; not loaded: {', '.join(absent)}, see `colddiff plugins list`" if absent else ""
        raise UnknownComponentError(f"unknown {kind} {name!r}; {hint}{note}")

    def build(self, kind: str, name: str, /, **params: Any) -> Any:
        """Build a component of this registry; see the module's `build`."""
        return self.find(kind, name).build(**params)

    @contextmanager
    def including(self, item: Registered) -> Iterator[None]:
        """Let `item` be found within the context, too: a class under test, say."""
        self._components.append(item)
        try:
            yield
        finally:
            self._components.remove(item)


@cache
def registry() -> Registry:
    """The registry of everything that is installed."""
    return Registry(plugins())


@overload
def build(kind: Literal["degradation"], name: str, /, **params: Any) -> "Degradation": ...
@overload
def build(kind: Literal["sampler"], name: str, /, **params: Any) -> "Sampler": ...
@overload
def build(kind: Literal["restorer"], name: str, /, **params: Any) -> "Restorer": ...
@overload
def build(kind: Literal["prior"], name: str, /, **params: Any) -> "Prior": ...
@overload
def build(kind: Literal["dataset"], name: str, /, **params: Any) -> "ImageDataset": ...
@overload
def build(kind: Literal["exporter"], name: str, /, **params: Any) -> "Exporter": ...
def build(kind: str, name: str, /, **params: Any) -> Any:
    """Build a component by name, with its parameters checked against its signature.

    Args:
        kind: one of `colddiff_core.registry.hookspecs.KINDS`.
        name: the component's name, e.g. `"gaussian-blur"`, or `name@distribution`.
        **params: the arguments of the class, e.g. `image_shape=(1, 32, 32), num_steps=20`.

    Returns:
        The component; its `config` says how it was built.

    Raises:
        UnknownComponentError: nothing of that kind has that name.
        ParameterError: a parameter is unknown, missing, of the wrong type or out of range.
        PluginError: the component's code cannot be imported or is not of that kind.
    """
    return registry().build(kind, name, **params)


def spellings(names: Iterable[str], distribution: str) -> frozenset[str]:
    """Each name bare, and as `name@distribution`."""
    return frozenset(text for name in names for text in (name, f"{name}@{distribution}"))


def base_class(kind: str) -> type[Buildable]:
    """The class that every component of `kind` derives from."""
    base: type[Buildable] = _import(CONTRACTS[kind])
    return base


def _import(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
