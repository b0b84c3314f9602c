"""Degradations: one operator per file, its formula at the top."""

from colddiff_core import Component, hookimpl

_HERE = "colddiff_plugins.degradations"


@hookimpl
def colddiff_degradations() -> list[Component]:
    """The operators of the paper, and one for pairs of pictures."""
    return [
        Component("animorph", f"{_HERE}.animorph:Animorph", "Turn into another image"),
        Component("blend", f"{_HERE}.blend:Blend", "Blend into its real degraded picture"),
        Component("color-mask", f"{_HERE}.color_mask:ColorMask", "Fade to one flat colour"),
        Component("desaturate", f"{_HERE}.desaturate:Desaturate", "Fade to grey"),
        Component("gaussian-blur", f"{_HERE}.gaussian_blur:GaussianBlur", "Repeated Gaussian blur"),
        Component("gaussian-mask", f"{_HERE}.gaussian_mask:GaussianMask", "Fade from a centre out"),
        Component("gaussian-noise", f"{_HERE}.gaussian_noise:GaussianNoise", "Turn into noise"),
        Component("pixelate", f"{_HERE}.pixelate:Pixelate", "Halve the resolution at each step"),
        Component("snow", f"{_HERE}.snow:Snow", "Let snow fall, streaked by the wind"),
    ]
