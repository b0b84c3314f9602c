"""The `torch.export` format: one sampling step as a .pt2 file, the loop around it on the host.

Light to import; running the file takes torch, but none of the classes that the model was made of.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from colddiff_core.contracts.errors import ExportError, ParameterError
from colddiff_core.contracts.exporter import Exporter, ExportReport
from colddiff_core.contracts.model import Model

if TYPE_CHECKING:
    from torch import Tensor

    from colddiff_core.contracts.process import Process


class TorchExporter(Exporter):
    """Write (x_t, t, s, context) -> x_s as a torch program with a dynamic batch.

    Args:
        tolerance: largest absolute difference from torch that is accepted, on [-1, 1].
        verify: run the file and compare it with torch; without, nothing vouches for it.

    Raises:
        ParameterError: a tolerance that is not positive.
    """

    suffix: ClassVar[str] = ".pt2"
    needs_torch: ClassVar[bool] = True

    def __init__(self, *, tolerance: float = 1e-4, verify: bool = True) -> None:
        if not tolerance > 0:
            raise ParameterError(f"tolerance: expected a positive number, got {tolerance}")
        self._tolerance = tolerance
        self._verify = verify

    def export(
        self, process: "Process", path: Path, *, images: "Tensor | None" = None
    ) -> ExportReport:
        """Write and check a file; see `Exporter.export`."""
        from dataclasses import replace

        from colddiff_core.contracts.errors import ModelFileError
        from colddiff_core.disk import atomic_path
        from colddiff_exporters.torch_export.program import program_file
        from colddiff_exporters.torch_export.runtime import TorchSampler
        from colddiff_exporters.verify import compare_with_torch, loop_cases

        content, nodes = program_file(process)
        with atomic_path(path) as part:
            part.write_bytes(content)
            try:
                sampler = TorchSampler(part, device="cpu")
            except ModelFileError as error:
                reason = str(error).partition(": ")[2]  # without the temporary name
                raise ExportError(f"the export could not be used: {reason}") from error
            report = ExportReport(path, len(content), nodes, {}, self._tolerance)
            if not self._verify:
                return report
            cases = list(loop_cases(process.num_steps))
            found = compare_with_torch(sampler, process, images, self._tolerance, cases)
        return replace(
            report,
            checks=found.checks,
            mean_errors=found.mean_errors,
            milliseconds=found.milliseconds,
        )

    def open(self, path: Path, *, device: str = "auto") -> Model:
        """Open a file; see `Exporter.open`."""
        from colddiff_exporters.torch_export.runtime import TorchSampler

        return TorchSampler(path, device=device)

    def describe(self, path: Path) -> Mapping[str, Any]:
        """What the file says about itself; see `Exporter.describe`."""
        from colddiff_exporters.torch_export.archive import read_archive

        return read_archive(path).metadata.facts
