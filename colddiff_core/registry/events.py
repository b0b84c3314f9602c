"""Call the hooks by which plugins see, or add to, what goes on; a failure is the plugin's alone."""

import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from colddiff_core.contracts.errors import one_line
from colddiff_core.registry.discovery import call, manager
from colddiff_core.registry.switches import is_strict

_numbers = itertools.count(1)  # tell listeners of one class apart


def emit(hook: str, receive: Callable[[Any], None] | None = None, /, **arguments: Any) -> None:
    """Call a hook of every plugin that was discovered, and of every object that is `listening`.

    Nothing is loaded for it. Who fails is reported once and not called again.

    Args:
        hook: one of `colddiff_core.registry.hookspecs.HOOKS`.
        receive: called with each answer; what it raises is a failure of who answered.
        **arguments: all that the hook passes.

    Raises:
        Exception: what was raised, if `COLDDIFF_PLUGINS_STRICT` asks for it.
    """
    for implementation in reversed(getattr(manager.hook, hook).get_hookimpls()):  # as pluggy does
        try:
            answer = call(hook, implementation, **arguments)
            if receive is not None:
                receive(answer)
        except (Exception, SystemExit) as error:
            if is_strict():
                raise
            name = implementation.plugin_name
            manager.unregister(name=name)
            logging.getLogger(__name__).warning(
                "%s: its %s failed and is not called again: %s", name, hook, one_line(error)
            )


@contextmanager
def listening(listener: object) -> Iterator[None]:
    """Call the hook implementations of `listener`, any object that has some, for a while."""
    name = f"{type(listener).__name__} {next(_numbers)}"
    manager.register(listener, name=name)
    try:
        yield
    finally:
        if manager.has_plugin(name):  # it may have failed
            manager.unregister(name=name)
