"""Run a .pt2 file with torch."""

import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colddiff_core import Arrays, Images, ModelFileError, UsageError
from colddiff_core.devices import torch_device
from colddiff_exporters.opened import OpenedFile
from colddiff_exporters.quiet import quietly
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
        self.device = torch_device(device)
        try:
            with quietly("torch.export"):
                program = torch.export.load(io.BytesIO(archive.content))
                super().__init__(path, archive.metadata, _context_names(program))
                if self.device != "cpu":
                    from torch.export.passes import move_to_device_pass

                    program = move_to_device_pass(program, self.device)
                self._step = program.module()
        except Exception as error:  # torch raises whatever its parts do
            raise ModelFileError(f"{path}: not a usable .pt2 file: {error!s:.200}") from error

    def run(self, x_t: Images, levels: Sequence[int], context: Arrays) -> Images:
        """Run the loop over any levels; see `OpenedFile.run`."""
        import torch

        x = torch.tensor(x_t, device=self.device)
        drawn = {
            name: torch.tensor(array, device=self.device)
            for name, array in context.items()
            if name in self.context_names
        }
        try:
            with torch.no_grad():
                for t, s in itertools.pairwise(levels):
                    t_batch, s_batch = (
                        torch.full((len(x),), level, device=self.device) for level in (t, s)
                    )
                    x = self._step(x, t_batch, s_batch, drawn)
        except Exception as error:  # torch raises whatever its parts do
            raise UsageError(f"images or context do not fit the file: {error!s:.200}") from error
        return np.asarray(x.cpu().numpy())


def _context_names(program: "ExportedProgram") -> tuple[str, ...]:
    """The context tensors that a program takes; its sampler may use none of the degradation's."""
    from torch.utils._pytree import tree_unflatten

    spec = program.call_spec.in_spec
    (_, _, _, context), _ = tree_unflatten(list(range(spec.num_leaves)), spec)
    return tuple(context)
