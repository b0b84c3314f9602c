"""What this plugin brings to colddiff, said without importing anything heavy."""

from typing import TYPE_CHECKING

from colddiff_core import Component, hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def colddiff_degradations() -> list[Component]:
    """The degradation `fog`."""
    return [
        Component("fog", "colddiff_fog.fog:Fog", "Fog, thicker with distance"),
    ]


@hookimpl
def colddiff_recipes() -> list[str]:
    """Recipes, to be trained by name: `colddiff train fog-demo`."""
    return ["colddiff_fog.recipes"]


@hookimpl
def colddiff_cli() -> "typer.Typer":
    """The command `colddiff fog`."""
    from colddiff_fog.command import app

    return app
