"""The hooks a plugin may implement, and the one record they all return.

A plugin is a module (or object) named by an entry point of the group `colddiff`. It says what it
brings, and nothing heavier happens until one of those components is used.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pluggy

PROJECT = "colddiff"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class Component:
    """What a plugin brings: a name, where the class is, and one line about it.

    Attributes:
        name: what users write, lower case with hyphens, e.g. `"gaussian-blur"`.
        target: `"package.module:Class"`, imported when the component is first used.
        summary: one line for `colddiff plugins list`.
        aliases: further names for the same thing.
    """

    name: str
    target: str
    summary: str
    aliases: tuple[str, ...] = ()


@hookspec
def colddiff_degradations() -> Iterable[Component]:
    """Return the `Degradation` classes of this plugin.

    Example:
        ```python
        @hookimpl
        def colddiff_degradations():
            return [Component("fog", "colddiff_fog.fog:Fog", "Atmospheric scattering.")]
        ```
    """
    raise NotImplementedError


@hookspec
def colddiff_samplers() -> Iterable[Component]:
    """Return the `Sampler` classes of this plugin.

    Example:
        ```python
        @hookimpl
        def colddiff_samplers():
            return [Component("heun", "my_samplers.heun:Heun", "Second-order Algorithm 2.")]
        ```
    """
    raise NotImplementedError


@hookspec
def colddiff_restorers() -> Iterable[Component]:
    """Return the `Restorer` networks of this plugin.

    Example:
        ```python
        @hookimpl
        def colddiff_restorers():
            return [Component("dit", "my_nets.dit:DiT", "Diffusion transformer.")]
        ```
    """
    raise NotImplementedError


@hookspec
def colddiff_priors() -> Iterable[Component]:
    """Return the `Prior` classes of this plugin: what generation starts from.

    Example:
        ```python
        @hookimpl
        def colddiff_priors():
            return [Component("flat-color", "my_priors.flat:FlatColor", "One colour an image.")]
        ```
    """
    raise NotImplementedError


@hookspec
def colddiff_datasets() -> Iterable[Component]:
    """Return the `ImageDataset` classes of this plugin.

    Example:
        ```python
        @hookimpl
        def colddiff_datasets():
            return [Component("svhn", "my_data.svhn:Svhn", "House numbers, 32x32.")]
        ```
    """
    raise NotImplementedError


@hookspec
def colddiff_exporters() -> Iterable[Component]:
    """Return the `Exporter` classes of this plugin; the name is what `--format` takes.

    Example:
        ```python
        @hookimpl
        def colddiff_exporters():
            return [Component("openvino", "my_export.ov:OpenVinoExporter", "OpenVINO IR.")]
        ```
    """
    raise NotImplementedError


@hookspec
def colddiff_recipes() -> Iterable[str]:
    """Return the packages whose `*.toml` files are recipes, to be used by their bare names.

    Example:
        ```python
        @hookimpl
        def colddiff_recipes():
            return ["colddiff_fog.recipes"]
        ```
    """
    raise NotImplementedError


KINDS = ("degradation", "sampler", "restorer", "prior", "dataset", "exporter")
"""Kinds of component; kind K is registered through the hook `colddiff_<K>s`."""
