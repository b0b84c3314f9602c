"""Degradations: one operator per file, its formula at the top."""

from colddiff_core.hookspecs import Component, hookimpl

_HERE = "colddiff_plugins.degradations"


@hookimpl
def colddiff_degradations() -> list[Component]:
    """The operators of the paper."""
    return [
        Component("gaussian-blur", f"{_HERE}.gaussian_blur:GaussianBlur", "Repeated Gaussian blur"),
        Component("pixelate", f"{_HERE}.pixelate:Pixelate", "Halve the resolution at each step"),
    ]
