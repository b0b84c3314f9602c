"""The `torch.export` format: one sampling step as a .pt2 file, the loop around it on the host.

Light to import; running the file takes torch, but none of the classes that the model was made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from colddiff_core import ExportReport, ParameterError
from colddiff_exporters.file_format import FileFormat

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core import Process
    from colddiff_exporters.opened import OpenedFile


@dataclass(kw_only=True, eq=False)
class TorchExporter(FileFormat):
    """Write (x_t, t, s, context) -> x_s as a torch program with a dynamic batch.

    Args:
        tolerance: largest absolute difference from torch that is accepted, on [-1, 1].
        verify: run the file and compare it with torch; without, nothing vouches for it.

    Raises:
        ParameterError: a tolerance that is not positive.
    """

    suffix: ClassVar[str] = ".pt2"
    needs_torch: ClassVar[bool] = True

    tolerance: float = 1e-4
    verify: bool = True

    def __post_init__(self) -> None:
        """Check the options."""
        if not self.tolerance > 0:
            raise ParameterError(f"tolerance: expected a positive number, got {self.tolerance}")

    def export(
        self, process: "Process", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write and check a file; see `Exporter.export`."""
        from colddiff_core import atomic_path
        from colddiff_exporters.torch_export.program import program_file
        from colddiff_exporters.torch_export.runtime import TorchSampler
        from colddiff_exporters.verify import compare_with_torch, evaluating, usable

        with evaluating(process), atomic_path(path) as part:
            content, nodes = program_file(process)
            part.write_bytes(content)
            report = ExportReport(path, len(content), nodes, {}, self.tolerance)
            with usable():
                sampler = TorchSampler(part, device="cpu")
                if self.verify:
                    report = compare_with_torch(report, sampler, process, images)
        return replace(report, snr=None)

    @staticmethod
    def opener() -> "type[OpenedFile]":
        """What runs the file; see `FileFormat.opener`."""
        from colddiff_exporters.torch_export.runtime import TorchSampler

        return TorchSampler

    def describe(self, path: Path) -> Mapping[str, Any]:
        """What the file says about itself; see `Exporter.describe`."""
        from colddiff_exporters.torch_export.archive import read_archive

        return read_archive(path).metadata.facts
