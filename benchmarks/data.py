"""What data cost: decoded once, from the cache ever after, and fed to a network that never waits.

    python benchmarks/data.py --pictures 4000 --repeats 7

The first table: seconds until a data set can be used, when its pictures have to be decoded and
when they come from the cache, listing and checksum included. The second: images per second that
training gets of each data set (order, pixels, levels), and that the bare network step (forward,
backward and AdamW) of a small recipe of CIFAR's size takes; as long as the first is many times the
second, data are not the bottleneck. The two are measured in turn, so that whatever else the
machine does falls on both, and the ratio is the median over the pairs.
"""

import argparse
import io
import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from training import steps

from colddiff_core import build
from colddiff_core.contracts.dataset import ImageDataset
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.models.recipe import load_recipe
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.minibatch import Feed
from colddiff_plugins.datasets._pictures import decoded

_SOURCE = (240, 320)  # height and width of the pictures before
_SIZE = 32
_BATCH = 64
_UNET = "restorer={{name='unet', channels={}, multipliers=[1, 2, 4, 8]}}"


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4000, help="how many are made")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of measurements")
    parser.add_argument("--channels", type=int, default=32, help="width of the network")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--device", default="cpu", help="where the network is, e.g. cuda")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COLDDIFF_CACHE"] = f"{folder}/cache"
        sources = make_sources(Path(folder), options.pictures)
        console.print(opening(sources, options.pictures))
        datasets = {name: build("dataset", name, split="train", **p) for name, p in sources.items()}
        datasets["mnist-mini"] = build("dataset", "mnist-mini", split="train")
        recipe = load_recipe("cifar10-deblurring", [_UNET.format(options.channels)])
        console.print(feeding(datasets, recipe, torch.device(options.device), options.repeats))


def make_sources(folder: Path, count: int) -> dict[str, dict[str, Any]]:
    """The same pictures as a folder, a zip file and, where `datasets` is installed, its rows."""
    draws = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    contents = []
    for k in range(count):
        coarse = Image.fromarray(draws.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize(_SOURCE[::-1], Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        contents.append(buffer.getvalue())
        (folder / f"pictures/{k:06}.jpg").write_bytes(contents[-1])
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for k, content in enumerate(contents):
            archive.writestr(f"{k:06}.jpg", content)
    sources: dict[str, dict[str, Any]] = {
        "folder": {"folder": folder / "pictures", "image_size": _SIZE},
        "zip": {"file": folder / "pictures.zip", "image_size": _SIZE},
    }
    try:
        import datasets
    except ImportError:
        return sources
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"image": contents}).save_to_disk(folder / "saved")
    return sources | {"huggingface": {"dataset": str(folder / "saved"), "image_size": _SIZE}}


def opening(sources: dict[str, dict[str, Any]], count: int) -> Table:
    """Seconds of the first time and of the next."""
    height, width = _SOURCE
    title = f"{count:,} JPEG pictures of {width}x{height}, brought to {_SIZE}x{_SIZE}"
    table = Table(
        *("data set", "decoded, s", "pictures/s", "cached, s", "pictures/s", "faster"),
        title=title,
    )
    for name, params in sources.items():
        first, again = (opened(name, params) for _ in range(2))
        rates = [f"{count / seconds:,.0f}" for seconds in (first, again)]
        table.add_row(
            *(name, f"{first:.2f}", rates[0], f"{again:.3f}", rates[1]),
            f"{first / again:.0f}x",
        )
    return table


def opened(name: str, params: dict[str, Any]) -> float:
    """Seconds until both parts are there, as in another process."""
    decoded.cache_clear()
    began = time.perf_counter()
    for split in ("train", "test"):
        build("dataset", name, split=split, **params)
    return time.perf_counter() - began


def feeding(
    datasets: dict[str, ImageDataset], recipe: Recipe, device: torch.device, repeats: int
) -> Table:
    """Images per second that are fed, and that the network takes."""
    title = f"batches of {_BATCH}, network on {device}"
    table = Table("data set", "fed, images/s", "bare step, images/s", "fed / bare", title=title)
    for name, dataset in datasets.items():
        shape = dataset.image_shape
        _, bare = steps(recipe, shape, _BATCH, device)
        feed = Feed(dataset, ColdDiffusion.from_recipe(recipe, shape), _BATCH, seed=0)
        pairs = [pair(feed, bare, turn) for turn in range(repeats + 1)][1:]  # the first is to warm
        fed, taken = (statistics.median(rates) for rates in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        table.add_row(name, f"{fed:,.0f}", f"{taken:,.1f}", f"{ratio:,.0f}")
    return table


def pair(feed: Feed, bare: Callable[[], Tensor], turn: int) -> tuple[float, float]:
    """Images per second that are fed, in steps not made before, and that the network takes."""
    numbers = range(20 * turn + 1, 20 * turn + 21)
    began = time.perf_counter()
    for number in numbers:
        list(feed.minibatches(number, range(_BATCH), 1))
    between = time.perf_counter()
    bare().item()
    return (
        len(numbers) * _BATCH / (between - began),
        _BATCH / (time.perf_counter() - between),
    )


if __name__ == "__main__":
    main()
