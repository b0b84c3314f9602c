"""Inception v3 as of 2015: the network that the FID of the literature is taken on.

The weights are the file `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid, which torch-fidelity
calls `weights-inception-2015-12-05-6726825d.pth`; who wants the FID downloads it. The network is
torch-fidelity's, which resizes as TensorFlow 1 did.
"""

import io
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from colddiff_core.contracts.errors import UsageError
from colddiff_core.evaluation.features.network import FeatureNetwork

NAME = "inception"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SIZE = 100_000_000  # bytes, at most
_NUM_FEATURES = 2048


class _Pooled(nn.Module):
    """(B, C, H, W) uint8 to the features of the last pooling, (B, 2048)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        (features,) = self.network(pictures.expand(-1, 3, -1, -1))
        return features  # type: ignore[no-any-return]


def weights(path: Path | None) -> Path:
    """The file that was named.

    Raises:
        UsageError: none was.
    """
    if path is None:
        raise UsageError(
            "features: inception needs the file of its weights, named by --feature-weights: "
            "pt_inception-2015-12-05-6726825d.pth, a download of pytorch-fid's releases "
            "(github.com/mseitzer/pytorch-fid)"
        )
    return path


def build(content: bytes) -> FeatureNetwork:
    """The network, from the bytes of its weights.

    Raises:
        UsageError: torch-fidelity is not installed.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise UsageError(
            "features: inception needs torch-fidelity, pip install 'colddiff[fid]'"
        ) from None
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    with tempfile.TemporaryDirectory() as folder:
        checked = Path(folder) / "weights.pth"  # torch-fidelity would unpickle the user's own file
        torch.save(state, checked)
        network = FeatureExtractorInceptionV3(NAME, [str(_NUM_FEATURES)], str(checked))
    return FeatureNetwork(NAME, SHA256, _NUM_FEATURES, _Pooled(network))
