"""The entry point: errors turned into one line and an exit code."""

import itertools
import os
import re
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from colddiff_cli.commands import Commands
from colddiff_cli.console import IS_FIRST, err, out, set_up
from colddiff_core.contracts.errors import ColdDiffError, Interrupted, PluginError, UsageError
from colddiff_core.registry.discovery import culprit
from colddiff_core.registry.switches import ONLY, is_strict

app = typer.Typer(
    name="colddiff",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"colddiff {version('colddiff')}")
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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Cold Diffusion: learn to invert any image degradation, and ship it as one ONNX file."""


def main() -> None:
    """Run the command line."""
    set_up()
    try:
        app(prog_name="colddiff")
    except ColdDiffError as error:
        if IS_FIRST:
            kind = "" if isinstance(error, Interrupted) else "error: "
            err.print(f"colddiff: {kind}{_blamed(error)}")
        sys.exit(error.exit_code)
    except Exception as error:
        fault, code = culprit(error), PluginError.exit_code
        if fault is None and isinstance(error, OSError) and error.filename is not None:
            fault, code = f"{error.filename}: {error.strerror}", UsageError.exit_code
        if fault is None or is_strict():
            raise
        err.print(f"colddiff: error: {fault}")
        sys.exit(code)


def _blamed(error: ColdDiffError) -> str:
    """The message, with the `--set` that it is about, if it is about one."""
    message = str(error)
    given = [value for flag, value in itertools.pairwise(sys.argv) if flag == "--set"]
    for setting, field in itertools.product(given, getattr(error, "fields", ())):
        key, _, value = setting.partition("=")
        table, _, rest = key.partition(".")
        ours = message.startswith(table) and rest == field  # begins with the component's kind
        if ours or f"{key}.".startswith(f"{field}."):
            told = f"--set {setting}: {message}"
            as_text = f"; for text, write --set '{key}=\"{value}\"'"
            return told + as_text if re.search("valid (string|path)", message) else told
    return message
