"""Which network restores photographs best for the time it takes, to train and to run.

    python scripts/fetch_photographs.py photographs
    python benchmarks/restorers.py photographs kodak24 --minutes 5

Every variant is trained for as many steps as fit into the same CPU minutes of one thread, by the
median time of a step, measured with the variants in turn before anything is trained, so that
whatever else the machine does falls on all of them. The task: blur of up to 3 pixels (20 levels of
equal variance, borders mirrored), random 64x64 crops with flips and turns, batches of 16, the mean
absolute difference, AdamW, a learning rate of 1e-3 with 30 steps of warm-up and a cosine to 0; the
last weights are taken. The pictures to measure on are never trained on.

Printed for each: weights, steps, PSNR of 192x192 pixels from the middle of every second picture,
blurred to 1.6 and to 3 pixels, restored in one step and by Algorithm 2 (from 1.6 pixels through all
levels, from 3 by every fourth), the milliseconds of R in ONNX Runtime on one thread for a batch of
4 images of 64x64, and the largest difference, on [-1, 1], between a tile with a border of 64 pixels
and the same pixels of the whole, outside the border.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import ColdDiffusion, Restorer, build

_LEVELS, _BATCH, _SIDE = 20, 16, 64
_STD = 3 / math.sqrt(_LEVELS)  # pixels, of each step; variances add up
_SCHEDULES = ((6, 5, 4, 3, 2, 1, 0), (20, 16, 12, 8, 4, 0))  # from 1.6 and from 3 pixels
_MEASURED_SIDE = 192
_LR, _WARM_UP = 1e-3, 30
_BORDER = 64


@dataclass(frozen=True)
class Variant:
    """A network: a component with parameters, and what stands in the place of its norms.

    Attributes:
        restorer: name of the component.
        params: what is not the default.
        norm: makes what replaces a batch normalisation, from its channels.
    """

    restorer: str = "local-unet"
    params: Mapping[str, Any] = field(default_factory=dict)
    norm: Callable[[int], nn.Module] | None = None

    def build(self) -> Restorer:
        """The network, untrained; it starts at zero, whatever its norms are."""
        torch.manual_seed(0)
        net: Restorer = build("restorer", self.restorer, image_shape=(3, 64, 64), **self.params)
        for module in list(net.modules()) if self.norm else []:
            for name, child in module.named_children():
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, self.norm(child.num_features))
                    if name == "norm2":
                        nn.init.zeros_(module.conv2.weight)  # type: ignore[union-attr, arg-type]
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, h: Tensor) -> Tensor:
        """(B, channels, H, W) to the same."""
        return self.norm(h.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


_FULL = {"channels": 32, "multipliers": (1, 2, 4), "unshuffle": 1}
VARIANTS = {
    "unet 32 x (1, 2, 4)": Variant("unet", {"multipliers": (1, 2, 4)}),
    "full resolution, 32 x (1, 2, 4)": Variant(params=_FULL),
    "unshuffled, 64 x (1, 2)": Variant(),
    "… 2 blocks": Variant(params={"blocks": 2}),
    "… 64 x (1, 2, 4)": Variant(params={"multipliers": (1, 2, 4)}),
    "… no norm": Variant(norm=lambda _: nn.Identity()),
    "… groups": Variant(norm=lambda channels: nn.GroupNorm(channels // 8, channels)),
    "… LayerNorm": Variant(norm=ChannelNorm),
}


def main() -> None:
    """Read the command line, train, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", type=Path, help="folder of pictures to train on")
    parser.add_argument("measured", type=Path, help="folder of pictures to measure on")
    parser.add_argument("--minutes", type=float, default=5, help="of CPU time, for each network")
    parser.add_argument("--only", nargs="*", default=[*VARIANTS], help="names of networks")
    options = parser.parse_args()
    torch.set_num_threads(1)
    photographs = read(options.photographs)
    measured = middles(read(options.measured)[::2])
    seconds = seconds_per_step({name: VARIANTS[name] for name in options.only}, photographs)
    console = Console(width=160)
    table = Table(
        *("network", "weights", "ms/step", "steps", "1.6 px: one step / Alg. 2"),
        *("3 px: one step / Alg. 2", "ORT, ms", "tiles differ"),
        title=f"{options.minutes:g} CPU minutes each",
    )
    for name in options.only:
        net = VARIANTS[name].build()
        steps = int(options.minutes * 60 / seconds[name])
        for _ in zip(range(steps), training(net, steps, photographs), strict=False):
            pass
        process = as_process(net.eval())
        quality = [psnrs(process, measured, schedule) for schedule in _SCHEDULES]
        table.add_row(
            *(name, f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M"),
            *(f"{1000 * seconds[name]:.0f}", str(steps)),
            *(f"{one:.2f} / {improved:.2f} dB" for _, one, improved in quality),
            *(f"{milliseconds(process):.1f}", f"{difference_of_a_tile(process, measured):.1e}"),
        )
        console.print(table)
    degraded = " and ".join(f"{before:.2f}" for before, _, _ in quality)
    console.print(f"degraded: {degraded} dB")


def read(folder: Path) -> list[Tensor]:
    """The pictures of a folder, (3, H, W) uint8, at least as large as a crop."""
    pictures = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as picture:
            pictures.append(torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1))
    return [picture for picture in pictures if min(picture.shape[1:]) >= _SIDE]


