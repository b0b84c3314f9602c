"""`colddiff reproduce`: a table of the paper on one's own machine, with a report."""

import json
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from colddiff_cli import options
from colddiff_cli.console import err, out, show_table
from colddiff_cli.labels import ROWS
from colddiff_cli.options import option, output_option
from colddiff_cli.reproduce.budget import Budget
from colddiff_cli.reproduce.generation import generation
from colddiff_cli.reproduce.outcome import Outcome
from colddiff_cli.reproduce.page import page, verdict
from colddiff_cli.reproduce.paper import GenerationSet, PaperTable, RestorationSet
from colddiff_cli.reproduce.paper import table as paper_table
from colddiff_cli.reproduce.plan import Request, check
from colddiff_cli.reproduce.restoration import restoration
from colddiff_core import FeatureNetwork, UsageError, feature_network, write_image
from colddiff_core.devices import torch_device
from colddiff_core.disk import write_atomically
from colddiff_core.evaluation.record import plain, versions

_RESULTS, _REPORT = "results.json", "report.html"

_COLUMNS = (
    ("rmse", False, "RMSE paper", 3),
    ("rmse", True, "RMSE here", 3),
    ("ssim", False, "SSIM paper", 3),
    ("ssim", True, "SSIM here", 3),
    ("frechet", True, "Fréchet", 1),
)
"""Of what is printed: a figure, whether it is ours, its heading and its digits."""


