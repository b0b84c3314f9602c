"""The contract of a degradation operator D."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor, nn

from colddiff_core.contracts.component import Buildable, name_of
from colddiff_core.contracts.errors import ContextError, ParameterError, UsageError
from colddiff_core.contracts.locality import Locality
from colddiff_core.contracts.timesteps import MAX_NUM_STEPS

ImageShape = tuple[int, int, int]
"""(C, H, W): channels, height, width."""

Context = Mapping[str, Tensor]
"""What is random about a degradation, batch first; drawn once per image and then fixed."""

NO_CONTEXT: Context = MappingProxyType({})
"""The context of a deterministic operator."""

Hints = Mapping[str, Tensor]
"""What somebody knows about degraded images, batch first; see `Degradation.estimate_context`."""

MAX_SIZES = 8
"""Sizes whose tables a degradation keeps: pictures of many sizes must not fill the memory."""


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of one context tensor, without the batch axis in front."""

    dtype: torch.dtype
    shape: tuple[int, ...]


def check_floating(images: Tensor) -> None:
    """Refuse what is no tensor of images.

    Raises:
        UsageError: an array, or integers.
    """
    floating = isinstance(images, Tensor) and images.is_floating_point()
    if not floating:
        came = getattr(images, "dtype", "no dtype")
        raise UsageError(
            f"images: expected a tensor, floating point in [-1, 1], got a {type(images).__name__} "
            f"of {came}" + ("; use from_uint8" if came == torch.uint8 else "")
        )


