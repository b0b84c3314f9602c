"""Recipes that come with the package: the TOML files beside this one."""

from colddiff_core import hookimpl


@hookimpl
def colddiff_recipes() -> list[str]:
    """This package holds them."""
    return [__name__]
