"""A feature network by its name, with its weights checked."""

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from torch import Tensor, nn

from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import os_errors_as, read_bounded

_MODULES: Mapping[str, str] = {
    "inception": "inception",
    "efficientnet-lite0": "efficientnet_lite0",
    "mnist-classifier": "mnist_classifier",
}
"""The module of each, which has `SHA256`, `SIZE`, `weights(path)` and `build(content)`."""


class FeatureNetwork(nn.Module):
    """Makes features of pictures.

    Args:
        name: what the network is.
        sha256: of the file of its weights.
        num_features: F.
        features: from (B, C, H, W) uint8 to (B, F).
    """

    def __init__(self, name: str, sha256: str, num_features: int, features: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.sha256 = sha256
        self.num_features = num_features
        self.features = features

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) uint8, C = 1 or 3, to (B, F) float64."""
        features: Tensor = self.features(pictures)
        return features.double()


def names() -> tuple[str, ...]:
    """The networks that there are."""
    return tuple(_MODULES)


def feature_network(name: str, weights: Path | None = None) -> FeatureNetwork:
    """Load a feature network.

    Args:
        name: one of `names`.
        weights: the file of its weights; needed for `inception`, whose weights no package has.

    Raises:
        UsageError: no such network, an extra is not installed, or the file is not the one that the
            network is known by.
    """
    if name not in _MODULES:
        raise UsageError(f"features: expected {', '.join(_MODULES)}; got {name!r}")
    module = import_module(f"colddiff_core.evaluation.features.{_MODULES[name]}")
    path = module.weights(weights)
    with os_errors_as(UsageError, path):
        content = read_bounded(path, module.SIZE)
    found = hashlib.sha256(content).hexdigest()
    if found != module.SHA256:
        raise UsageError(
            f"{path}: not the weights of {name}, or damaged: sha256 is {found}, expected "
            f"{module.SHA256}"
        )
    network: FeatureNetwork = module.build(content)
    return network.requires_grad_(False).eval()
