"""Run an exported sampler with onnxruntime and numpy alone."""

import ctypes
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache, cached_property
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from colddiff_core import timesteps as schedules
from colddiff_core.errors import ModelFileError, UsageError
from colddiff_exporters import metadata

if TYPE_CHECKING:
    from colddiff_core.prior import Prior
    from colddiff_core.recipe import Recipe

_PROVIDERS: Mapping[str, list[Any]] = {
    "cpu": ["CPUExecutionProvider"],
    # TF32 keeps 10 bits of the mantissa, too few for the transforms of the degradations
    "cuda": [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"],
}

_NO_CUDA = (
    "device cuda: ONNX Runtime does not start its CUDA provider here (it needs onnxruntime-gpu, "
    "an NVIDIA driver, and CUDA and cuDNN of its version); use device cpu or auto"
)


class OnnxSampler:
    """A sampler from an ONNX file.

    Args:
        path: a file that `colddiff export` wrote.
        device: `"cpu"`, `"cuda"`, or `"auto"` for CUDA where it really starts.

    Raises:
        ModelFileError: missing, damaged or not exported by colddiff.
        UsageError: unknown device, or one that ONNX Runtime does not start.
    """

    def __init__(self, path: Path | str, *, device: str = "auto") -> None:
        path = Path(path)
        if not path.is_file():
            raise ModelFileError(f"{path}: no such file")
        if device not in ("auto", *_PROVIDERS):
            raise UsageError(f"device: expected auto, {', '.join(_PROVIDERS)}; got {device!r}")
        wanted = ("cuda" if _prepare_cuda() else "cpu") if device == "auto" else device
        if device == "cuda" and not _prepare_cuda():
            raise UsageError(_NO_CUDA)
        options = ort.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised; a missing GPU is checked below
        try:
            self._session = ort.InferenceSession(path, options, providers=_PROVIDERS[wanted])
        except Exception as error:  # onnxruntime raises a class of its own for each status
            raise ModelFileError(f"{path}: not a usable ONNX file: {_first_line(error)}") from error
        self.provider: str = self._session.get_providers()[0]
        if device == "cuda" and self.provider != "CUDAExecutionProvider":
            raise UsageError(_NO_CUDA)
        properties = self._session.get_modelmeta().custom_metadata_map
        self._metadata = metadata.parse(properties, path)
        inputs = {item.name: item for item in self._session.get_inputs()}
        images, levels = inputs.pop("x_t", None), inputs.pop("timesteps", None)
        outputs = [item.name for item in self._session.get_outputs()]
        if images is None or levels is None or "x0" not in outputs:
            raise ModelFileError(f"{path}: has no x_t and timesteps to put in and x0 to take out")
        if tuple(images.shape[1:]) != self.image_shape:
            raise ModelFileError(
                f"{path}: its metadata says images of {self.image_shape}, it takes {images.shape}"
            )
        self._context = tuple(inputs)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images it takes."""
        return self._metadata.image_shape

    @property
    def num_steps(self) -> int:
        """T."""
        return self._metadata.timesteps[0]

    @cached_property
    def recipe(self) -> "Recipe":
        """The recipe that the file carries."""
        return self._metadata.recipe

    @cached_property
    def prior(self) -> "Prior":
        """What generation starts from; drawing it takes torch, running the loop does not."""
        return self._metadata.prior

    def restore(
        self,
        x_t: NDArray[np.float32],
        timesteps: Iterable[int] | None = None,
        context: Mapping[str, NDArray[Any]] | None = None,
    ) -> NDArray[np.float32]:
        """Run the sampling loop.

        Args:
            x_t: (B, C, H, W) float32 images at level `timesteps[0]`, in [-1, 1].
            timesteps: levels, strictly decreasing to 0; all from T when None.
            context: one array per context tensor of the degradation.

        Returns:
            The restored images, (B, C, H, W) float32, not clamped.

        Raises:
            UsageError: shape, timesteps or context do not fit.
        """
        if x_t.ndim != 4 or x_t.shape[1:] != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise UsageError(f"images: expected (batch, {expected}), got {x_t.shape}")
        levels = self._metadata.timesteps if timesteps is None else timesteps
        return self.run(x_t, schedules.checked(levels, self.num_steps), context or {})

    def run(
        self, x_t: NDArray[np.float32], levels: Sequence[int], context: Mapping[str, NDArray[Any]]
    ) -> NDArray[np.float32]:
        """Run the loop over any levels, a part of a schedule for example; see `restore`."""
        feed = {
            "x_t": np.ascontiguousarray(x_t, dtype=np.float32),
            "timesteps": np.array(levels, dtype=np.int64),
        }
        for name in self._context:
            if name not in context:
                raise UsageError(f"context: {name!r} is missing")
            feed[name] = np.ascontiguousarray(context[name])
        try:
            (x0,) = self._session.run(["x0"], feed)
        except Exception as error:  # onnxruntime raises a class of its own for each status
            raise ModelFileError(f"the file failed while it ran: {_first_line(error)}") from error
        return np.asarray(x0)


@cache
def _prepare_cuda() -> bool:
    """Load CUDA's libraries if onnxruntime can use them and there is a driver."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    ort.set_default_logger_severity(4)  # a provider that does not start logs, and CPU takes over
    with redirect_stdout(StringIO()):  # preload_dlls prints what it does not find
        ort.preload_dlls()
    return True


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
