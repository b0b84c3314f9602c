"""What the formats share that are opened by a class of their own: here, or in another process."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from colddiff_core import Exporter, Model, ModelFileError

if TYPE_CHECKING:
    from colddiff_exporters.opened import OpenedFile


class FileFormat(Exporter):
    """A format whose files an `OpenedFile` runs."""

    inner: ClassVar[str] = ""
    """The file that is run in a folder of the format, if it writes folders."""

    @staticmethod
    @abstractmethod
    def opener() -> "type[OpenedFile]":
        """The class, imported when it is needed."""

    def open(self, path: Path, *, device: str = "auto") -> Model:
        """Open a file to run it here; see `Exporter.open`."""
        opener: Callable[..., Model] = self.opener()
        return opener(self.file(path), device=device)

    def open_limited(self, path: Path, *, device: str = "auto", **limits: Any) -> Model:
        """Open it in a process of its own; see `Exporter.open_limited` and `LimitedModel`."""
        from colddiff_exporters.limited import LimitedModel

        return LimitedModel(self.opener(), self.file(path), device=device, **limits)

    def file(self, path: Path) -> Path:
        """What is run of an export.

        Raises:
            ModelFileError: it is a folder of another kind.
        """
        if self.marker and not (path / self.marker).is_file():
            raise ModelFileError(f"{path}: is no export of this kind, it has no {self.marker}")
        return path / self.inner
