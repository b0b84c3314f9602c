"""Priors: one way of starting a generation per file."""

from colddiff_core import Component, hookimpl

_HERE = "colddiff_plugins.priors"


@hookimpl
def colddiff_priors() -> list[Component]:
    """What the paper generates from."""
    return [
        Component(
            "channel-mean-gmm",
            f"{_HERE}.channel_mean_gmm:ChannelMeanGmm",
            "A colour from a Gaussian mixture, fitted to the training set",
        ),
        Component("constant-color", f"{_HERE}.constant_color:ConstantColor", "A muted flat colour"),
        Component("dataset", f"{_HERE}.from_dataset:FromDataset", "Images of another data set"),
        Component(
            "gaussian-noise", f"{_HERE}.gaussian_noise:GaussianNoise", "Standard normal noise"
        ),
    ]
