"""Open whatever somebody calls a model: a model folder, or a file that an exporter wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colddiff_core.contracts.errors import ModelFileError, UsageError
from colddiff_core.contracts.exporter import Exporter
from colddiff_core.contracts.model import Model
from colddiff_core.models.facts import describe_folder
from colddiff_core.registry.components import registry

if TYPE_CHECKING:
    from colddiff_core.process import ColdDiffusion


def open_model(
    source: "Path | str | ColdDiffusion",
    *,
    device: str = "auto",
    sampler: str | None = None,
    seconds: float | None = None,
    memory: int | None = None,
) -> Model:
    """Open a model folder or an exported file, or take a process as a model.

    Args:
        source: the folder, the file, or the process.
        device: `auto`, `cpu`, `cuda`, or what else the runtime has.
        sampler: another sampler than the model's own; a file has its sampler inside.
        seconds: the most that opening a file may take, and each call. A file of a stranger's is
            then run in a process of its own, see `Exporter.open_limited`.
        memory: bytes that this process may allocate; Linux only.

    Raises:
        UsageError: missing, damaged, of an unknown format, or the device cannot be had.
        TimeLimitError: opening took longer than `seconds`.
    """
    if not isinstance(source, Path | str):
        return _of_process(source, "the process", device, sampler)
    path = Path(source)
    exporter = _exporter_of(path)
    if exporter is None:
        if seconds is not None:
            raise UsageError(f"time limit: {path} is a model folder, a limit is for exported files")
        from colddiff_core.process import ColdDiffusion  # torch

        return _of_process(ColdDiffusion.load(path), str(path), device, sampler)
    if sampler is not None:
        raise UsageError(f"--sampler: {path} has its sampler inside; use the model folder")
    if seconds is not None or memory is not None:
        return exporter.open_limited(path, device=device, seconds=seconds, memory=memory)
    return exporter.open(path, device=device)


def as_model(source: "Model | Path | str | ColdDiffusion") -> Model:
    """A model as it is, anything else opened."""
    return source if isinstance(source, Model) else open_model(source)


def _of_process(process: "ColdDiffusion", name: str, device: str, sampler: str | None) -> Model:
    from colddiff_core.restoration.process_model import ProcessModel

    return ProcessModel(process, name=name, device=device, sampler=sampler)


def describe_model(source: Path | str) -> Mapping[str, Any]:
    """What a model folder or an exported file says about itself; no torch is imported.

    Raises:
        UsageError: missing, damaged or of an unknown format.
    """
    path = Path(source)
    exporter = _exporter_of(path)
    return describe_folder(path) if exporter is None else exporter.describe(path)


def _exporter_of(path: Path) -> Exporter | None:
    """The exporter that wrote `path`; None for a folder that none of them knows.

    Raises:
        ModelFileError: there is nothing, or a file of no known format.
    """
    if not path.exists():
        raise ModelFileError(f"{path}: no such file or folder")
    found, suffixes = registry(), []
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
