"""The hooks a plugin may implement, and the one record that most of them return.

A plugin is a module (or object) named by an entry point of the group `colddiff`. It says what it
brings, and nothing heavier happens until one of those components is used. An implementation takes
those arguments of its hook that it wants, by name, so hooks may grow.

A hook that is to go away is marked `@hookspec(warn_on_impl=ColdDiffDeprecationWarning("goes away in
0.4: …"))`, an argument with `warn_on_impl_args={"name": …}`. Plugins that use it go on working, and
their authors see the warning in their tests and from `colddiff plugins check`; users do not, as
Python shows them no DeprecationWarning.
"""

# mypy: disable-error-code="empty-body"
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import typer

    from colddiff_core.contracts.process import Process
    from colddiff_core.contracts.steps import Step, TrainingStep

PROJECT = "colddiff"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

HOOK_API = 1
"""Version of the hooks. It grows when a hook or an argument is removed, or means something else;
new hooks and new arguments leave it as it is, as old plugins never notice them."""

OLDEST_HOOK_API = 1
"""The oldest version whose plugins still work."""


class ColdDiffDeprecationWarning(DeprecationWarning):
    """A plugin uses what a coming release removes."""


@dataclass(frozen=True)
class Component:
    """What a plugin brings: a name, where the class is, and one line about it.

    Attributes:
        name: what users write, lower case with hyphens, e.g. `"gaussian-blur"`.
        target: `"package.module:Class"`, imported when the component is first used.
        summary: one line for `colddiff plugins list`.
        aliases: further names for the same thing.
        onnx_operators: what its ONNX export is made of beside the operators that built-in
            components are, e.g. `{"Erf": {}}`; in the form of the exporters' `operators.json`.
    """

    name: str
    target: str
    summary: str
    aliases: tuple[str, ...] = ()
    onnx_operators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)


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


@hookspec
def colddiff_training_step(step: "TrainingStep", process: "Process", folder: Path) -> None:
    """See a training run: called for each line of `metrics.jsonl`, after it was written.

    Plugins are called once they were discovered, as for `colddiff_sampling_step`. An exception is
    reported once and ends the plugin's calls, not the training.

    Args:
        step: what the line says: step, loss, learning rate, images seen.
        process: the process with the averaged weights as they are now, in evaluation mode.
        folder: the model folder, where further files may be put.

    Example:
        ```python
        @hookimpl
        def colddiff_training_step(step):
            wandb.log({"loss": step.loss}, step=step.step)
        ```
    """


@hookspec
def colddiff_sampling_step(step: "Step", process: "Process") -> None:
    """See a sampling loop in torch at work: called after each step of `ColdDiffusion.steps`.

    Plugins are called once they were discovered, as they are where a recipe or a model is read or
    a component is built by name; a process put together by hand loads none. To look at a tensor's
    values costs a copy from the device; an exception is reported once and ends the plugin's calls,
    not the loop.

    Args:
        step: levels t and s, and the images x_t, x0_hat and x_s.
        process: whose loop it is.

    Example:
        ```python
        @hookimpl
        def colddiff_sampling_step(step):
            print(step.t, "->", step.s)
        ```
    """


@hookspec
def colddiff_cli(app: "typer.Typer") -> "typer.Typer":
    """Return an application to be mounted as a subcommand, under its `name`.

    Asked only when the help is shown or a command is none of colddiff's own, whose names cannot
    be taken.

    Args:
        app: colddiff's own application, to look at.

    Example:
        ```python
        @hookimpl
        def colddiff_cli():
            from colddiff_fog.command import app  # typer.Typer(name="fog")

            return app
        ```
    """


CONTRACTS = {
    "degradation": "colddiff_core.contracts.degradation:Degradation",
    "sampler": "colddiff_core.contracts.sampler:Sampler",
    "restorer": "colddiff_core.contracts.restorer:Restorer",
    "prior": "colddiff_core.contracts.prior:Prior",
    "dataset": "colddiff_core.contracts.dataset:ImageDataset",
    "exporter": "colddiff_core.contracts.exporter:Exporter",
}
"""The class that a component of each kind is derived from."""

KINDS = tuple(CONTRACTS)
"""Kinds of component; kind K is registered through the hook `colddiff_<K>s`."""

HOOKS = {
    name: tuple(inspect.signature(function).parameters)
    for name, function in list(globals().items())
    if name.startswith(f"{PROJECT}_")
}
"""Every hook and the names of its arguments."""
