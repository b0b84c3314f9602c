"""Finding a data set of Hugging Face, on this machine or, where that is asked for, on the Hub."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colddiff_core import DatasetError, Split
from colddiff_core.pictures.cache import cache_folder

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_ON_THE_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_SAVED = ("state.json", "dataset_dict.json")  # what `save_to_disk` leaves, one of the two


def need_package() -> None:
    """Make sure that `datasets` is there.

    Raises:
        DatasetError: it is not, and how to get it.
    """
    try:
        import datasets  # noqa: F401 - whether it can be imported
    except ImportError as error:
        raise DatasetError(
            f"the data set 'huggingface' needs more packages ({error}): "
            f"pip install 'colddiff[huggingface]'"
        ) from error


def load(
    dataset: str, config: str, *, download: bool
) -> "tuple[Dataset | DatasetDict, tuple[Path, ...]]":
    """A data set, and the folders in which its rows may name files.

    Args:
        dataset: a folder, or a name on the Hub.
        config: which of its configurations, or which subfolder; may be empty.
        download: whether anything may be fetched.

    Raises:
        DatasetError: it is not there, or cannot be read.
    """
    from datasets import load_dataset
    from datasets.config import HF_DATASETS_CACHE
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(dataset)
    if folder.is_dir():
        return _from_folder(folder / config), (folder.resolve(),)
    if not _ON_THE_HUB.fullmatch(dataset):
        raise DatasetError(
            f"{dataset}: no such folder, and no name on the Hugging Face Hub, which is user/name"
        )
    try:
        with nullcontext() if download else _offline():
            loaded = load_dataset(dataset, config or None, keep_in_memory=False)
    except Exception as error:  # of many kinds: of the network, of files, of names
        if not download:
            raise DatasetError(
                f"{dataset}: no such folder, and not fetched from the Hugging Face Hub before; "
                f"set data.download=true to fetch it ({_one_line(error)})"
            ) from error
        raise DatasetError(f"{dataset}: {_one_line(error)}") from error
    return loaded, tuple(Path(place).resolve() for place in (HF_HUB_CACHE, HF_DATASETS_CACHE))


def _from_folder(folder: Path) -> "Dataset | DatasetDict":
    from datasets import load_dataset, load_from_disk

    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    kind = "parquet" if next(folder.rglob("*.parquet"), None) else "imagefolder"
    try:
        with _offline():
            if any((folder / name).is_file() for name in _SAVED):
                return load_from_disk(folder, keep_in_memory=False)
            # Named by its kind, so that no README in the folder says where else to look
            return load_dataset(
                kind,
                data_dir=str(folder.resolve()),
                cache_dir=str(cache_folder() / "huggingface"),
                keep_in_memory=False,
            )
    except Exception as error:  # of many kinds: of files, of their schemas
        raise DatasetError(
            f"{folder}: neither written by save_to_disk nor a folder of Parquet files or pictures "
            f"that can be read: {_one_line(error)}"
        ) from error


def rows_of(loaded: "Dataset | DatasetDict", split: Split, dataset: str) -> "tuple[Dataset, bool]":
    """The rows to take pictures from, and whether they are the part that is wanted already.

    Args:
        loaded: a data set or several, by their splits.
        split: the part that is wanted.
        dataset: names it in messages.

    Raises:
        DatasetError: there are several splits, and nothing says which is for training.
    """
    from datasets import DatasetDict

    if not isinstance(loaded, DatasetDict):
        return loaded, False
    if "train" in loaded and "test" in loaded:
        return loaded[split], True
    if "train" in loaded or len(loaded) == 1:
        return loaded["train" if "train" in loaded else next(iter(loaded))], False
    raise DatasetError(f"{dataset}: no split 'train'; there are {', '.join(map(repr, loaded))}")


@contextmanager
def _offline() -> Iterator[None]:
    """Let nothing be fetched, as the variable HF_HUB_OFFLINE would if it were set at the start."""
    import datasets.config
    import huggingface_hub.constants

    switches: list[Any] = [datasets.config, huggingface_hub.constants]
    before = [switch.HF_HUB_OFFLINE for switch in switches]
    try:
        for switch in switches:
            switch.HF_HUB_OFFLINE = True
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.HF_HUB_OFFLINE = value


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
