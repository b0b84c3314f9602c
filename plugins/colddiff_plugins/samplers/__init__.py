"""Samplers: one algorithm per file."""

from colddiff_core import Component, hookimpl

_HERE = "colddiff_plugins.samplers"


@hookimpl
def colddiff_samplers() -> list[Component]:
    """The algorithms of the paper."""
    return [
        Component("ddim", f"{_HERE}.ddim:Ddim", "DDIM: estimate the endpoint at each step"),
        Component("naive", f"{_HERE}.naive:Naive", "Algorithm 1: restore, degrade, repeat"),
        Component(
            "improved",
            f"{_HERE}.improved:Improved",
            "Algorithm 2 (TACoS): correct for the restorer's error",
            aliases=("tacos",),
        ),
    ]
