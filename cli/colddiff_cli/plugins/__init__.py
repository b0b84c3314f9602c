"""`colddiff plugins`: what is installed, whether it keeps its promises, and how to make more."""

import typer

from colddiff_cli.plugins import check, info, listing, new

app = typer.Typer(help="What is installed; check it; start a plugin of your own.")


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


app.command("list")(listing.list_plugins)
app.command()(info.info)
app.command()(check.check)
app.command()(new.new)
