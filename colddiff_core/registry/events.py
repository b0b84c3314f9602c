"""Tell plugins what happens: the hooks `colddiff_training_step` and `colddiff_sampling_step`.

A listener that fails is told once and not called again; what it listens to goes on.
"""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pluggy

from colddiff_core.registry.discovery import plugins
from colddiff_core.registry.hookspecs import PROJECT, SPECS
from colddiff_core.registry.switches import is_strict

_failed: set[str] = set()
_numbers = itertools.count(1)  # tell listeners of one class apart
_listening: list[tuple[str, pluggy.PluginManager]] = []


def emit(hook: str, /, **arguments: Any) -> None:
    """Call a hook of every plugin that implements it, and of every object that is `listening`.

    Args:
        hook: one of `colddiff_core.registry.hookspecs.HOOKS`.
        **arguments: all that the hook passes.

    Raises:
        Exception: what a listener raised, if `COLDDIFF_PLUGINS_STRICT` asks for it.
    """
    for blame, manager in (*_listeners(hook), *_listening):
        if blame in _failed:
            continue
        try:
            getattr(manager.hook, hook)(**arguments)
        except Exception as error:
            if is_strict():
                raise
            _failed.add(blame)
            logging.getLogger(__name__).warning(
                "%s: its %s failed and is not called again: %s: %s",
                *(blame, hook, type(error).__name__, error),
            )


@contextmanager
def listening(listener: object) -> Iterator[None]:
    """Call the hook implementations of `listener`, any object that has some, for a while."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(SPECS)
    manager.register(listener)
    entry = (f"{type(listener).__name__} {next(_numbers)}", manager)
    _listening.append(entry)
    try:
        yield
    finally:
        _listening.remove(entry)


@cache
def _listeners(hook: str) -> tuple[tuple[str, pluggy.PluginManager], ...]:
    return tuple(
        (plugin.blame, plugin.manager)
        for plugin in plugins()
        if plugin.manager is not None and hook in plugin.hooks
    )
