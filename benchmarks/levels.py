"""How well the level of a degraded picture is found, and what a wrong one costs.

    colddiff train mnist-demo -o blur
    python benchmarks/levels.py blur --images 32

Held-out images of the model's own data set are degraded to known levels and rounded to 8 bits, as
pictures are. Then the level is found by self-consistency, the context estimated from the picture,
and the image restored: from the level found with the context estimated, from the true level with
the true context, and from T, which is what happens if nobody says that it is not. Prints how far
off the levels are, how often the true one is within the range that `colddiff restore` gives, and
the RMSE of the restorations on [0, 1].
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from colddiff_core import ColdDiffusion, Context
from colddiff_core.models.folder import resolved_recipe
from colddiff_core.models.recipe import build_table
from colddiff_core.pictures.value_range import from_uint8, to_uint8_levels
from colddiff_core.restoration.level import FoundLevel, consistency, find_level

SHARES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
"""The true levels, as shares of T."""


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", help="model folders")
    parser.add_argument("--images", type=int, default=32, help="held-out images at each level")
    parser.add_argument("--per-level", action="store_true", help="a row for each true level")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    titles = ("off", "90 %", "exact", "range", "found", "true", "from T", "worse", "from a file")
    made = Table("model", "t / T", *titles)
    for path in options.models:
        rows = measured(ColdDiffusion.load(path), options.images)
        if options.per_level:
            for levels, row in rows.items():
                made.add_row(path.name, levels, *summary([row]))
        made.add_row(path.name, "all", *summary([*rows.values()]))
    Console(width=120).print(made)


@torch.no_grad()
def measured(process: ColdDiffusion, count: int) -> dict[str, dict[str, Tensor]]:
    """What came out for each image, by true level."""
    data = build_table("dataset", resolved_recipe(process).data, split="test")
    x0 = from_uint8(data.images(range(count)))
    context = process.sample_context(x0, torch.Generator().manual_seed(0))
    rows = {}
    for t in sorted({max(1, round(share * process.num_steps)) for share in SHARES}):
        x = to_uint8_levels(process.degrade(x0, t, context))
        found = [find(process, one, process.restorer) for one in x.split(1)]
        by_file = [find(process, one, once(process, one)) for one in x.split(1)]
        restored = torch.cat(
            [from_level(process, one, it.level) for one, it in zip(x.split(1), found, strict=True)]
        )
        full = from_level(process, x, process.num_steps)
        true = process.restore(x, range(t, -1, -1), context)
        rows[f"{t}/{process.num_steps}"] = {
            "off": torch.tensor([abs(it.level - t) for it in found]).double(),
            "file": torch.tensor([abs(it.level - t) for it in by_file]).double(),
            "range": torch.tensor([it.alike[0] <= t <= it.alike[1] for it in found]).double(),
            "found": rmse(restored, x0),
            "true": rmse(true, x0),
            "T": rmse(full, x0),
        }
    return rows


def find(
    process: ColdDiffusion, x: Tensor, estimate: Callable[[Tensor, Tensor], Tensor]
) -> FoundLevel:
    """The level of one image, (1, C, H, W)."""

    def error_at(t: int) -> float:
        levels = torch.tensor([t])
        context = process.degradation.estimate_context(x, levels)
        return float(consistency(process.degradation, x, estimate(x, levels), t, context))

    return find_level(error_at, process.num_steps)


def once(process: ColdDiffusion, x: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """What a file gives in place of R: its sampler's one step."""

    def estimate(_: Tensor, levels: Tensor) -> Tensor:
        return process.restore(x, (int(levels), 0), estimated(process, x, int(levels)))

    return estimate


def from_level(process: ColdDiffusion, x: Tensor, t: int) -> Tensor:
    """Restore as `colddiff restore --level t` does."""
    return process.restore(x, range(t, -1, -1), estimated(process, x, t))


def estimated(process: ColdDiffusion, x: Tensor, t: int) -> Context:
    """The context at level t."""
    return process.degradation.estimate_context(x, torch.full((len(x),), t))


def rmse(restored: Tensor, x0: Tensor) -> Tensor:
    """(B,): on [0, 1]."""
    return ((restored.clamp(-1, 1) - x0) / 2).square().mean((1, 2, 3)).sqrt().double()


def summary(rows: list[dict[str, Tensor]]) -> list[str]:
    """The columns, over all images of some rows."""
    found = {key: torch.cat([row[key] for row in rows]) for key in rows[0]}
    off, file = found["off"], found["file"]
    worse = found["found"].mean() / found["true"].mean() - 1
    return [
        f"{off.quantile(0.5):g}",
        f"{off.quantile(0.9):g}",
        f"{(off == 0).double().mean():.0%}",
        f"{found['range'].mean():.0%}",
        *(f"{found[key].mean():.4f}" for key in ("found", "true", "T")),
        f"{worse:+.1%}",
        f"{file.quantile(0.5):g}, {file.quantile(0.9):g}",
    ]


if __name__ == "__main__":
    main()
