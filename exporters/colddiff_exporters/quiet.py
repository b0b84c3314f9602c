"""Quiet, while a library works that talks of its own insides."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quietly(logger: str | None = None) -> Iterator[None]:
    """Hide warnings, and what is logged below errors.

    Args:
        logger: its name; the root when None.
    """
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
