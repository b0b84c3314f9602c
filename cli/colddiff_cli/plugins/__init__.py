"""`colddiff plugins`: what is installed, whether it keeps its promises, and how to make more."""

from typing import ClassVar

import typer

from colddiff_cli.commands import LazyGroup


class PluginCommands(LazyGroup):
    """What can be done about plugins."""

    package = "colddiff_cli.plugins"
    table: ClassVar = {
        "list": "List every component, and every plugin that is broken, disabled or incompatible.",
        "info": "Show what a component is, where it comes from, its parameters and its context.",
        "check": (
            "Check that components keep the promises of their kind; exit code 1 if one does not."
        ),
        "new": "Make a plugin: a package that works, with the formula to be replaced by yours.",
    }


app = typer.Typer(cls=PluginCommands, add_completion=False)


@app.callback(invoke_without_command=True)
def plugins(ctx: typer.Context) -> None:
    """What is installed; check it; start a plugin of your own.

    Third-party plugins can be switched off before anything of theirs is imported: all of them by
    `colddiff --no-plugins`, some by COLDDIFF_DISABLE_PLUGINS=a,b, all but some by
    COLDDIFF_PLUGINS=a,b. COLDDIFF_TRACE_PLUGINS=1 tells what is imported and called;
    COLDDIFF_PLUGINS_STRICT=1 shows the traceback of a plugin that fails.
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
