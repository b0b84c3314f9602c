"""The contract of a model: whatever restores degraded images. Imports no torch.

A model folder, an exported file and what a plugin adds are used in the same way: arrays in, arrays
out. Large images, batches of pictures and the search of a level are built on it, in
`colddiff_core.restoration`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.errors import ColdDiffError, UsageError
from colddiff_core.contracts.locality import Locality

if TYPE_CHECKING:
    from colddiff_core.contracts.prior import Prior
    from colddiff_core.contracts.recipe import Recipe

Images = NDArray[np.float32]
"""(B, C, H, W) float32, in about [-1, 1]."""

Arrays = Mapping[str, NDArray[Any]]
"""A context, batch first."""


class Model(ABC):
    """Restores degraded images.

    Attributes:
        name: what messages call it, e.g. its path.
        image_shape: (C, H, W) of the images of training.
        num_steps: T.
        context_names: the context tensors that restoring takes.
        device: what it computes on, e.g. `"cpu"` or `"cuda:0"`.
        note: why it computes there, if that is worth a word.
        size: the only (H, W) that it computes in, as a file of fixed size does; smaller images are
            padded to it by reflection. None for any size.
        size_multiple: tiles of a large image start at multiples of so many pixels.
        reach: how many pixels away a pixel of the restorer's result depends on its input; None for
            the whole image.
        locality: how far the degradation reaches, and where its tiles may start; None where a tile
            of its result is not what it makes of a tile.
        fixed_sampler: whether the sampler is inside, as in a file, and no other can be taken.
    """

    name: str
    image_shape: tuple[int, int, int]
    num_steps: int
    context_names: tuple[str, ...]
    device: str
    note: str = ""
    size: tuple[int, int] | None = None
    size_multiple: int = 1
    reach: int | None = None
    locality: Locality | None = None
    fixed_sampler: bool = True

    @property
    @abstractmethod
    def recipe(self) -> "Recipe":
        """What it was trained with, for whoever has torch and wants its degradation."""

    @property
    @abstractmethod
    def prior(self) -> "Prior":
        """What generation starts from, for whoever has torch.

        Raises:
            UsageError: the model has none.
        """

    @abstractmethod
    def memory(self, height: int, width: int) -> int:
        """Bytes that restoring one image of a size takes besides the image and the weights."""

    @abstractmethod
    def _restore(self, x_t: Images, levels: tuple[int, ...], context: Arrays) -> Images:
        """Run the sampling loop; what comes in is checked, what is returned will be."""

    def _estimate(self, x_t: Images, t: int, context: Arrays) -> Images:
        """R(x_t, t); here what the sampler makes of x_t in one step, for a file without R alone.

        With `improved` that is R + x_t - D(R), which for a linear D is off by
        (D - 1)(x_t - D(R)): the inconsistency of R, but for what D leaves alone.
        """
        return self._restore(x_t, (t, 0), context)

    def schedule(self, level: int | None = None) -> tuple[int, ...]:
        """The levels to visit from `level`, T when None, unless somebody asks for others.

        Raises:
            UsageError: there is no such level.
        """
        if level is not None:
            level = schedules.checked_level(level, self.num_steps)
        return schedules.full(level or self.num_steps)

    def restore(
        self, x_t: Images, timesteps: Iterable[int] | None = None, context: Arrays | None = None
    ) -> Images:
        """Run the sampling loop, as `ColdDiffusion.restore` does.

        Args:
            x_t: (B, C, H, W) float32 images at level `timesteps[0]`, in [-1, 1].
            timesteps: levels, strictly decreasing to 0; those of `schedule()` when None.
            context: one array per name in `context_names`.

        Returns:
            The restored images, (B, C, H, W), not clamped.

        Raises:
            UsageError: images, timesteps or context do not fit.
            ColdDiffError: the model gave something else than images.
        """
        levels = self.schedule() if timesteps is None else timesteps
        levels = schedules.checked(levels, self.num_steps)
        height, width = self.check(x_t)
        padded = self._padded(x_t)
        if padded is not x_t and self.context_names:
            raise UsageError(
                f"{self.name}: takes {self.context_names[0]!r} with images of {self.size} pixels "
                f"only, got {height}x{width}"
            )
        restored = self._restore(padded, levels, context or {})
        return self._checked_result(restored, padded)[:, :, :height, :width]

    def estimate(self, x_t: Images, t: int, context: Arrays | None = None) -> Images:
        """The restorer's estimate of the clean images, R(x_t, t).

        Args:
            x_t: (B, C, H, W) float32 images at level `t`, in [-1, 1].
            t: their level, 1 to T.
            context: as for `restore`; a file that has no R by itself takes a step with it.

        Raises:
            UsageError: images or level do not fit.
            ColdDiffError: the model gave something else than images.
        """
        t = schedules.checked_level(t, self.num_steps)
        height, width = self.check(x_t)
        padded = self._padded(x_t)
        estimated = self._estimate(padded, t, context or {})
        return self._checked_result(estimated, padded)[:, :, :height, :width]

    def check(self, x_t: Images) -> tuple[int, int]:
        """Height and width of images that the model can take.

        Raises:
            UsageError: it cannot take these.
        """
        channels = self.image_shape[0]
        if not isinstance(x_t, np.ndarray):
            raise UsageError(f"images: expected a NumPy array, got a {type(x_t).__name__}")
        if x_t.ndim != 4 or x_t.shape[1] != channels or 0 in x_t.shape:
            raise UsageError(
                f"images: expected (batch, {channels}, height, width), got {x_t.shape}"
            )
        if x_t.dtype.kind != "f":
            raise UsageError(f"images: expected float32 in [-1, 1], got {x_t.dtype}")
        height, width = x_t.shape[2:]
        if self.size and (height > self.size[0] or width > self.size[1]):
            raise UsageError(
                f"images: {self.name} takes up to {self.size[0]}x{self.size[1]} pixels, got "
                f"{height}x{width}; restore them in tiles"
            )
        return height, width

    def _padded(self, x_t: Images) -> Images:
        x_t = np.ascontiguousarray(x_t, dtype=np.float32)
        if self.size is None or x_t.shape[2:] == self.size:
            return x_t
        beyond = [(0, most - side) for most, side in zip(self.size, x_t.shape[2:], strict=True)]
        return np.pad(x_t, [(0, 0), (0, 0), *beyond], mode="reflect")

    def _checked_result(self, found: Images, x_t: Images) -> Images:
        if found.shape != x_t.shape or found.dtype != np.float32:
            raise ColdDiffError(
                f"{self.name}: gave {found.dtype} {found.shape} for images of {x_t.shape}"
            )
        if not np.isfinite(found).all():
            raise ColdDiffError(
                f"{self.name}: what it makes of the images is not finite; is it damaged?"
            )
        return found
