"""Restorers: one network per file."""

from colddiff_core import Component, hookimpl


@hookimpl
def colddiff_restorers() -> list[Component]:
    """The built-in networks."""
    return [
        Component(
            "unet",
            "colddiff_plugins.restorers.unet:UNet",
            "Compact residual U-Net, normalised over the image, with the level in every block",
        ),
        Component(
            "local-unet",
            "colddiff_plugins.restorers.local_unet:LocalUNet",
            "U-Net for photographs of any size: no statistics over the image",
        ),
    ]