def reproduce(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="table1 (deblurring), table2 (inpainting), table3 (super-resolution) or "
            "generation (hot against cold).",
        ),
    ],
    dataset: Annotated[
        list[str] | None,
        option(
            "NAME",
            "mnist, cifar10, celeba or, to generate, afhq; may be repeated.",
            "mnist",
            "--dataset",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        option(
            "AMOUNT",
            "For each data set: minutes or hours in all (12m, 1.5h), steps of training "
            "(2000), or full for the paper's own recipe.",
            "15m",
        ),
    ] = None,
    folder: Annotated[
        Path | None, output_option("DIR", "Where everything goes.", "reproduced/TABLE")
    ] = None,
    data: Annotated[
        list[str] | None,
        option(
            "[NAME=]FOLDER",
            "Where the files of a data set are; digits are bundled, 7,000 of them.",
            True,
            "--data",
        ),
    ] = None,
    model: Annotated[
        Path | None, option("DIR", "Evaluate this model folder instead of training one.")
    ] = None,
    images: Annotated[
        int | None,
        option("N", "Evaluate on so many.", "what the minutes afford, else 10,000", min=2),
    ] = None,
    features: Annotated[
        str | None,
        option(
            "NETWORK",
            "What Fréchet distances are taken on: inception (the FID), efficientnet-lite0, "
            "mnist-classifier or none.",
            "mnist-classifier for digits, else efficientnet-lite0",
        ),
    ] = None,
    feature_weights: options.FeatureWeights = None,
    settings: options.Settings = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Reproduce a table of the paper, and report what it says beside what came out.

    Trains the recipe of each data set within the budget, or takes what was trained before in the
    same folder, evaluates it, and writes report.html (one file with figures, pictures, curves and
    what differs from the paper) and results.json. A budget in minutes or steps trains a small
    network. To resume, run the same command again.

    Example: `colddiff reproduce table1 --dataset mnist`
    """
    paper = paper_table(table)
    names = list(dict.fromkeys(dataset or ["mnist"]))
    for name in names:
        if name not in paper.sets:
            raise UsageError(f"--dataset: {table} has {', '.join(paper.sets)}; got {name!r}")
    allowed = Budget.parse(budget or "15m")
    folders = _folders(data or [], names)
    if model is not None and (len(names) > 1 or table == "generation"):
        raise UsageError("--model: is for one data set of table1, table2 or table3")
    if model is not None and budget is not None:
        raise UsageError("--model and --budget: nothing is trained with --model")
    if feature_weights is not None and features != "inception":
        raise UsageError("--feature-weights: is for --features inception")
    folder = folder or Path("reproduced") / table

    networks = {name: _network(name, features, feature_weights) for name in names}
    more = tuple(settings or [])
    requests = {
        name: Request(allowed, folders.get(name), images, more, seed, torch_device(device))
        for name in names
    }
    for name in names:  # what is wrong with the last is told before the first is trained
        _check(paper.sets[name], requests[name], networks[name])
    outcomes: dict[str, Outcome] = {}
    began = time.perf_counter()
    for name in names:
        err.print(f"{paper.title}, {paper.sets[name].title}", style="bold")
        outcomes[name] = _outcome(
            paper.sets[name], requests[name], folder / name, model, networks[name]
        )
    results = _results(paper, table, outcomes, time.perf_counter() - began)
    for name, outcome in outcomes.items():
        for row, pixels in outcome.pictures.items():
            write_image(folder / name / "pictures" / f"{row}.png", pixels)
    text = json.dumps(results, indent=2, allow_nan=False) + "\n"
    write_atomically(folder / _RESULTS, text)
    html = page(results, {name: outcome.pictures for name, outcome in outcomes.items()})
    # the command line may hold a file's name that is no text
    write_atomically(folder / _REPORT, html.encode("utf-8", "xmlcharrefreplace"))
    if as_json:
        typer.echo(text, nl=False)  # as in the file
    else:
        _print(results, folder)


def _check(
    entry: RestorationSet | GenerationSet, request: Request, network: FeatureNetwork | None
) -> None:
    if isinstance(entry, RestorationSet):
        check(entry.recipe, request, "test", network)
        return
    if network is None:
        raise UsageError("--features: name what the Fréchet distances are to be taken on")
    for recipe in (entry.hot, entry.cold):
        check(recipe, request, "train", network)


def _outcome(
    entry: RestorationSet | GenerationSet,
    request: Request,
    folder: Path,
    model: Path | None,
    network: FeatureNetwork | None,
) -> Outcome:
    if isinstance(entry, RestorationSet):
        return restoration(entry, request, folder, model=model, features=network)
    assert network is not None  # noqa: S101 - `_check` has looked
    return generation(entry, request, folder, features=network)


def _network(name: str, features: str | None, weights: Path | None) -> FeatureNetwork | None:
    if features is not None:
        return None if features == "none" else feature_network(features, weights)
    if name == "mnist":
        return feature_network("mnist-classifier")
    try:
        return feature_network("efficientnet-lite0")
    except UsageError as error:
        err.print(f"colddiff: no Fréchet distances: {error}")
        return None


def _folders(data: list[str], names: list[str]) -> dict[str, Path]:
    folders = {}
    for value in data:
        name, equals, folder = value.partition("=")
        if not equals and len(names) == 1:
            name, folder = names[0], value
        if name not in names:
            raise UsageError(
                f"--data {value!r}: expected FOLDER for a single data set, or NAME=FOLDER with "
                f"one of {', '.join(names)}"
            )
        folders[name] = Path(folder)
    return folders


def _results(
    paper: PaperTable, table: str, outcomes: Mapping[str, Outcome], seconds: float
) -> dict[str, Any]:
    sets = {
        name: {
            "kind": paper.sets[name].kind,
            "title": paper.sets[name].title,
            **plain(outcome.facts),
        }
        for name, outcome in outcomes.items()
    }
    return {
        "schema_version": 1,
        "table": table,
        "title": paper.title,
        "source": paper.source,
        "command": shlex.join(["colddiff", *sys.argv[1:]]),
        "seconds": round(seconds, 1),
        "sets": sets,
        "versions": versions(),
    }


def _print(results: Mapping[str, Any], folder: Path) -> None:
    for found in results["sets"].values():
        rows, published = found["evaluation"]["rows"], found["published"]
        shown = [figure for figure in _COLUMNS if figure[0] in next(iter(rows.values()))]
        table = []
        for row, values in rows.items():
            figures = [(values if ours else published[row]).get(name) for name, ours, _, _ in shown]
            cells = (
                "" if value is None else f"{value:.{digits}f}"
                for value, (*_, digits) in zip(figures, shown, strict=True)
            )
            table.append((ROWS[row], *cells))
        show_table(
            table,
            ["", *(heading for *_, heading, _ in shown)],
            title=f"{results['title']}, {found['title']}",
            numbers=True,
        )
        if found["kind"] == "restoration":
            out.print(verdict(found))
    out.print(str((folder / _REPORT).resolve()))
