"""Run a .pt2 file with torch."""

import io
import itertools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts.errors import ModelFileError, UsageError
from colddiff_exporters.opened import OpenedFile
from colddiff_exporters.torch_export.archive import read_archive

if TYPE_CHECKING:
    from torch.export import ExportedProgram


class TorchSampler(OpenedFile):
    """A sampler from a .pt2 file.

    Args:
        path: a file that `colddiff export --format torch-export` wrote.
        device: `"cpu"`, `"cuda"`, `"cuda:1"`, or `"auto"` for CUDA where there is one.

    Raises:
        ModelFileError: missing, damaged, hostile or not exported by colddiff.
        UsageError: torch is not installed, or has no such device.
    """

    def __init__(self, path: Path | str, *, device: str = "auto") -> None:
        archive = read_archive(Path(path))
        try:
            import torch
        except ImportError:
            raise UsageError(
                f"{path}: a .pt2 file runs in torch, which is not installed; pip install torch, "
                "or export to onnx"
            ) from None
        super().__init__(Path(path), archive.metadata)
        self.device = _device(device)
        try:
            if archive.sample_inputs:  # torch falls back to a trusting reader where this one fails
                torch.load(io.BytesIO(archive.sample_inputs), weights_only=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program = torch.export.load(io.BytesIO(archive.content))
                self._context_names = _context_names(program)
                if self.device != "cpu":
                    from torch.export.passes import move_to_device_pass

                    program = move_to_device_pass(program, self.device)
                self._step = program.module()
        except Exception as error:  # torch raises whatever its parts do
            raise ModelFileError(f"{path}: not a usable .pt2 file: {error!s:.200}") from error

    @property
    def context_names(self) -> tuple[str, ...]:
        """The context tensors that it takes."""
        return self._context_names

    def _restore(
        self, x_t: NDArray[np.float32], levels: tuple[int, ...], context: Mapping[str, NDArray[Any]]
    ) -> NDArray[np.float32]:
        return self.run(x_t, levels, context)

    def run(
        self, x_t: NDArray[np.float32], levels: Sequence[int], context: Mapping[str, NDArray[Any]]
    ) -> NDArray[np.float32]:
        """Run the loop over any levels, a part of a schedule for example; see `restore`."""
        import torch

        x = torch.tensor(x_t, device=self.device)
        drawn = {
            name: torch.tensor(array, device=self.device)
            for name, array in context.items()
            if name in self._context_names
        }
        try:
            with torch.no_grad():
                for t, s in itertools.pairwise(levels):
                    t_batch, s_batch = (
                        torch.full((len(x),), level, device=self.device) for level in (t, s)
                    )
                    x = self._step(x, t_batch, s_batch, drawn)
        except (RuntimeError, ValueError, TypeError) as error:
            raise UsageError(f"images or context do not fit the file: {error!s:.200}") from error
        return np.asarray(x.cpu().numpy())


def _context_names(program: "ExportedProgram") -> tuple[str, ...]:
    """The context tensors that a program takes; its sampler may use none of the degradation's."""
    from torch.utils._pytree import tree_unflatten

    spec = program.call_spec.in_spec
    (_, _, _, context), _ = tree_unflatten(list(range(spec.num_leaves)), spec)
    return tuple(context)


def _device(name: str) -> str:
    import re

    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UsageError(f"device: expected auto, cpu, cuda or cuda:1; got {name!r}")
    if name != "cpu" and not torch.cuda.is_available():
        raise UsageError(f"device {name}: torch finds no CUDA here; use device cpu or auto")
    return name
