"""Options that several commands share."""

import re
from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[
    str, typer.Option(help="Where to compute: cpu, cuda, or auto for cuda where there is one.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be repeated."),
]
Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model folder, as `colddiff train` makes it.")
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
