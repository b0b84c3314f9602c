"""What training costs beside the network's own step.

    python benchmarks/training.py --threads 1 --repeats 7

Prints images per second of a training step as `colddiff train` does it (order, random draws,
degradation, network, optimizer, average) and of the bare network step (forward, backward and AdamW
on one batch that lies there already), and the first as a share of the second. The two are measured
in turn, so that whatever else the machine does falls on both, and the share is the median over the
pairs. The images are random: pixels cost the same whatever they show.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.degradation import ImageShape
from colddiff_core.contracts.recipe import Recipe, TrainTable
from colddiff_core.models.recipe import load_recipe
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.distributed import World
from colddiff_core.training.engine import Engine
from colddiff_core.training.minibatch import Feed

_UNET = "restorer={{name='unet', channels={}, multipliers=[1, 2, 4, 8]}}"


class RandomImages(ImageDataset):
    """Images that cost nothing to find."""

    def __init__(self, shape: ImageShape, count: int) -> None:
        self._images = torch.randint(256, (count, *shape), dtype=torch.uint8)

    @property
    def image_shape(self) -> ImageShape:
        """(C, H, W)."""
        _, channels, height, width = self._images.shape
        return (channels, height, width)

    def __len__(self) -> int:
        return len(self._images)

    def images(self, indices: Sequence[int]) -> Tensor:
        """Fetch a batch; see `ImageDataset.images`."""
        return self._images[list(indices)]


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="pairs of measurements")
    parser.add_argument("--channels", type=int, default=32, help="width of the network")
    parser.add_argument("--threads", type=int, default=1, help="more only pay on an idle machine")
    parser.add_argument("--device", default="cpu", help="where to run, e.g. cuda")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--compile", action="store_true", help="let torch.compile make the code")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    more = [
        _UNET.format(options.channels),
        f"train.precision={options.precision!r}",
        f"train.compile={str(options.compile).lower()}",
    ]
    cases: list[tuple[str, ImageShape, int, Recipe]] = [
        ("T=300 blur, 128x128", (3, 128, 128), 4, load_recipe("faces128-generation-blur", more)),
        ("CIFAR-10 inpainting, 32x32", (3, 32, 32), 64, load_recipe("cifar10-inpainting", more)),
    ]
    table = Table("recipe", "batch", "ours, images/s", "bare step", "ours / bare")
    for name, shape, batch_size, recipe in cases:
        ours, bare = steps(recipe, shape, batch_size, torch.device(options.device))
        table.add_row(name, str(batch_size), *measured(ours, bare, batch_size, options.repeats))
    Console().print(table)


def steps(
    recipe: Recipe, shape: ImageShape, batch_size: int, device: torch.device
) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """A training step of ours and one of the network alone, each with a network of its own."""
    settings = (recipe.train or TrainTable()).model_copy(update={"batch_size": batch_size})
    recipe = recipe.model_copy(update={"prior": None})
    world = World(device)
    engine, alone = (
        Engine(ColdDiffusion.from_recipe(recipe, shape), settings, world) for _ in range(2)
    )
    feed = Feed(RandomImages(shape, 256), engine.process, batch_size, settings.seed)
    x0 = torch.rand(batch_size, *shape, device=device) * 2 - 1
    t = torch.ones(batch_size, dtype=torch.int64, device=device)
    number = 0

    def ours() -> Tensor:
        nonlocal number
        number += 1
        return engine.step(number, feed.minibatches(number, range(batch_size), 1))

    def bare() -> Tensor:
        alone.optimizer.zero_grad(set_to_none=True)
        with alone.autocast():
            loss = F.l1_loss(alone.forward(x0, t).float(), x0)
        loss.backward()  # type: ignore[no-untyped-call]
        alone.optimizer.step()
        return loss.detach()

    return ours, bare


def measured(
    ours: Callable[[], Tensor], bare: Callable[[], Tensor], batch_size: int, repeats: int
) -> tuple[str, str, str]:
    """Images per second of both, and the share, as medians over pairs."""
    for call in (ours, bare):
        call().item()  # warm
    pairs = []
    for turn in range(repeats):
        order = (ours, bare) if turn % 2 else (bare, ours)
        seconds = {call: timed(call) for call in order}
        pairs.append((batch_size / seconds[ours], batch_size / seconds[bare]))
    mine, its = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    share = statistics.median(one / other for one, other in pairs)
    return f"{mine:.1f}", f"{its:.1f}", f"{share:.1%}"


def timed(call: Callable[[], Tensor]) -> float:
    """Seconds of a call, the device waited for."""
    began = time.perf_counter()
    call().item()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
