"""`colddiff runs`: what training runs left behind, finished or not."""

import math
from pathlib import Path
from typing import Annotated

import typer

from colddiff_cli.console import out, show_json, show_table
from colddiff_cli.options import Json, option, output_path
from colddiff_cli.plot import Points, curves, terminal_plot
from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import write_atomically
from colddiff_core.training.runs import RunRecord, find_runs, read_run

app = typer.Typer(
    help="Training runs: how far they are, and their curves.",
    no_args_is_help=True,
    add_completion=False,
)


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
    rows = [run.summary() for run in find_runs(folders or [Path("runs")])]
    if as_json:
        show_json({"runs": rows})
        return
    headings = ("Run", "State", "Step", "Loss", "Data", "Degradation", "Last line")
    cells = [
        (
            row["run"],
            row["error"] or row["state"],
            f"{row['step']}/{row['steps'] or '?'}",
            "-" if row["loss"] is None else f"{row['loss']:.4f}",
            row["data"] or "-",
            row["degradation"] or "-",
            (row["changed"] or "-")[:16].replace("T", " "),
        )
        for row in rows
    ]
    show_table(cells, headings)


@app.command("show")
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    as_json: Json = False,
    plot: Annotated[
        Path | None, option("FILE.svg", "Draw the loss into a file instead.", parser=output_path)
    ] = None,
) -> None:
    """Show one run: where it stands, its figures, and its loss over the steps.

    `--json` prints every line of its metrics, and the recipe.

    Example: `colddiff runs show runs/mnist-demo --plot loss.svg`
    """
    record = read_run(run)
    points = [
        (float(line["step"]), float(line["loss"]))
        for line in record.lines
        if isinstance(line.get("loss"), int | float) and math.isfinite(line["loss"])
    ]
    if plot is not None:
        if plot.suffix.lower() != ".svg":
            raise UsageError(f"--plot {plot}: expected a name that ends in .svg")
        if not points:
            raise UsageError(f"{run}: has no loss to draw yet")
        write_atomically(plot, curves({run.name: points}, x="step", y=f"loss of {run.name}"))
    if as_json:
        show_json({**record.summary(), "recipe": record.recipe, "metrics": record.lines})
    elif plot is not None:
        out.print(str(plot))
    else:
        _print(record, points)


def _print(record: RunRecord, points: Points) -> None:
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
    show_table(list(rows.items()))
    if points:
        width = max(20, min(out.width, 100) - 14)
        out.print("", "loss", *terminal_plot(points, width=width), sep="\n")
