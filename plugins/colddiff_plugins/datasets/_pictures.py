"""Pictures of any kind and size, brought to one shape: decoded once, then read where they are kept.

A `Source` lists pictures and reads one at a time. `decoded` brings them all to one shape, by
several threads, batch by batch into a file of the cache, so that there is never more than a few
batches of them in memory; the next process that asks for the same finds the file.
"""

import errno
import logging
import os
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colddiff_core import DatasetError, ImageError, Picture, UsageError, fit
from colddiff_plugins.datasets._store import MAX_REASONS, Entry, Losses, Stored

_BATCH = 16  # pictures a thread takes at a time
_MOST_THREADS = 8  # each may hold a picture of the largest size
_WORTH_A_FILE = 100  # fewer are decoded in a moment
_WORTH_A_WORD = 1_000  # as many take long enough for somebody to wonder
_LONGEST = 500  # characters of why a picture is skipped

# Of a disk or a network that fails, or a machine that is short of something
_PASSING = {
    *(errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.ENOMEM, errno.EMFILE),
    *(errno.ENFILE, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN),
    *(errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH),
}

_log = logging.getLogger(__name__)

Shape = tuple[int, int, int, int]
"""(N, C, H, W)."""

Read = Callable[[int], Picture]
"""Decodes the picture at a place of a listing; raises an `ImageError` that begins with its name."""


@dataclass(frozen=True)
class Listed:
    """A picture that has not been looked at yet.

    Attributes:
        name: of the picture within its source; decides to which part it belongs.
        stamp: changes when the picture does.
    """

    name: str
    stamp: str


@dataclass(frozen=True)
class Source(ABC):
    """Where pictures come from.

    Attributes:
        place: names the source in messages, and tells it from others: a path.
        listing: the pictures in their order.
        channels: 1 to read them as grey, 3 as colour.
    """

    place: str
    listing: tuple[Listed, ...]
    channels: Literal[1, 3]

    @abstractmethod
    def opened(self) -> AbstractContextManager[Read]:
        """What reads the pictures, from several threads at a time.

        Raises:
            DatasetError: the source is no longer there.
        """


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures of one shape.

    Attributes:
        names: of those that could be read, in the order of their listing.
        pixels: (len(names), C, H, W) uint8, in memory or mapped from a file; not to be changed.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.uint8] = field(repr=False)


@lru_cache(maxsize=2)  # the training part and the held-out part, of a pair of sources at most
def decoded(source: Source, size: int) -> Pictures:
    """Bring all pictures of a source to one square shape; what cannot be read is named on the log.

    Args:
        source: of the pictures.
        size: side of the square, pixels; each picture is resized to cover it and cropped centrally.

    Raises:
        DatasetError: the source cannot be opened.
    """
    stored = _through_the_cache(source, (len(source.listing), source.channels, size, size))
    tell(stored.losses.reasons, len(stored.losses.skipped), f" of {source.place}")
    for note, count in stored.losses.notes.items():
        _log.warning("%s: %s pictures: %s", source.place, f"{count:,}", note)
    passed = set(stored.losses.skipped)
    names = (item.name for k, item in enumerate(source.listing) if k not in passed)
    return Pictures(tuple(names), stored.pixels)


def tell(reasons: Sequence[str], count: int, whence: str = "") -> None:
    """Name the first pictures that are skipped on the log, and count the others."""
    for reason in reasons[:MAX_REASONS]:
        _log.warning("skipped %s", printable(reason))
    if count > MAX_REASONS:
        _log.warning("skipped %s more%s", f"{count - MAX_REASONS:,}", whence)


def _through_the_cache(source: Source, shape: Shape) -> Stored:
    """From the cache; else decoded into it; else, where that cannot be written, into memory."""
    if len(source.listing) < _WORTH_A_FILE:
        return _in_memory(source, shape)
    stored = None
    try:
        entry = Entry.of(source.place, [(item.name, item.stamp) for item in source.listing], shape)
        stored = entry.load()
        if stored is None:
            if len(source.listing) >= _WORTH_A_WORD:
                _log.warning(
                    "%s: decoding %s pictures, which are kept in %s",
                    *(source.place, f"{len(source.listing):,}", entry.folder),
                )
            entry.write(_batches(source, shape))
            stored = entry.load()
    except DatasetError:
        raise
    except UsageError as error:
        _log.warning("%s; the pictures of %s are kept in memory alone", error, source.place)
    return stored or _in_memory(source, shape)


def _in_memory(source: Source, shape: Shape) -> Stored:
    pixels, count, losses = np.empty(shape, dtype=np.uint8), 0, Losses()
    for batch in _batches(source, shape):
        pixels[count : count + len(batch.pixels)] = batch.pixels
        count += len(batch.pixels)
        losses.add(batch.losses)
    return Stored(pixels[:count], losses)


def _batches(source: Source, shape: Shape) -> Iterator[Stored]:
    """All pictures in order, by several threads that are never far ahead."""
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="colddiff-decode")
    waiting: deque[Future[Stored]] = deque()
    # Decoding silences warnings one picture at a time, which several threads cannot do at once:
    # here they are silenced for all, and whatever the threads leave behind is undone
    with source.opened() as read, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for start in range(0, shape[0], _BATCH):
                numbers = range(start, min(start + _BATCH, shape[0]))
                waiting.append(pool.submit(_batch, read, numbers, shape[1:]))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _batch(read: Read, numbers: range, shape: tuple[int, int, int]) -> Stored:
    pixels, count, losses = np.empty((len(numbers), *shape), dtype=np.uint8), 0, Losses()
    for number in numbers:
        try:
            picture = read(number)
        except ImageError as error:
            if _is_passing(error.__context__):
                raise DatasetError(f"{error}: nothing is wrong with the picture") from error
            losses.add(Losses([number], [str(error)[:_LONGEST]]))
        else:
            pixels[count] = fit(picture.pixels, *shape[1:]).transpose(2, 0, 1)
            losses.add(Losses(notes=dict.fromkeys(picture.notes, 1)))
            count += 1
    return Stored(pixels[:count], losses)


def _is_passing(error: BaseException | None) -> bool:
    """Whether a picture might be read another time, so that it must not be kept as skipped."""
    failing = isinstance(error, OSError) and error.errno in _PASSING
    return failing or isinstance(error, MemoryError)


def printable(text: str) -> str:
    """The text on one line, with everything escaped that would steer a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
