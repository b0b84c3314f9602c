"""The U-Net for photographs: what a pixel depends on, and what becomes of its norms."""

from pathlib import Path

import onnx
import pytest
import torch
from safetensors.torch import load_file

from colddiff_core import (
    ColdDiffusion,
    ParameterError,
    Restorer,
    UsageError,
    build,
    load_recipe,
    train,
)

SIZES = [
    {},
    {"unshuffle": 1, "multipliers": (1, 2, 2)},
    {"unshuffle": 3, "multipliers": (1,)},
    {"blocks": 2},
]


def local_unet(shape: tuple[int, int, int] = (1, 16, 16), **params: object) -> Restorer:
    return build("restorer", "local-unet", image_shape=shape, **{"channels": 8, **params})


def trained(net: Restorer) -> Restorer:
    """With weights that let everything through, and statistics of some batches."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    side = 8 * (net.size_multiple or 1)
    for _ in range(3):
        net.train()(torch.randn(4, net.image_shape[0], side, side), torch.tensor([1, 5, 9, 20]))
    return net.eval()


def test_an_untrained_net_returns_its_input() -> None:
    x = torch.randn(2, 1, 16, 16)
    assert torch.equal(local_unet()(x, torch.tensor([1, 20])), x)


@pytest.mark.parametrize("params", SIZES)
def test_a_pixel_depends_on_its_neighbourhood_and_on_no_more(params: dict[str, object]) -> None:
    """The gradient of every pixel of a period ends at `reach`: neither before nor beyond."""
    net = trained(local_unet(**params)).double()
    assert net.reach is not None
    assert net.size_multiple is not None
    middle = net.size_multiple * -(-net.reach // net.size_multiple)
    side = 2 * middle + net.size_multiple
    x = torch.randn(1, 1, net.size_multiple, side, dtype=torch.float64, requires_grad=True)
    distances = []
    for place in range(middle, middle + net.size_multiple):
        y = net(x, torch.tensor([3]))[0, 0, 0, place]
        (gradient,) = torch.autograd.grad(y, x)
        reached = gradient.abs().sum((0, 1, 2)).nonzero()
        distances.append(int((reached - place).abs().max()))
    assert max(distances) == net.reach


@pytest.mark.parametrize("params", SIZES)
def test_tiles_agree_with_the_whole(params: dict[str, object]) -> None:
    net = trained(local_unet((3, 48, 48), **params))
    multiple = net.size_multiple or 1
    border = multiple * -(-(net.reach or 0) // multiple)
    x, t = torch.randn(1, 3, 4 * border, 3 * border), torch.tensor([7])
    with torch.no_grad():
        whole = net(x, t)
        tile = net(x[..., border : 4 * border, :], t)
    torch.testing.assert_close(
        tile[..., border:, :], whole[..., 2 * border :, :], atol=1e-5, rtol=0
    )


def test_any_size_and_an_error_that_says_which() -> None:
    net = trained(local_unet((3, 16, 16)))
    assert net(torch.zeros(1, 3, 4, 36), torch.tensor([1])).shape == (1, 3, 4, 36)
    with pytest.raises(UsageError, match=r"local-unet: .* divisible by 4, got 16x18"):
        net(torch.zeros(1, 3, 16, 18), torch.tensor([1]))
    with pytest.raises(ParameterError, match="unshuffle: expected 1 to 8, got 9"):
        local_unet(unshuffle=9)


def test_norms_become_part_of_the_convolutions_in_onnx(tmp_path: Path) -> None:
    blur = build("degradation", "gaussian-blur", num_steps=3)
    process = ColdDiffusion(blur, trained(local_unet()), build("sampler", "improved")).eval()
    path = tmp_path / "restorer.onnx"
    report = build("exporter", "onnx", graph="restorer").export(process, path)
    assert report.max_error < 1e-4
    nodes = onnx.load(path).graph.node
    names = {node.op_type for node in nodes}
    assert "Conv" in names
    assert not {name for name in names if "Norm" in name or name.startswith("Reduce")}
    # 2 blocks at each of 2 resolutions, stem, head and the step between the resolutions
    assert sum(node.op_type == "Conv" for node in nodes) == 4 * 2 + 3


def test_the_model_folder_holds_the_statistics_of_the_average(tmp_path: Path) -> None:
    recipe = load_recipe(
        "mnist-demo",
        [
            "data.image_size=8",
            "restorer={name='local-unet', channels=8}",
            "train={steps=4, batch_size=4, sample_every=0, ema_decay=0.5}",
        ],
    )
    process = train(recipe, tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    running = {name: value for name, value in saved.items() if "running" in name}
    assert running
    assert all(value.std() > 0 for value in running.values())
    again = ColdDiffusion.load(tmp_path)
    x_t = torch.randn(2, 1, 8, 8)
    assert torch.equal(again.restore(x_t), process.restore(x_t))
