"""Commands whose modules are imported when they are called, and commands that plugins bring.

Plugins are asked only when the help is shown or a command is none of our own, so that a plugin can
neither slow down nor break, nor take over, what is built in.
"""

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from colddiff_core.contracts.errors import PluginError, UsageError
from colddiff_core.registry.discovery import installed, plugins
from colddiff_core.registry.events import emit


class LazyCommand(TyperCommand):
    """Stands for a command until it is called.

    Args:
        name: of the command.
        module: where it is, as `app` or under its name.
        summary: its line in the help of the group.
    """

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self._module = module

    def load(self) -> Any:
        """Import the command itself.

        Raises:
            UsageError: it takes torch, which is not installed.
        """
        try:
            module = import_module(self._module)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise UsageError(
                f"colddiff {self.name} takes torch, which is not installed; pip install torch"
            ) from None
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False)
            app.command()(getattr(module, str(self.name)))
        app.rich_markup_mode = "markdown"
        return typer.main.get_command(app)

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Begin the call, of the command itself."""
        return self.load().make_context(*arguments, **options)


class LazyGroup(TyperGroup):
    """A group of lazy commands.

    Attributes:
        package: whose modules they are.
        table: their summaries by name; each is the first line of the command's own help.
    """

    package: ClassVar[str]
    table: ClassVar[Mapping[str, str]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, summary in self.table.items():
            self.add_command(LazyCommand(name, f"{self.package}.{name}", summary))


class Commands(LazyGroup):
    """Our own commands, then those of the plugins, sorted."""

    package = "colddiff_cli"
    table: ClassVar = {
        "demo": "Train, restore and export on bundled digits: three minutes on two cores.",
        "train": "Train a restorer and write a model folder, or go on with a run that was stopped.",
        "restore": "Restore degraded pictures; each is written as DIR/NAME.png.",
        "generate": "Generate pictures, starting from what the model's prior draws.",
        "evaluate": (
            "Degrade held-out images, restore them in three ways, and print how far off they are."
        ),
        "reproduce": (
            "Reproduce a table of the paper, and report what it says beside what came out."
        ),
        "degrade": "Show pictures at levels from clean to fully degraded.",
        "export": "Export a model with its whole sampling loop, and check the file against torch.",
        "info": "Print recipe, schedule, versions and training figures; nothing is run.",
        "doctor": (
            "Look at torch, CUDA, ONNX Runtime and plugins; exit code 1 if something is broken."
        ),
        "recipes": "The experiments that can be trained by name.",
        "runs": "Training runs: how far they are, and their curves.",
        "plugins": "What is installed; check it; start a plugin of your own.",
    }

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the help."""
        return [*super().list_commands(ctx), *sorted(self._mounted.keys() - self.commands.keys())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; plugins are asked last."""
        return super().get_command(ctx, cmd_name) or self._mounted.get(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; that no damaged distribution stops torch is seen to before."""
        installed()
        return super().invoke(ctx)

    @cached_property
    def _mounted(self) -> dict[str, Any]:
        from colddiff_cli.main import app

        commands: dict[str, Any] = {}

        def mount(brought: Any) -> None:
            if not isinstance(brought, typer.Typer):
                raise PluginError(f"it returned {brought!r:.80}, not a typer.Typer")
            if not isinstance(brought.info.name, str):
                raise PluginError("its typer.Typer has no name")  # the command's name
            command = typer.main.get_group(brought)
            command.name = brought.info.name
            commands.setdefault(command.name, command)

        plugins()
        emit("colddiff_cli", mount, app=app)
        return commands
