"""The U-Net: shapes, sizes and what it does at first."""

import pytest
import torch

from colddiff_core import ParameterError, UsageError, build
from colddiff_core.contracts.restorer import Restorer


def unet(shape: tuple[int, int, int] = (1, 16, 16), **params: object) -> Restorer:
    return build("restorer", "unet", image_shape=shape, channels=8, **params)


def awake(net: Restorer) -> Restorer:
    """With weights that let everything through."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net.eval()


def test_an_untrained_net_returns_its_input() -> None:
    x = torch.randn(2, 1, 16, 16)
    assert torch.equal(unet()(x, torch.tensor([1, 20])), x)


@pytest.mark.parametrize(
    ("shape", "params"),
    [
        ((1, 16, 16), {}),
        ((3, 16, 24), {"multipliers": (1, 2, 2)}),
        ((3, 5, 7), {"multipliers": (2,), "blocks": 2}),
        ((1, 8, 8), {"attention": True, "multipliers": (1, 5)}),
    ],
)
def test_shapes_and_independence_of_the_batch(
    shape: tuple[int, int, int], params: dict[str, object]
) -> None:
    net = awake(unet(shape, **params))
    x, t = torch.randn(3, *shape), torch.tensor([1, 7, 300])
    with torch.no_grad():
        together = net(x, t)
        alone = torch.cat([net(x[k : k + 1], t[k : k + 1]) for k in range(3)])
    assert together.shape == x.shape
    torch.testing.assert_close(together, alone, atol=2e-4, rtol=2e-4)


def test_the_level_matters() -> None:
    net, x = awake(unet()), torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        assert not torch.allclose(net(x, torch.tensor([1])), net(x, torch.tensor([2])))


def test_attention_reaches_across_the_image() -> None:
    x = torch.zeros(1, 1, 16, 16)
    spot = x.clone()
    spot[..., 0, 0] = 1
    far = {}
    for attention in (False, True):
        net = awake(unet(multipliers=(1, 2), attention=attention))
        for norm in (m for m in net.modules() if isinstance(m, torch.nn.GroupNorm)):
            norm.forward = lambda h: h  # type: ignore[method-assign] # it sees the whole image
        with torch.no_grad():
            difference = net(spot, torch.tensor([1])) - net(x, torch.tensor([1]))
        far[attention] = difference[0, 0, -1, -1].abs().item()
    assert far[False] == 0
    assert far[True] > 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"channels": 12}, "channels: expected a multiple of 8, got 12"),
        ({"multipliers": ()}, "multipliers: expected positive integers"),
        ({"multipliers": (1, 0)}, "multipliers: expected positive integers"),
        ({"multipliers": (10**9,)}, "keep the width within 4096"),
        ({"blocks": 0}, "blocks: expected 1 to 16"),
        ({"channels": 512, "blocks": 16}, "over the limit of 1,000,000,000"),
    ],
)
def test_unusable_sizes_are_explained(params: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        build("restorer", "unet", **{"image_shape": (1, 16, 16), "channels": 8, **params})


def test_an_image_that_cannot_be_halved_is_explained() -> None:
    with pytest.raises(UsageError, match="divisible by 8, got 12x16"):
        unet()(torch.zeros(1, 1, 12, 16), torch.tensor([1]))
