"""Components by kind and name, whoever registered them, and `build`, which makes one.

A bare name means the built-in, else the only third-party component of that name;
`name@distribution` always says which.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from colddiff_core.contracts.component import Buildable, ComponentConfig
from colddiff_core.contracts.errors import (
    ColdDiffError,
    ParameterError,
    PluginError,
    UnknownComponentError,
    nearby,
    one_line,
)
from colddiff_core.registry.discovery import Plugin, plugins
from colddiff_core.registry.hookspecs import CONTRACTS, KINDS, PROJECT, Component
from colddiff_core.registry.switches import is_strict, normalized

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

    def is_called(self, text: str) -> bool:
        """Whether `text` may be written for it; which one it means is for `Registry.find`."""
        return is_called(text, (self.name, *self.component.aliases), self.distribution)

    @property
    def builtin(self) -> bool:
        """Whether this project itself brings it."""
        return self.distribution == PROJECT

    def load(self) -> type[Buildable]:
        """Import the class and check that it is of its kind.

        Raises:
            PluginError: the target is missing, fails on import or is of another class.
        """
        with self._blaming(f"cannot import {self.component.target}: "):
            target = _import(self.component.target)
        base = base_class(self.kind)
        with self._blaming():
            if not (isinstance(target, type) and issubclass(target, base)):
                raise PluginError(
                    f"{self.component.target} is not a {base.__name__}; subclass "
                    f"colddiff_core.{base.__name__}"
                )
        return target

    def build(self, /, **params: Any) -> Any:
        """Make an instance; see the module's `build`."""
        from colddiff_core.registry.schema import (
            Parameters,  # pydantic, only where something is built
        )

        cls = self.load()
        with self._blaming():
            parameters = Parameters.of(cls)
        values = parameters.validate(params, where=f"{self.kind} {self.name!r}")
        with self._blaming():
            instance = cls(**values)
        instance.config = ComponentConfig(
            kind=self.kind,
            name=self.name if self.builtin else self.identity,
            params=parameters.as_toml(values),
            distribution=f"{self.distribution}=={self.version}",
            target=self.component.target,
        )
        return instance

    @contextmanager
    def _blaming(self, doing: str = "") -> Iterator[None]:
        """Name the plugin and the author's own line in what its code raises."""
        blame = f"{self.kind} {self.identity} {self.version}"
        try:
            with redirect_stdout(sys.stderr):  # results alone go to stdout
                yield
        except ParameterError as error:
            told = ParameterError(f"{self.kind} {self.name!r}: {error}")
            told.fields = (str(error).partition(":")[0],)  # a constructor begins with its name
            raise told from error
        except PluginError as error:
            raise PluginError(f"{blame}: {error}") from error
        except (ColdDiffError, KeyboardInterrupt):
            raise
        except BaseException as error:  # it may do anything, SystemExit included
            if self.builtin or is_strict():
                raise
            cause = one_line(error, self.component.target)
            raise PluginError(f"{blame}: {doing}{cause}") from error


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

    def meanings(self, kind: str, name: str) -> list[Registered]:
        """What a name may mean: the built-in, else every third-party component of that name."""
        matches = [item for item in self.components(kind) if item.is_called(name)]
        return [item for item in matches if item.builtin] or matches

    def find(self, kind: str, name: str) -> Registered:
        """Resolve a bare or qualified name.

        Raises:
            UnknownComponentError: none, or two third-party components, have that name, or the
                plugin that brings it is not installed or not active.
        """
        if kind not in KINDS:
            raise UnknownComponentError(f"unknown kind {kind!r}; the kinds are {', '.join(KINDS)}")
        found = self.meanings(kind, name)
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(f"{item.identity} ({item.version})" for item in found)
            raise UnknownComponentError(f"{kind} {name!r} is ambiguous: write {choices}")
        owner = name.partition("@")[2]
        owners = {normalized(plugin.distribution) for plugin in self.plugins}
        if re.fullmatch(r"\w[\w.-]*", owner) and normalized(owner) not in owners:
            raise UnknownComponentError(f"{kind} {name!r} is not installed: pip install {owner}")
        known = sorted({item.name for item in self.components(kind)})
        hint = nearby(name, known, f"known: {', '.join(known) or '-'}")
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


def is_called(text: str, names: Iterable[str], distribution: str) -> bool:
    """Whether `text` is one of the names, or `name@distribution`, compared as PyPI does."""
    name, at, owner = text.partition("@")
    return name in names and (not at or normalized(owner) == normalized(distribution))


def base_class(kind: str) -> type[Buildable]:
    """The class that every component of `kind` derives from."""
    base: type[Buildable] = _import(CONTRACTS[kind])
    return base


def _import(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