class Degradation(Buildable, nn.Module, ABC):
    """x_t = D(x0, t, c): a degradation operator with a severity from 0 (clean) to T.

    It knows no image size: whatever it needs of channels, height or width it reads off the images,
    and tables that depend on them come from `table`. A subclass implements `forward` and obeys
    these laws: D(x0, 0, c) is x0 exactly; each image of a batch has its own level and does not see
    the others; the cost does not grow with t; no Python branch looks at tensor values, so that
    `torch.export` traces it with a dynamic batch; the result has the dtype and device of `x0`.

    Args:
        num_steps: T, the number of levels above 0.

    Raises:
        ParameterError: T is not positive or over `MAX_NUM_STEPS`.
    """

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        if not 1 <= num_steps <= MAX_NUM_STEPS:
            raise ParameterError(f"num_steps: expected 1 to {MAX_NUM_STEPS}, got {num_steps}")
        self.num_steps = num_steps
        self._size_tables: OrderedDict[tuple[object, ...], tuple[str, ...]] = OrderedDict()

    def check(self, image_shape: ImageShape) -> None:
        """Refuse images that D cannot take: too small for it, or without the colour it needs.

        Here, every image is accepted.

        Args:
            image_shape: (C, H, W) of the images.

        Raises:
            ParameterError: with the reason.
        """

    def context_spec(self, image_shape: ImageShape) -> Mapping[str, TensorSpec]:
        """Names, dtypes and shapes of the context tensors; empty when D is deterministic.

        Args:
            image_shape: (C, H, W) of the images. The names are the same for all.
        """
        return {}

    @property
    def locality(self) -> Locality | None:
        """How far D reaches, if a tile of D(x, t) is D of the tile; large images need it.

        None, as here, where the place in the image matters, or all of the image.
        """
        return None

    @property
    def context_names(self) -> tuple[str, ...]:
        """Names of the context tensors, whatever the size of the images."""
        return tuple(self.context_spec((3, 64, 64)))

    def table(
        self, make: Callable[..., Sequence[Tensor]], *sizes: int, like: Tensor
    ) -> tuple[Tensor, ...]:
        """Tables that depend on the size of the images, made once for each size and reused.

        They are buffers, so they move and widen with the module. In an export they are constants
        where the sizes are fixed, and computed in the graph where a size is a symbol.

        Args:
            make: from `sizes` to the tables, on the CPU, in float32 or wider; a function, or a
                method that depends on nothing but the parameters of D.
            *sizes: what they are made for, e.g. a height and a width.
            like: a tensor on the device where they are needed.
        """
        key = (make.__name__, *sizes)
        if torch.compiler.is_compiling():
            if not all(type(size) is int for size in sizes) or key not in self._size_tables:
                return tuple(made.to(like.device) for made in make(*sizes))
        else:
            names = self._size_tables.get(key)
            if names is None or self._buffers[names[0]].device != like.device:  # type: ignore[union-attr]
                with torch.inference_mode(False):  # they outlive the call, for training as well
                    self._keep(key, [made.to(like.device) for made in make(*sizes)])
            else:
                self._size_tables.move_to_end(key)
        return tuple(self._buffers[name] for name in self._size_tables[key])  # type: ignore[misc]

    def _keep(self, key: tuple[object, ...], tables: Sequence[Tensor]) -> None:
        """Register tables as buffers, and drop those of the size that was used longest ago."""
        names = tuple(f"_{'_'.join(map(str, key))}_{k}" for k in range(len(tables)))
        for name, tensor in zip(names, tables, strict=True):
            self.register_buffer(name, tensor, persistent=False)
        self._size_tables[key] = names
        self._size_tables.move_to_end(key)
        if len(self._size_tables) > MAX_SIZES:
            for name in self._size_tables.popitem(last=False)[1]:
                delattr(self, name)

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        """Draw what is random about D for each image of a batch.

        Args:
            x0: (B, C, H, W), the images to be degraded; the result lies on their device.
            generator: on the CPU, the only source of randomness.

        Returns:
            One tensor per entry of `context_spec`, with the batch axis in front.
        """
        return NO_CONTEXT

    def estimate_context(self, x_t: Tensor, t: Tensor, hints: Hints = NO_CONTEXT) -> Context:
        """Find what was random about D in images that are degraded already, to restore them.

        Here, nothing is read off the images: each tensor of `context_spec` has to be among the
        hints. An operator that can do better overrides this, for example to find where a hole is;
        it calls `check_hints` with the names of the hints that it makes use of.

        Args:
            x_t: (B, C, H, W) degraded images, rounded to 8 bits as pictures are.
            t: (B,) int64, their levels; may be a guess that is being tried, so that what depends
                on t has to be found from t.
            hints: what is known. Names and shapes are those of `context_spec`; besides, there may
                be `mask`, (B, 1, H, W) in [0, 1], 1 where the image is missing.

        Returns:
            A whole context, as `sample_context` returns it.

        Raises:
            ContextError: something can neither be found nor was given.
            UsageError: a hint is of no use to D.
        """
        self.check_hints(hints, self.context_names)
        missing = [name for name in self.context_names if name not in hints]
        if missing:
            raise ContextError(
                missing[0], f"{name_of(self)} cannot tell it from a degraded picture"
            )
        return dict(hints)

    def check_hints(self, hints: Hints, used: Iterable[str]) -> None:
        """Refuse hints that `estimate_context` would ignore.

        Args:
            hints: what was given to it.
            used: the names that it makes use of.

        Raises:
            UsageError: another name is among the hints.
        """
        useless = sorted(hints.keys() - set(used))
        if useless:
            takes = " or ".join(used)
            raise UsageError(
                f"{useless[0]}: {name_of(self)} has no use for it"
                + (f"; it takes {takes}" if takes else ", it needs to know nothing but the level")
            )

    def __call__(self, x0: Tensor, *args: Any, **kwargs: Any) -> Any:
        """`forward`, of images alone: arithmetic on uint8 wraps around in silence."""
        check_floating(x0)
        return super().__call__(x0, *args, **kwargs)

    @abstractmethod
    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """Degrade each image to its level.

        Args:
            x0: (B, C, H, W) clean images, floating point, in [-1, 1].
            t: (B,) int64 levels, 0 (clean) to `num_steps`.
            context: as `sample_context` returns it.

        Returns:
            x_t, (B, C, H, W), with the dtype and device of `x0`.
        """

    def difference(self, x0: Tensor, t: Tensor, s: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        """D(x0, s) - D(x0, t), the update of Algorithm 2; override where one transform does.

        Args:
            x0: (B, C, H, W) images.
            t: (B,) int64 levels to leave.
            s: (B,) int64 levels to reach.
            context: as `sample_context` returns it.
        """
        return self(x0, s, context) - self(x0, t, context)  # type: ignore[no-any-return]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move between devices and to wider types; tables are not rounded to half precision.

        Half precision is for networks: the sums of a transform need 24 bits, and `.half().float()`
        would spoil the tables for good. The result of D has the dtype of its input all the same.
        """

        def keep(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            rounds = tensor.is_floating_point() and moved.dtype.itemsize < 4  # bytes
            return tensor.to(moved.device) if rounds else moved

        super()._apply(keep, recurse)  # type: ignore[no-untyped-call]
        return self

    def extra_repr(self) -> str:
        """Shown by `repr`, as torch modules do."""
        return f"num_steps={self.num_steps}"
