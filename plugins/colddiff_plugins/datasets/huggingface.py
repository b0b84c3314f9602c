"""Pictures from a data set of Hugging Face, brought to one shape.

This takes `pip install colddiff[huggingface]`. The package `datasets` finds the rows and reads
their bytes; the pictures are decoded here, with the limits of every other picture.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from colddiff_core import DatasetError, ImageError, Picture, read_picture
from colddiff_plugins.datasets._hub import load, need_package, rows_of
from colddiff_plugins.datasets._parts import Numbers, PictureDataset
from colddiff_plugins.datasets._pictures import Listed, Read, Source, decoded

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(eq=False, repr=False, kw_only=True)
class HuggingFace(PictureDataset):
    """A data set of the Hugging Face Hub, or a folder in one of its formats.

    Where it has splits `train` and `test`, these are the two parts; else `train`, or the only
    split there is, is divided, each row by its number and `split_seed` alone. Each picture is
    resized until it covers the square and cropped centrally; it is decoded once and kept as
    uint8, for the next time, too. A row that holds no readable picture is reported by number and
    skipped.

    Args:
        dataset: a name on the Hub, as `user/name`, or a folder: written by `save_to_disk`, with
            Parquet files, or with pictures as ImageFolder has them.
        config: which of its configurations; of a folder, the subfolder.
        image_column: the column that holds the pictures.
        test_fraction: share of the rows that is held out, 0 to 1 (neither end included), where the
            data set does not say which.
        download: fetch it from huggingface.co if it is not on this machine; nothing is fetched
            otherwise. No program that comes with a data set is ever run.

    Raises:
        DatasetError: `datasets` is not installed; the data set is not there, has no such column or
            too few pictures in it can be read.
        ParameterError: a size or share is out of range.
    """

    dataset: str
    config: str = ""  # type: ignore[assignment] # the base's means another thing, see `_load`
    image_column: str = "image"
    download: bool = False

    def _load(self) -> tuple[NDArray[np.uint8], Numbers]:
        need_package()
        config: str = self.config
        self.config = None  # type: ignore[assignment] # what it was built from, which `build` sets
        loaded, roots = load(self.dataset, config, download=self.download)
        rows, ready = rows_of(loaded, self.split, self.dataset)
        where = os.path.realpath(self.dataset) if Path(self.dataset).is_dir() else self.dataset
        place = " ".join(filter(None, [where, config, self.split if ready else ""]))
        source = RowSource.of(place, rows, self.image_column, self.channels, roots)
        if not ready:
            return self._divided(source, "rows")
        pictures = decoded(source, self.image_size)
        if not pictures.names:
            raise DatasetError(f"{place}: none of {len(source.listing)} rows is a picture")
        return pictures.pixels, np.arange(len(pictures.names))

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures; see `Buildable.example_params`."""
        need_package()
        from datasets import Dataset, disable_progress_bars

        disable_progress_bars()
        params = super().example_params(folder)
        content = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
        Dataset.from_dict({"image": content}).save_to_disk(folder / "saved")
        return {"dataset": str(folder / "saved"), **params}


@dataclass(frozen=True)
class RowSource(Source):
    """The rows of a data set.

    Attributes:
        rows: pictures as they are stored, not decoded.
        column: that holds them.
        roots: folders in which a row may name a file.
    """

    rows: "Dataset" = field(compare=False, repr=False)
    column: str
    roots: tuple[Path, ...]

    @classmethod
    def of(
        cls,
        place: str,
        rows: "Dataset",
        column: str,
        channels: Literal[1, 3],
        roots: tuple[Path, ...],
    ) -> "RowSource":
        """List the rows of a data set.

        Args:
            place: names it in messages.
            rows: its rows.
            column: that holds the pictures.
            channels: 1 to read pictures as grey, 3 as colour.
            roots: folders in which a row may name a file.

        Raises:
            DatasetError: there is no such column, or it holds something else.
        """
        from datasets import Image, Value

        kind = rows.features.get(column)
        binary = isinstance(kind, Value) and kind.dtype in ("binary", "large_binary")
        if not isinstance(kind, Image) and not binary:
            known = ", ".join(f"{name} ({_named(kind)})" for name, kind in rows.features.items())
            raise DatasetError(
                f"{place}: no column {column!r} of images; set data.image_column; there are {known}"
            )
        stored = rows.with_format(None).select_columns([column])
        stored = stored.cast_column(column, Image(decode=False))
        stamp = _stamp(rows, column)
        listing = tuple(Listed(str(k), stamp) for k in range(len(rows)))
        return cls(place, listing, channels, stored, column, roots)

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """See `Source.opened`."""
        yield self._read

    def _read(self, number: int) -> Picture:
        where = f"{self.place}: row {number}"
        try:
            stored = self.rows[number][self.column] or {"bytes": None, "path": None}
            content, path = stored["bytes"], Path(stored["path"] or "").resolve()
        except Exception as error:  # damaged files raise many kinds
            raise ImageError(f"{where}: cannot be read: {error}") from None
        if content is not None:
            return read_picture(content, self.channels, name=where)
        if not any(path.is_relative_to(root) for root in self.roots):
            raise ImageError(f"{where}: holds no picture, and names no file of the data set")
        return read_picture(path, self.channels)


def _stamp(rows: "Dataset", column: str) -> str:
    """Changes when the files do, which are mapped and not read."""
    states = []
    for file in rows.cache_files:
        state = Path(file["filename"]).stat()
        states.append(f"{file['filename']} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join([column, *states]).encode()).hexdigest()


def _named(kind: object) -> str:
    return str(getattr(kind, "dtype", type(kind).__name__))
