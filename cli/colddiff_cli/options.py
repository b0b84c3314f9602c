"""Options that several commands share, and what they mean."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

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


def flag(names: str, meaning: str) -> Any:
    """An option without a value: `--name`, or `--name/--other` to switch it off."""
    return typer.Option(names, help=meaning)


def output_option(metavar: str, meaning: str, default: str | bool = True) -> Any:
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
ModelFolder = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model folder, as `colddiff train` makes it.")
]
AnyModel = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model folder or an exported file.")
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
Json = Annotated[bool, flag("--json", "Print JSON, for programs.")]

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


def levels_in(timesteps: str | None) -> list[int] | None:
    """The levels that `--timesteps` names.

    Raises:
        UsageError: it is no list of numbers.
    """
    if timesteps is None:
        return None
    try:
        return [int(level) for level in timesteps.split(",")]
    except ValueError:
        raise UsageError(f"--timesteps {timesteps!r}: expected e.g. 20,10,5,0") from None
