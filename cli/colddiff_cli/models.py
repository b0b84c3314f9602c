"""Open whatever a user calls a model: a model folder, or a file that an exporter wrote."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colddiff_core.contracts.errors import ModelFileError, UsageError
from colddiff_core.contracts.exporter import ExportedModel, Exporter
from colddiff_core.registry.components import registry

if TYPE_CHECKING:
    from colddiff_core.contracts.prior import Prior
    from colddiff_core.contracts.recipe import Recipe


class FolderModel:
    """A model folder behind the interface of an exported file.

    Args:
        folder: the model folder.
        device: `auto`, `cpu` or `cuda`.
        sampler: another sampler than the one the recipe names.
    """

    def __init__(self, folder: Path, *, device: str, sampler: str | None) -> None:
        from colddiff_cli.options import torch_device
        from colddiff_core.models.folder import resolved_recipe
        from colddiff_core.process import ColdDiffusion
        from colddiff_core.registry.components import build

        self.device = torch_device(device)
        self.note = "no GPU: torch finds no CUDA" if self.device == "cpu" else ""
        process = ColdDiffusion.load(folder).to(self.device)
        if sampler is not None:
            process.sampler = build("sampler", sampler)
        self.recipe: Recipe = resolved_recipe(process)
        self._process = process
        self.image_shape = process.image_shape
        self.num_steps = process.num_steps
        self.locality = process.degradation.locality
        self.context_names = process.context_names

    @property
    def prior(self) -> "Prior":
        """What generation starts from; see `ExportedModel.prior`."""
        if self._process.prior is None:
            raise UsageError("generate: the model has no prior to start from")
        return self._process.prior

    def restore(
        self,
        x_t: NDArray[np.float32],
        timesteps: Iterable[int] | None = None,
        context: Mapping[str, NDArray[Any]] | None = None,
    ) -> NDArray[np.float32]:
        """Run the sampling loop in torch; see `ExportedModel.restore`."""
        import torch

        tensors = {name: torch.from_numpy(a).to(self.device) for name, a in (context or {}).items()}
        x0 = self._process.restore(torch.from_numpy(x_t).to(self.device), timesteps, tensors)
        restored: NDArray[np.float32] = x0.cpu().numpy()
        return restored

    def estimate(self, x_t: NDArray[np.float32], t: int) -> NDArray[np.float32]:
        """R(x_t, t), the restorer alone, which no sampler can be asked for."""
        import torch

        x = torch.from_numpy(x_t).to(self.device)
        with torch.no_grad():
            x0_hat = self._process.restorer(x, torch.full((len(x),), t, device=x.device))
        estimated: NDArray[np.float32] = x0_hat.cpu().numpy()
        return estimated


def open_model(path: Path, *, device: str = "auto", sampler: str | None = None) -> ExportedModel:
    """Open a model folder or an exported file.

    Args:
        path: the folder or file.
        device: `auto`, `cpu` or `cuda`.
        sampler: another sampler than the model's own; a file has its sampler inside.

    Raises:
        UsageError: missing, damaged, of an unknown format, or the device cannot be had.
    """
    exporter = _exporter_of(path)
    if exporter is None:
        return FolderModel(path, device=device, sampler=sampler)
    if sampler is not None:
        raise UsageError(f"--sampler: {path} has its sampler inside; use the model folder")
    return exporter.open(path, device=device)


def tell_device(model: ExportedModel) -> None:
    """Say on stderr what `auto` took."""
    from colddiff_cli.console import err

    device, note = getattr(model, "device", ""), getattr(model, "note", "")
    if device:
        err.print(f"colddiff: computing on {device}{note and f' ({note})'}", markup=False)


def describe_model(path: Path) -> dict[str, Any]:
    """What a model folder or an exported file says about itself; no torch is imported.

    Raises:
        UsageError: missing, damaged or of an unknown format.
    """
    from colddiff_core.models.facts import describe_folder

    exporter = _exporter_of(path)
    return describe_folder(path) if exporter is None else dict(exporter.describe(path))


def _exporter_of(path: Path) -> Exporter | None:
    """The exporter that wrote `path`; None for a folder that none of them knows.

    Raises:
        ModelFileError: there is nothing, or a file of no known format.
    """
    if not path.exists():
        raise ModelFileError(f"{path}: no such file or folder")
    found = registry()
    suffixes = []
    for item in found.components("exporter"):
        cls = item.load()
        assert issubclass(cls, Exporter)  # noqa: S101 - load has checked it; for the type checker
        ours = (path / cls.marker).is_file() if path.is_dir() else path.suffix == cls.suffix
        if ours and (cls.marker if path.is_dir() else cls.suffix):
            exporter: Exporter = found.build("exporter", item.identity)
            return exporter
        if cls.suffix:
            suffixes.append(cls.suffix)
    if path.is_dir():
        return None
    raise ModelFileError(
        f"{path}: expected a model folder or a file that ends in {' or '.join(suffixes)}"
    )
