"""Whether a module can leave the device it was made on."""

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from colddiff_core.testing.check import one_line
from colddiff_core.testing.verdict import CheckFailed

ADVICE = (
    "Keep tables by self.register_buffer(name, table, persistent=False), and make new tensors "
    "with device=x.device."
)

_TORCHS_OWN = frozenset(vars(nn.Module()))


def expect_no_stray_tensors(module: nn.Module) -> None:
    """Every tensor of a module is a buffer or a parameter.

    Raises:
        CheckFailed: one is not.
    """
    for owner, part in module.named_modules():
        for name, value in vars(part).items():
            if name not in _TORCHS_OWN:
                for path in _tensors(value, ".".join(filter(None, ["self", owner, name]))):
                    raise CheckFailed(
                        f"{path} is a tensor, but no buffer: .to(device) leaves it behind. {ADVICE}"
                    )


def expect_to_run_elsewhere(module: nn.Module, *arguments: Any) -> None:
    """A module runs where it is moved with its arguments.

    "meta" is a device without numbers that every machine has; CUDA is tried where there is any.

    Args:
        module: of one result, a tensor.
        arguments: tensors, and mappings of such.

    Raises:
        CheckFailed: it does not, or the result lies elsewhere or differs.
    """
    expected = module(*arguments)
    for device in ("meta", "cuda") if torch.cuda.is_available() else ("meta",):
        try:
            found = copy.deepcopy(module).to(device)(*(_to(device, item) for item in arguments))
        except Exception as error:
            raise CheckFailed(
                f"moved to another device together with its inputs, it fails: {one_line(error)}. "
                f"{ADVICE}"
            ) from error
        if found.device.type != device:
            raise CheckFailed(
                f"for inputs on another device the result lies on {found.device}. {ADVICE}"
            )
        if device != "meta" and not torch.allclose(found.cpu(), expected, atol=1e-2, rtol=1e-2):
            raise CheckFailed(f"on {device} it gives something else. {ADVICE}")


def _to(device: str, item: Any) -> Any:
    if isinstance(item, Mapping):
        return {name: value.to(device) for name, value in item.items()}
    return item.to(device)


def _tensors(value: Any, path: str) -> Iterator[str]:
    """Where tensors are in an attribute that torch does not look into."""
    if isinstance(value, Tensor):
        yield path
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(item, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple | set):
        for k, item in enumerate(value):
            yield from _tensors(item, f"{path}[{k}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _tensors(getattr(value, field.name, None), f"{path}.{field.name}")
