"""Subcommands that plugins bring, by the hook `colddiff_cli`.

Plugins are asked only when the help is shown or a command is none of our own, so that a plugin can
neither slow down nor break, nor take over, what is built in.
"""

import logging
from functools import cached_property
from typing import Any

import typer
from typer.core import TyperGroup

from colddiff_core.contracts.errors import PluginError
from colddiff_core.registry.switches import is_strict


class PluginGroup(TyperGroup):
    """Our own commands, then those of the plugins, sorted."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the help."""
        return [*super().list_commands(ctx), *sorted(self._mounted.keys() - self.commands.keys())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; plugins are asked last."""
        return super().get_command(ctx, cmd_name) or self._mounted.get(cmd_name)

    @cached_property
    def _mounted(self) -> dict[str, Any]:
        from colddiff_cli.main import app
        from colddiff_core.registry.discovery import plugins

        commands: dict[str, Any] = {}
        for plugin in plugins():
            if plugin.manager is None or "colddiff_cli" not in plugin.hooks:
                continue
            try:
                for brought in plugin.manager.hook.colddiff_cli(app=app):
                    name, command = _mountable(brought)
                    commands.setdefault(name, command)
            except Exception as error:
                if is_strict():
                    raise
                logging.getLogger(__name__).warning(
                    "%s: its command cannot be mounted: %s: %s",
                    *(plugin.blame, type(error).__name__, error),
                )
        return commands


def _mountable(brought: Any) -> tuple[str, Any]:
    if not isinstance(brought, typer.Typer):
        raise PluginError(f"colddiff_cli returned {brought!r:.80}, not a typer.Typer")
    if not isinstance(brought.info.name, str):
        raise PluginError("its typer.Typer has no name")  # the command's name
    command = typer.main.get_group(brought)
    command.name = brought.info.name
    return command.name, command
