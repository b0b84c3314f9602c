"""The device of torch that somebody asks for. Imports torch only when it is asked."""

import re

from colddiff_core.contracts.errors import UsageError


def torch_device(name: str) -> str:
    """The device by its name in torch; `auto` is CUDA where there is one.

    Raises:
        UsageError: it is unknown, or cannot be had here.
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
