"""Whether a module can leave the device it was made on."""

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from colddiff_core.testing.check import one_line
from colddiff_core.testing.scenes import Scene
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


def expect_to_run_elsewhere(scene: Scene) -> None:
    """A module runs where it is moved with its arguments.

    "meta" is a device without numbers that every machine has; CUDA is tried where there is any.

    Raises:
        CheckFailed: it does not, or the result lies elsewhere or differs.
    """
    expected = scene.results()
    for device in ("meta", "cuda") if torch.cuda.is_available() else ("meta",):
        arguments, context = (
            {name: value.to(device) for name, value in tensors.items()}
            for tensors in (scene.arguments, scene.context)
        )
        moved = dataclasses.replace(scene, arguments=arguments, context=context)
        try:
            results = moved.by(copy.deepcopy(scene.part).to(device)).results()
        except Exception as error:
            raise CheckFailed(
                f"moved to another device together with its inputs, it fails: {one_line(error)}. "
                f"{ADVICE}"
            ) from error
        for what, found in results.items():
            if found.device.type != device:
                scene.fail(f"for inputs on another device {what} lies on {found.device}", ADVICE)
            if device != "meta":
                scene.expect_close(found.cpu(), expected[what], f"{what} on {device}", ADVICE, 1e-2)


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
