"""`colddiff runs`: what training runs left behind, finished or not."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colddiff_cli.options import Json

if TYPE_CHECKING:
    from colddiff_core.training.runs import RunRecord

app = typer.Typer(help="Training runs: how far they are, and their curves.", no_args_is_help=True)


@app.command("list")
def list_runs(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER]...", help="Runs, or folders of runs.", show_default="runs"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List runs: finished, running or stopped, with the step and the loss they are at."""
    from colddiff_core.training.runs import find_runs

    rows = [run.summary() for run in find_runs(folders or [Path("runs")])]
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "runs": rows}, indent=2))
        return
    from rich.table import Table

    from colddiff_cli.console import out

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Run", overflow="fold")
    for name in ("State", "Step", "Loss", "Data", "Degradation", "Last line"):
        table.add_column(name, no_wrap=True, justify="right" if name == "Loss" else "left")
    for row in rows:
        loss = "-" if row["loss"] is None else f"{row['loss']:.4f}"
        table.add_row(
            row["run"],
            row["state"],
            f"{row['step']}/{row['steps'] or '?'}",
            loss,
            row["data"] or "-",
            row["degradation"] or "-",
            row["changed"][:16].replace("T", " "),
        )
    out.print(table, soft_wrap=False)


@app.command("show")
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    as_json: Json = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw the loss into a picture instead."),
    ] = None,
) -> None:
    """Show one run: where it stands, its figures, and its loss over the steps.

    `--json` prints every line of its metrics, and the recipe.

    Example: `colddiff runs show runs/mnist-demo --plot loss.png`
    """
    from colddiff_core.contracts.errors import UsageError
    from colddiff_core.training.runs import read_run

    record = read_run(run)
    points = [
        (float(line["step"]), float(line["loss"]))
        for line in record.lines
        if isinstance(line.get("loss"), int | float) and math.isfinite(line["loss"])
    ]
    if plot is not None:
        from colddiff_cli.plot import write_plot

        if not points:
            raise UsageError(f"{run}: has no loss to draw yet")
        write_plot(plot, points, title=f"{run.name}: loss over steps")
    if as_json:
        whole = {**record.summary(), "recipe": record.recipe, "metrics": record.lines}
        typer.echo(json.dumps({"schema_version": 1, **whole}, indent=2))
    elif plot is not None:
        typer.echo(str(plot))
    else:
        _print(record, points)


def _print(record: "RunRecord", points: list[tuple[float, float]]) -> None:
    from rich.table import Table

    from colddiff_cli.console import out
    from colddiff_cli.plot import terminal_plot

    summary = record.summary()
    last = record.lines[-1] if record.lines else {}
    rows = {
        "run": summary["run"],
        "state": summary["state"],
        "step": f"{summary['step']} of {summary['steps'] or '?'}",
        "saved": ", ".join(map(str, summary["saved"])) or "-",
        "data": summary["data"] or "-",
        "degradation": summary["degradation"] or "-",
        "loss": "-" if summary["loss"] is None else f"{summary['loss']:.5f}",
        "images seen": f"{last.get('images_seen', 0):,}",
        "images/s": f"{last.get('images_per_second', 0):.1f}",
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    out.print(table, soft_wrap=False)
    if points:
        width = max(20, min(out.width, 100) - 14)
        out.print("", "loss", *terminal_plot(points, width=width), sep="\n", markup=False)
