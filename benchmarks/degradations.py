"""How long the degradations take, and that it does not depend on the level.

    python benchmarks/degradations.py --size 128 --batch 8 --repeats 21

Prints the median milliseconds of D(x0, t) at t = 1, T/2 and T, measured in turn so that whatever
else the machine does falls on all of them, and the slowest level over the fastest. The last table
sets the blur of the paper's largest setting (T = 300, 27 taps) against the 300 convolutions that
it stands for, in the same run.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import build
from colddiff_core.registry.components import registry

STEPS, TAPS, STD, STD_STEP = 300, 27, 1.0, 0.01
"""The blur that the paper generates faces of 128x128 with; std grows exponentially."""


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=128, help="height and width, pixels")
    parser.add_argument("--batch", type=int, default=8, help="images in a batch")
    parser.add_argument("--repeats", type=int, default=21, help="measurements of each number")
    parser.add_argument("--threads", type=int, default=1, help="more only pay on an idle machine")
    parser.add_argument("--device", default="cpu", help="where to run, e.g. cuda")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape = (3, options.size, options.size)
    draws = torch.Generator().manual_seed(0)
    x0 = (torch.rand(options.batch, *shape, generator=draws) * 2 - 1).to(options.device)
    console = Console()
    title = f"{options.batch} images of {options.size}x{options.size} on {options.device}, ms"
    console.print(levels_table(x0, draws, options.repeats, title))
    console.print(blur_table(x0, max(1, options.repeats // 4), title))


def levels_table(x0: Tensor, draws: torch.Generator, repeats: int, title: str) -> Table:
    """One row for each built-in operator, with its default parameters."""
    table = Table("degradation", "T", "t = 1", "t = T/2", "t = T", "slowest / fastest", title=title)
    for item in registry().components("degradation"):
        if not item.builtin:
            continue
        d = build("degradation", item.name).to(x0.device)
        context = d.sample_context(x0, draws)
        steps = (1, max(1, d.num_steps // 2), d.num_steps)
        levels = [torch.full((len(x0),), t, device=x0.device) for t in steps]
        times = medians([partial(d, x0, t, context) for t in levels], repeats)
        ratio = max(times) / min(times)
        table.add_row(item.name, str(d.num_steps), *(f"{t:.2f}" for t in times), f"{ratio:.2f}")
    return table


def blur_table(x0: Tensor, repeats: int, title: str) -> Table:
    """The blur at t = T in one transform pair and as T convolutions."""
    d = build(
        "degradation",
        "gaussian-blur",
        num_steps=STEPS,
        kernel_size=TAPS,
        std=STD,
        std_step=STD_STEP,
        schedule="exponential",
    ).to(x0.device)
    t = torch.full((len(x0),), d.num_steps, device=x0.device)
    kernels = [kernel.to(x0.device) for kernel in gaussian_kernels(x0.shape[1])]
    transform, convolutions = medians([lambda: d(x0, t), lambda: convolve(x0, kernels)], repeats)
    error = (d(x0, t) - convolve(x0, kernels)).abs().max().item()
    table = Table(f"blur, T = {STEPS}", "ms", "times slower", title=title)
    table.add_row("gaussian-blur", f"{transform:.2f}", "1")
    table.add_row(f"{STEPS} convolutions", f"{convolutions:.1f}", f"{convolutions / transform:.0f}")
    table.caption = f"largest difference of a pixel: {error:.1e}"
    return table


def gaussian_kernels(channels: int) -> list[Tensor]:
    """The (C, 1, k, k) kernels that the blur composes."""
    j = torch.arange(TAPS, dtype=torch.float64) - TAPS // 2
    kernels = []
    for std in STD * torch.exp(STD_STEP * torch.arange(STEPS, dtype=torch.float64)):
        taps = torch.exp(-((j / std) ** 2) / 2)
        taps = taps / taps.sum()
        kernel = (taps[:, None] * taps).float()
        kernels.append(kernel.expand(channels, 1, TAPS, TAPS).contiguous())
    return kernels


def convolve(x: Tensor, kernels: Sequence[Tensor]) -> Tensor:
    """One circular convolution after another."""
    for kernel in kernels:
        r = kernel.shape[-1] // 2
        x = F.conv2d(F.pad(x, (r, r, r, r), mode="circular"), kernel, groups=x.shape[1])
    return x


@torch.no_grad()
def medians(calls: Sequence[Callable[[], Tensor]], repeats: int) -> list[float]:
    """Median milliseconds of each call, taken in turn after one round to warm up."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for k in range(len(calls)):
            which = (k + turn) % len(calls)  # none is always the first
            began = time.perf_counter()
            calls[which]()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times[which].append((time.perf_counter() - began) * 1000)
    return [statistics.median(taken[1:]) for taken in times]


if __name__ == "__main__":
    main()
