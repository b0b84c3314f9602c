"""How long sampling takes: torch, ONNX Runtime step by step, and the loop inside the file.

    python benchmarks/sampling.py --size 32 --batch 4 --steps 20 --repeats 11
    python benchmarks/sampling.py --device cuda --batch 64 --precision fp16

Prints the median milliseconds of a whole sampling, measured in turn so that whatever else the
machine does falls on all of them. The floor is T times the network alone in ONNX Runtime: no
sampler can be faster without another network. Every result is compared with torch's.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import nn

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.timesteps import full
from colddiff_exporters import session as sessions
from colddiff_exporters.checked_file import read_file

Images = NDArray[np.float32]


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=32, help="height and width, pixels")
    parser.add_argument("--batch", type=int, default=4, help="images in a batch")
    parser.add_argument("--steps", type=int, default=20, help="T")
    parser.add_argument("--channels", type=int, default=32, help="of the U-Net")
    parser.add_argument("--repeats", type=int, default=11, help="measurements of each number")
    parser.add_argument("--threads", type=int, default=1, help="more only pay on an idle machine")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="fp32", help="of the exported network")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    limit_threads(options.threads)
    process = make_process(options)
    images = torch.rand(64, *process.image_shape) * 2 - 1
    x_t = process.degrade(images[: options.batch])
    expected = process.restore(x_t).numpy()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        files = export(process, images, Path(folder), options.precision)
        runs = {
            "torch eager": torch_loop(process, x_t, options.device),
            "ONNX Runtime, loop in Python": python_loop(files["step"], x_t, options),
            "ONNX Runtime, loop in the file": file_loop(files["sampler"], x_t, options),
            "floor: T x network in ONNX Runtime": network(files["restorer"], x_t, options),
        }
        if not options.no_compile:
            runs["torch.compile"] = torch_loop(process, x_t, options.device, compiled=True)
        differences = {name: distance(run(), expected) for name, run in runs.items()}
        times = medians(runs, options.repeats)
    console.print(table(times, differences, options))


def limit_threads(count: int) -> None:
    """Give ONNX Runtime as many threads as torch."""
    plain = ort.SessionOptions

    def limited() -> Any:
        made = plain()
        made.intra_op_num_threads = count
        return made

    sessions.ort.SessionOptions = limited


def make_process(options: argparse.Namespace) -> ColdDiffusion:
    """An untrained deblurring process: time does not depend on what was learnt."""
    shape = (3, options.size, options.size)
    torch.manual_seed(0)
    restorer = build("restorer", "unet", image_shape=shape, channels=options.channels)
    for parameter in restorer.parameters():
        nn.init.normal_(parameter, std=0.02)
    blur = build("degradation", "gaussian-blur", num_steps=options.steps)
    return ColdDiffusion(blur, restorer, build("sampler", "improved")).eval()


def export(
    process: ColdDiffusion, images: torch.Tensor, folder: Path, precision: str
) -> dict[str, Path]:
    """The three kinds of graph."""
    files = {}
    for kind in ("sampler", "step", "restorer"):
        files[kind] = folder / f"{kind}.onnx"
        exporter = build("exporter", "onnx", graph=kind, precision=precision, verify=False)
        exporter.export(process, files[kind], images=images)
    return files


def torch_loop(
    process: ColdDiffusion, x_t: torch.Tensor, device: str, *, compiled: bool = False
) -> Callable[[], Images]:
    """The loop in Python over torch."""
    moved, x = process.to(device), x_t.to(device)
    if compiled:
        restorer = torch.compile(moved.restorer)
        moved = ColdDiffusion(moved.degradation, Called(restorer), moved.sampler)
    return lambda: np.asarray(moved.restore(x).cpu().numpy())


class Called(nn.Module):
    """A compiled function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> Any:
        """Call it."""
        return self.function(x, t)


def opened(path: Path, options: argparse.Namespace) -> Any:
    """A session, on the device that was asked for or not at all."""
    device, _ = sessions.resolve(options.device)
    return sessions.open_session(read_file(path).content, str(path), device)


def python_loop(path: Path, x_t: torch.Tensor, options: argparse.Namespace) -> Callable[[], Images]:
    """One call of ONNX Runtime for each step."""
    session, levels, start = opened(path, options), full(options.steps), x_t.numpy()

    def run() -> Images:
        x = start
        for t, s in itertools.pairwise(levels):
            t_batch, s_batch = (np.full(len(x), level, dtype=np.int64) for level in (t, s))
            (x,) = session.run(["x_s"], {"x_t": x, "t": t_batch, "s": s_batch})
        return x

    return run


def file_loop(path: Path, x_t: torch.Tensor, options: argparse.Namespace) -> Callable[[], Images]:
    """One call of ONNX Runtime for all steps."""
    session = opened(path, options)
    feed = {"x_t": x_t.numpy(), "timesteps": np.array(full(options.steps))}
    return lambda: np.asarray(session.run(["x0"], feed)[0])


def network(path: Path, x_t: torch.Tensor, options: argparse.Namespace) -> Callable[[], Images]:
    """The network alone, as often as there are steps; images stay where they are computed."""
    session = opened(path, options)
    where = "cuda" if options.device.startswith("cuda") else "cpu"
    binding = session.io_binding()
    x = ort.OrtValue.ortvalue_from_numpy(x_t.numpy(), where, 0)
    t = ort.OrtValue.ortvalue_from_numpy(np.full(len(x_t), options.steps), where, 0)
    binding.bind_ortvalue_input("x_t", x)
    binding.bind_ortvalue_input("t", t)
    binding.bind_output("x0", where, 0)

    def run() -> Images:
        for _ in range(options.steps):
            session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return np.array(binding.copy_outputs_to_cpu()[0])

    return run


def distance(found: Images, expected: Images) -> float:
    """The largest difference of a pixel."""
    return float(np.abs(found - expected).max())


def medians(runs: dict[str, Callable[[], Images]], repeats: int) -> dict[str, float]:
    """Median milliseconds, measured in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(values) for name, values in seconds.items()}


def table(
    times: dict[str, float], differences: dict[str, float], options: argparse.Namespace
) -> Table:
    """One row for each way."""
    title = (
        f"{options.steps} steps, {options.batch} images of {options.size}x{options.size}, "
        f"{options.precision} on {options.device}, {options.threads} threads, median of "
        f"{options.repeats}"
    )
    made = Table("", "ms", "of the floor", "faster than torch eager", "off by", title=title)
    floor = next(value for name, value in times.items() if name.startswith("floor"))
    for name, value in sorted(times.items(), key=lambda item: -item[1]):
        off = "" if name.startswith("floor") else f"{differences[name]:.0e}"
        ratio = times["torch eager"] / value
        made.add_row(name, f"{value:.1f}", f"{value / floor:.3f}", f"{ratio:.2f}", off)
    return made


if __name__ == "__main__":
    main()
