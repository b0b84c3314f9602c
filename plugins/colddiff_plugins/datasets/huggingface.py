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

from colddiff_core.contracts.dataset import Split
from colddiff_core.contracts.errors import DatasetError, ImageError
from colddiff_core.pictures.images import Pixels, decode_image, read_image
from colddiff_plugins.datasets._hub import load, need_package, rows_of
from colddiff_plugins.datasets._parts import (
    PicturesInParts,
    check_fraction,
    check_size,
    need_two,
    part,
)
from colddiff_plugins.datasets._pictures import Listed, Read, Source, decoded
from colddiff_plugins.datasets.folder import Folder

if TYPE_CHECKING:
    from datasets import Dataset


class HuggingFace(PicturesInParts):
    """A data set of the Hugging Face Hub, or a folder in one of its formats.

    Where it has splits `train` and `test`, these are the two parts; else `train`, or the only
    split there is, is divided, each row by its number and `split_seed` alone. Each picture is
    resized until it covers the square and cropped centrally; it is decoded once and kept as
    uint8, for the next time, too. A row that holds no readable picture is reported by number and
    skipped.

    Args:
        split: which part.
        dataset: a name on the Hub, as `user/name`, or a folder: written by `save_to_disk`, with
            Parquet files, or with pictures as ImageFolder has them.
        config: which of its configurations; of a folder, the subfolder.
        image_column: the column that holds the pictures.
        image_size: side of the square, pixels.
        channels: 1 for grey, 3 for colour.
        test_fraction: share of the rows that is held out, 0 to 1 (neither end included), where the
            data set does not say which.
        split_seed: another seed holds out others.
        download: fetch it from huggingface.co if it is not on this machine; nothing is fetched
            otherwise. No program that comes with a data set is ever run.

    Raises:
        DatasetError: `datasets` is not installed; the data set is not there, has no such column or
            too few pictures in it can be read.
        ParameterError: a size or share is out of range.
    """

    def __init__(
        self,
        split: Split,
        *,
        dataset: str,
        config: str = "",
        image_column: str = "image",
        image_size: int = 64,
        channels: Literal[1, 3] = 3,
        test_fraction: float = 0.1,
        split_seed: int = 0,
        download: bool = False,
    ) -> None:
        check_size(image_size)
        check_fraction(test_fraction)
        need_package()
        loaded, roots = load(dataset, config, download=download)
        rows, ready = rows_of(loaded, split, dataset)
        where = os.path.realpath(dataset) if Path(dataset).is_dir() else dataset
        place = " ".join(filter(None, [where, config, split if ready else ""]))
        source = RowSource.of(place, rows, image_column, channels, roots)
        pictures = decoded(source, image_size)
        if not ready:
            need_two(place, pictures, len(source.listing), "rows")
            numbers = part(pictures.names, split, test_fraction, split_seed)
        elif pictures.names:
            numbers = np.arange(len(pictures.names))
        else:
            raise DatasetError(f"{place}: none of {len(source.listing)} rows is a picture")
        super().__init__(pictures, numbers)

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """A dozen small pictures; see `Buildable.example_params`."""
        need_package()
        from datasets import Dataset, disable_progress_bars

        disable_progress_bars()
        Folder.example_params(folder)
        content = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
        Dataset.from_dict({"image": content}).save_to_disk(folder / "saved")
        return {"dataset": str(folder / "saved"), "image_size": 16}


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

    def _read(self, number: int) -> Pixels:
        where = f"{self.place}: row {number}"
        try:
            stored = self.rows[number][self.column] or {"bytes": None, "path": None}
            content, path = stored["bytes"], Path(stored["path"] or "").resolve()
        except Exception as error:  # damaged files raise many kinds
            raise ImageError(f"{where}: cannot be read: {error}") from None
        if content is not None:
            return decode_image(content, where, self.channels)
        if not any(path.is_relative_to(root) for root in self.roots):
            raise ImageError(f"{where}: holds no picture, and names no file of the data set")
        return read_image(path, self.channels)


def _stamp(rows: "Dataset", column: str) -> str:
    """Changes when the files do, which are mapped and not read."""
    states = []
    for file in rows.cache_files:
        state = Path(file["filename"]).stat()
        states.append(f"{file['filename']} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join([column, *states]).encode()).hexdigest()


def _named(kind: object) -> str:
    return str(getattr(kind, "dtype", type(kind).__name__))