def middles(pictures: Sequence[Tensor]) -> Tensor:
    """Squares from the middle, (N, 3, side, side) float32 in [-1, 1]."""
    corners = [[(n - _MEASURED_SIDE) // 2 for n in picture.shape[1:]] for picture in pictures]
    squares = [
        picture[:, top:, left:][:, :_MEASURED_SIDE, :_MEASURED_SIDE]
        for picture, (top, left) in zip(pictures, corners, strict=True)
    ]
    return torch.stack(squares) / 127.5 - 1


def as_process(net: nn.Module) -> ColdDiffusion:
    """The network with the blur that it undoes."""
    blur = build(
        "degradation",
        "gaussian-blur",
        num_steps=_LEVELS,
        kernel_size=11,
        std=_STD,
        padding="reflect",
    )
    return ColdDiffusion(blur, net, build("sampler", "improved"))


def seconds_per_step(
    variants: Mapping[str, Variant], photographs: Sequence[Tensor], rounds: int = 8
) -> dict[str, float]:
    """The median CPU time of a training step, the variants taken in turn."""
    runs = {name: training(v.build(), 1000, photographs) for name, v in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.process_time()
            next(run)
            times[name].append(time.process_time() - began)
    return {name: statistics.median(taken[2:]) for name, taken in times.items()}


def training(net: nn.Module, steps: int, photographs: Sequence[Tensor]) -> Iterator[float]:
    """Train, step by step; gives the losses."""
    process = as_process(net.train())
    optimizer = torch.optim.AdamW(net.parameters(), _LR)
    batches = crops(photographs)
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = (
                _LR * min(1, step / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
            )
        x0, t = next(batches)
        loss = F.l1_loss(net(process.degrade(x0, t), t), x0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        yield loss.item()


def crops(photographs: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of crops and levels, the same for every network."""
    draws = np.random.default_rng(0)
    areas = np.array([picture[0].numel() for picture in photographs], float)
    while True:
        batch = []
        for k in draws.choice(len(photographs), _BATCH, p=areas / areas.sum()):
            picture = photographs[k]
            top, left = (int(draws.integers(n - _SIDE + 1)) for n in picture.shape[1:])
            crop = picture[:, top : top + _SIDE, left : left + _SIDE]
            crop = crop.rot90(int(draws.integers(4)), (1, 2))
            batch.append(crop.flip(2) if draws.random() < 0.5 else crop)
        yield torch.stack(batch) / 127.5 - 1, torch.from_numpy(draws.integers(1, 21, _BATCH))


@torch.no_grad()
def psnrs(
    process: ColdDiffusion, x0: Tensor, schedule: Sequence[int]
) -> tuple[float, float, float]:
    """Mean PSNR in dB: degraded, restored in one step, restored by Algorithm 2."""
    rows = []
    for images in x0.split(4):
        t = schedule[0]
        x_t = process.degrade(images, t)
        direct = process.restorer(x_t, torch.full((len(images),), t))
        results = torch.stack([x_t, direct, process.restore(x_t, schedule)])
        errors = ((results.clamp(-1, 1) - images) / 2).square().mean((2, 3, 4))
        rows.append(-10 * errors.log10())
    before, one, improved = torch.cat(rows, 1).mean(1).tolist()
    return before, one, improved


def milliseconds(process: ColdDiffusion, repeats: int = 15) -> float:
    """The median of R in ONNX Runtime on one thread, for a batch of 4."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "restorer.onnx"
        torch.onnx.export(
            process.restorer,
            (torch.zeros(4, 3, _SIDE, _SIDE), torch.full((4,), _LEVELS)),
            path,
            dynamo=True,
            verbose=False,
            input_names=["x_t", "t"],
        )
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, settings, ["CPUExecutionProvider"])
    feed = {
        "x_t": np.random.default_rng(0).normal(size=(4, 3, _SIDE, _SIDE)).astype(np.float32),
        "t": np.full(4, _LEVELS),
    }
    times = []
    for _ in range(repeats):
        began = time.process_time()
        session.run(None, feed)
        times.append(time.process_time() - began)
    return 1000 * statistics.median(times)


@torch.no_grad()
def difference_of_a_tile(process: ColdDiffusion, measured: Tensor) -> float:
    """How much R of a tile differs from R of the whole, beyond a border of 64 pixels."""
    x_t, t = process.degrade(measured[:2], 6), torch.full((2,), 6)
    whole = process.restorer(x_t, t)[..., :, 2 * _BORDER :]
    tile = process.restorer(x_t[..., :, _BORDER:], t)[..., :, _BORDER:]
    return float((whole - tile).abs().max())


if __name__ == "__main__":
    main()
