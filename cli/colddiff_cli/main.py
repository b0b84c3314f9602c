"""The entry point: put the commands together, turn errors into one line and an exit code."""

import logging
import os
import sys
from typing import Annotated

import typer

from colddiff_cli import (
    degrade,
    demo,
    doctor,
    evaluate,
    export,
    generate,
    info,
    plugins,
    recipes,
    restore,
    runs,
    train,
)
from colddiff_cli.plugin_commands import PluginGroup
from colddiff_cli.reproduce import reproduce
from colddiff_core.contracts.errors import ColdDiffError
from colddiff_core.registry.switches import ONLY

app = typer.Typer(
    name="colddiff",
    cls=PluginGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"colddiff {version('colddiff')}")
        raise typer.Exit


def _no_plugins(wanted: bool) -> None:
    if wanted:
        os.environ[ONLY] = ""  # the switch that subprocesses see, too


@app.callback()
def colddiff(
    _no: Annotated[
        bool,
        typer.Option(
            "--no-plugins",
            callback=_no_plugins,
            is_eager=True,
            help="Load no third-party plugins; give it before the command.",
        ),
    ] = False,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Cold Diffusion: learn to invert any image degradation, and ship it as one ONNX file."""


app.command()(demo.demo)
app.command()(train.train)
app.command()(restore.restore)
app.command()(generate.generate)
app.command()(evaluate.evaluate)
app.command()(reproduce)
app.command()(degrade.degrade)
app.command()(export.export)
app.command()(info.info)
app.command()(doctor.doctor)
app.add_typer(recipes.app, name="recipes")
app.add_typer(runs.app, name="runs")
app.add_typer(plugins.app, name="plugins")


def main() -> None:
    """Run the command line."""
    # What the packages log, such as a picture that was skipped
    logging.basicConfig(stream=sys.stderr, format="colddiff: %(message)s", level=logging.WARNING)
    try:
        app(prog_name="colddiff")
    except ColdDiffError as error:
        print(f"colddiff: error: {error}", file=sys.stderr)  # noqa: T201 - plain, never wrapped
        sys.exit(error.exit_code)
