"""Options that several commands share, and what they mean."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.errors import UsageError
from colddiff_core.registry.hookspecs import KINDS


def output_path(text: str) -> Path:
    """A path that something can be written to, told before any work if it is not.

    Raises:
        UsageError: it is empty, overlong or in no folder that can be written to.
    """
    path = Path(text)
    if not str(text).strip():
        raise UsageError("-o '': expected a path")
    for there in (path, *path.parents):
        try:
            there.stat()
            break
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UsageError(f"-o {text}: {error.strerror}") from None
    folder = path.parent if there == path and not path.is_dir() else there
    if not folder.is_dir():
        raise UsageError(f"-o {text}: {folder} is no folder")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"-o {text}: nothing can be written in {folder}")
    return path


def option(metavar: str, meaning: str, default: str | bool = True, *names: str, **more: Any) -> Any:
    """An option with a value.

    Args:
        metavar: stands for the value in the help.
        meaning: its help.
        default: what the help says of the default; the value itself when True.
        *names: in place of the parameter's own.
        **more: as for `typer.Option`.
    """
    return typer.Option(*names, metavar=metavar, help=meaning, show_default=default, **more)


def output(metavar: str, meaning: str, default: str | bool = True) -> Any:
    """The option `-o`."""
    return option(metavar, meaning, default, "-o", "--output", parser=output_path)


Device = Annotated[
    str,
    option(
        "NAME",
        "Where to compute: cpu, cuda, cuda:1, mps, for files also tensorrt; auto takes cuda "
        "where there is one.",
    ),
]
Settings = Annotated[
    list[str] | None, option("KEY=VALUE", "Override a value; may be repeated.", True, "--set")
]
Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model folder, as `colddiff train` makes it.")
]

SamplerName = Annotated[
    str | None,
    option(
        "NAME",
        "naive (Algorithm 1), improved (Algorithm 2) or another; not for files.",
        "the model's own",
        "--sampler",
    ),
]
Steps = Annotated[int | None, option("N", "Take so many even steps.", "all T")]
Timesteps = Annotated[
    str | None, option("LEVELS", "The levels to visit, from the images' own: 20,10,5,0.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

Seed = Annotated[int, option("N", "Of everything that is drawn at random.", min=0, max=2**31 - 1)]
Features = Annotated[
    str | None,
    option(
        "NETWORK",
        "What Fréchet distances are taken on: inception (the FID), efficientnet-lite0 or "
        "mnist-classifier.",
    ),
]
FeatureWeights = Annotated[Path | None, option("FILE", "The weights of inception.")]


def kind_name(name: str) -> str:
    """The name, which `--kind` gives.

    Raises:
        UsageError: it is none of a kind.
    """
    if name not in KINDS:
        raise UsageError(f"--kind {name}: expected {', '.join(KINDS)}")
    return name


Kind = Annotated[str | None, option("KIND", f"Only these: {', '.join(KINDS)}.", parser=kind_name)]


def torch_device(name: str) -> str:
    """The torch device for `--device`.

    Raises:
        UsageError: there is no such device here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"device: expected auto, cpu, cuda, cuda:1 or mps; got {name!r}")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = "it takes a Mac" if name == "mps" else str(error).splitlines()[0]
        raise UsageError(f"device {name!r} cannot be had here: {reason}") from None
    return name


def chosen_levels(num_steps: int, steps: int | None, timesteps: str | None) -> tuple[int, ...]:
    """The schedule that `--steps` or `--timesteps` asks for; all levels without.

    Raises:
        UsageError: both are given, or it is no schedule for a model of `num_steps` levels.
    """
    if timesteps is not None:
        if steps is not None:
            raise UsageError("--steps and --timesteps: give one of them")
        try:
            levels = [int(level) for level in timesteps.split(",")]
        except ValueError:
            raise UsageError(f"--timesteps {timesteps!r}: expected e.g. 20,10,5,0") from None
        return schedules.checked(levels, num_steps)
    return schedules.full(num_steps) if steps is None else schedules.evenly(num_steps, steps)


def chosen_schedule(
    num_steps: int, steps: int | None, timesteps: str | None, level: str | None
) -> tuple[int | None, Callable[[int], tuple[int, ...]]]:
    """The level that pictures are taken for, and the levels to visit from there.

    Args:
        num_steps: T.
        steps: `--steps`.
        timesteps: `--timesteps`.
        level: `--level`, a number or `auto`.

    Returns:
        The level, None if it is to be found, and the schedule from any level found.

    Raises:
        UsageError: options exclude each other, or it is no schedule for the model.
    """
    if level is not None and timesteps is not None:
        raise UsageError("--level and --timesteps: give one of them; --timesteps starts at a level")
    if level == "auto":
        if steps is not None:
            chosen_levels(num_steps, steps, None)  # too many are told before any work
        return None, lambda t: chosen_levels(t, steps and min(steps, t), None)
    if level is not None and not (level.isdecimal() and 1 <= int(level) <= num_steps):
        raise UsageError(f"--level {level}: expected 1 to {num_steps} (the model's T), or auto")
    levels = chosen_levels(int(level or num_steps), steps, timesteps)
    return levels[0], lambda _: levels
