"""Options that several commands share."""

import re
from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Where to compute: cpu, cuda, or auto for cuda where there is one."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be repeated."),
]
Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model folder, as `colddiff train` makes it.")
]

SamplerName = Annotated[
    str | None,
    typer.Option(
        "--sampler",
        metavar="NAME",
        help="naive (Algorithm 1), improved (Algorithm 2) or another; not for files.",
        show_default="the model's own",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(metavar="N", help="Take so many even steps.", show_default="all T"),
]
Timesteps = Annotated[
    str | None,
    typer.Option(metavar="LEVELS", help="The levels to visit, from the images' own: 20,10,5,0."),
]

Seed = Annotated[
    int,
    typer.Option(metavar="N", min=0, max=2**31 - 1, help="Of everything that is drawn at random."),
]


def torch_device(name: str) -> str:
    """The torch device for `--device`.

    Raises:
        UsageError: there is no such device here.
    """
    import torch

    from colddiff_core.errors import UsageError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"device: expected auto, cpu, cuda or cuda:1; got {name!r}")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} cannot be had here: {reason}") from None
    return name


def chosen_levels(num_steps: int, steps: int | None, timesteps: str | None) -> tuple[int, ...]:
    """The schedule that `--steps` or `--timesteps` asks for; all levels without.

    Raises:
        UsageError: both are given, or it is no schedule for a model of `num_steps` levels.
    """
    from colddiff_core import timesteps as schedules
    from colddiff_core.errors import UsageError

    if timesteps is not None:
        if steps is not None:
            raise UsageError("--steps and --timesteps: give one of them")
        try:
            levels = [int(level) for level in timesteps.split(",")]
        except ValueError:
            raise UsageError(f"--timesteps {timesteps!r}: expected e.g. 20,10,5,0") from None
        return schedules.checked(levels, num_steps)
    return schedules.full(num_steps) if steps is None else schedules.evenly(num_steps, steps)
