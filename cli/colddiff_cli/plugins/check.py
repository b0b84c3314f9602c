"""`colddiff plugins check`: hold components to the laws of their kind."""

import warnings
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from colddiff_cli.console import escaped, out, show_json
from colddiff_cli.options import Json, Kind, Settings, flag, option
from colddiff_core import ColdDiffError, UsageError
from colddiff_core.contracts.errors import PluginError, UnknownComponentError
from colddiff_core.models.recipe import parse_assignment
from colddiff_core.registry.components import Registered, registry
from colddiff_core.registry.hookspecs import ColdDiffDeprecationWarning
from colddiff_core.registry.source_tree import use_source_tree
from colddiff_core.registry.switches import normalized
from colddiff_core.testing import Result, check_component

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow", "expected": "green"}


def check(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|PATH", help="A component, a distribution, or the folder of a plugin."
        ),
    ] = None,
    everything: Annotated[
        bool, flag("--all", "All components that are installed and active.")
    ] = False,
    kind: Kind = None,
    only: Annotated[
        list[str] | None, option("CHECK", "Run this check alone; may be repeated.", True, "--only")
    ] = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Check that components keep the promises of their kind; exit code 1 if one does not.

    A check that fails tells which promise is broken on which input, and the seed of that input.
    A failure is expected where the component declares it, as `expected_failures`. It is a failure,
    too, if a component could not be built, or no check be run at all.

    Example: `colddiff plugins check .` in the folder of a plugin
    """
    if (target is None) != everything:
        raise UsageError("plugins check: name a component, a distribution or a folder, or --all")
    warnings.simplefilter("always", ColdDiffDeprecationWarning)  # it is authors who ask
    items = _components(target, kind)
    params = dict(map(parse_assignment, settings or []))
    table = []
    missed: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for item in items:
        if not as_json:
            out.print(f"{item.identity} {item.version} ({item.kind})", style="bold")
        results = check_component(
            item, params=params, only=only, on_result=None if as_json else _print_result
        )
        for result in results:
            if result.essential and result.outcome == "skipped":
                missed.setdefault(f"{item.identity}: {result.detail}", []).append(result.check)
        counts.update(result.outcome for result in results)
        table.append(
            {
                "name": item.name,
                "kind": item.kind,
                "distribution": item.distribution,
                "version": item.version,
                "results": [asdict(result) for result in results],
            }
        )
    totals = {name: counts[name] for name in _STYLES if counts[name] or name != "expected"}
    if as_json:
        show_json({**totals, "components": table})
    else:
        out.print(", ".join(f"{count} {outcome}" for outcome, count in totals.items()))
    if counts["failed"]:
        raise typer.Exit(1)
    if missed and not everything:
        causes = (f"{', '.join(names)} of {cause}" for cause, names in missed.items())
        raise ColdDiffError(f"essential checks did not run: {'; '.join(causes)}")
    if not counts["passed"] and not counts["expected"]:
        raise ColdDiffError("nothing was checked")


def _components(target: str | None, kind: str | None) -> list[Registered]:
    """What is to be checked, at least one component.

    Raises:
        UsageError: nothing has that name.
        PluginError: the plugin is broken or incompatible.
    """
    if target is None:
        return registry().components(kind)
    is_folder = Path(target).is_dir()
    if is_folder:
        target = use_source_tree(Path(target))
    owner, everything = normalized(target), registry().components(kind)
    named = [] if is_folder else [item for item in everything if item.is_called(target)]
    found = named or [item for item in everything if normalized(item.distribution) == owner]
    faults = [
        f"{plugin.blame} is {plugin.status}: {plugin.error}"
        for plugin in registry().plugins
        if plugin.error
        and owner in (normalized(plugin.distribution), normalized(plugin.entry_point))
    ]
    if faults:
        raise PluginError("; ".join(faults))
    if not found:
        raise UnknownComponentError(
            f"no component and no distribution with components is named {target!r}; see "
            f"`colddiff plugins list`"
        )
    return found


def _print_result(result: Result) -> None:
    seed = "" if result.seed is None else f" (seed {result.seed})"
    why = f": {result.detail}" if result.outcome in ("skipped", "expected") else ""
    rest = escaped(f"{result.check}{seed}{why}")
    out.print(Text.assemble("  ", (f"{result.outcome:7} ", _STYLES[result.outcome]), rest))
    if result.outcome == "failed":
        out.print(f"           {result.detail}")
