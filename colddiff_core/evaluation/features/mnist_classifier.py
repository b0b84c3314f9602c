"""A small classifier of digits: features for MNIST, for which photographs' networks mean little.

`scripts/train_mnist_classifier.py` trains it and writes the weights.
"""

from pathlib import Path

from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core.contracts.errors import UsageError
from colddiff_core.evaluation.features.network import FeatureNetwork

NAME = "mnist-classifier"
FILE = Path(__file__).with_name("mnist_classifier.safetensors")
SHA256 = "29976c90bbfbebf8e4c97b0aa1800181c49960256f1b0b99b932f4c367129e2f"
SIZE = 1_000_000  # bytes, at most
NUM_FEATURES = 64
_SIDE = 32


class MnistClassifier(nn.Module):
    """Three convolutions, 64 features, ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, NUM_FEATURES),
        )
        self.head = nn.Linear(NUM_FEATURES, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 1, H, W) uint8 to (B, 64), before the last rectifier."""
        if pictures.shape[1] != 1:
            raise UsageError(f"features: {NAME} is for grey digits, these pictures have colours")
        x = pictures.float() / 255
        if x.shape[2:] != (_SIDE, _SIDE):
            x = F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", antialias=True)
        features: Tensor = self.body(x)
        return features

    def scores(self, pictures: Tensor) -> Tensor:
        """(B, 1, H, W) uint8 to the scores of the ten digits, (B, 10)."""
        scores: Tensor = self.head(F.relu(self(pictures)))
        return scores


def weights(path: Path | None) -> Path:
    """The bundled file; another is not taken.

    Raises:
        UsageError: a file is named.
    """
    if path is not None:
        raise UsageError(f"feature weights: {NAME} has its own, leave {path} out")
    return FILE


def build(content: bytes) -> FeatureNetwork:
    """The network, from the bytes of its weights."""
    classifier = MnistClassifier()
    classifier.load_state_dict({name: w.float() for name, w in load(content).items()})
    return FeatureNetwork(NAME, SHA256, NUM_FEATURES, classifier)
