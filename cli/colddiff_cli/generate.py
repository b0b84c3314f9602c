"""`colddiff generate`: pictures from nothing but a seed."""

import math
from pathlib import Path
from typing import Annotated

import torch

from colddiff_cli import options
from colddiff_cli.console import counting, out
from colddiff_cli.options import flag, levels_in, option, output_option
from colddiff_cli.reporting import tell_device
from colddiff_core import UsageError, from_batch, open_model, tile, write_image
from colddiff_core.contracts import timesteps as schedules


def generate(
    model: options.AnyModel,
    output: Annotated[Path, output_option("PATH", "A .png for a grid, else a folder.")],
    count: Annotated[int, option("N", "How many pictures.", True, "-n", "--count", min=1)] = 16,
    seed: options.Seed = 0,
    grid: Annotated[
        bool, flag("--grid/--separate", "One picture of all, or one file each.")
    ] = True,
    sampler: options.SamplerName = None,
    steps: options.Steps = None,
    timesteps: options.Timesteps = None,
    batch_size: Annotated[
        int, option("N", "Pictures at a time; the pictures do not depend on it.", min=1)
    ] = 16,
    device: options.Device = "auto",
) -> None:
    """Generate pictures, starting from what the model's prior draws.

    Example: `colddiff generate faces -n 64 -o grid.png`
    """
    if grid and output.suffix.lower() != ".png":
        raise UsageError(f"-o {output}: a grid needs a name that ends in .png; or use --separate")
    if not grid and output.exists() and not output.is_dir():
        raise UsageError(f"-o {output}: expected a folder, this is a file")

    opened = open_model(model, device=device, sampler=sampler)
    levels = schedules.chosen(opened.num_steps, steps=steps, timesteps=levels_in(timesteps))
    if levels[0] != opened.num_steps:
        raise UsageError(f"--timesteps: generation starts at T = {opened.num_steps}")
    prior = opened.prior
    if device == "auto":
        tell_device(opened)

    draws = torch.Generator().manual_seed(seed)
    digits = len(str(count - 1))
    pictures = []
    with counting("generating") as show:
        for start in range(0, count, batch_size):
            x_t, context = prior.sample(min(batch_size, count - start), draws)
            arrays = {name: value.numpy() for name, value in context.items()}
            batch = from_batch(opened.restore(x_t.numpy(), levels, arrays))
            if grid:
                pictures += batch
            else:
                for k, picture in enumerate(batch, start):
                    target = output / f"{k:0{digits}}.png"
                    write_image(target, picture)
                    out.print(str(target))
            show(start + len(batch), count)
    if grid:
        columns = math.isqrt(count - 1) + 1
        rows = [pictures[k : k + columns] for k in range(0, count, columns)]
        write_image(output, tile(rows))
        out.print(str(output))
