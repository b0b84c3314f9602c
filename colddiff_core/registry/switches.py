"""Which plugins may be loaded: switches that are read before anything of a plugin is imported.

| variable | meaning |
|---|---|
| `COLDDIFF_PLUGINS=a,b` | of the third-party plugins only these; empty: none |
| `COLDDIFF_DISABLE_PLUGINS=a,b` | not these, built-in ones included |
| `COLDDIFF_PLUGINS_STRICT=1` | raise what a plugin raises, with its traceback |
| `COLDDIFF_TRACE_PLUGINS=1` | tell on stderr what is found, imported (milliseconds) and called |

A plugin is named by its distribution or its entry point, in any spelling that pip takes for the
same. `colddiff --no-plugins` is `COLDDIFF_PLUGINS=` with nothing behind it.
"""

import os
import re
import sys
from collections.abc import Iterable

from colddiff_core.contracts.errors import nearby
from colddiff_core.registry.hookspecs import PROJECT

ONLY, DISABLED = "COLDDIFF_PLUGINS", "COLDDIFF_DISABLE_PLUGINS"
STRICT, TRACE = "COLDDIFF_PLUGINS_STRICT", "COLDDIFF_TRACE_PLUGINS"


def objection(distribution: str, entry_point: str) -> str | None:
    """Why a plugin is not to be loaded; None if it is."""
    names = {normalized(distribution), normalized(entry_point)}
    if names & _named(DISABLED):
        return f"named in {DISABLED}"
    if ONLY in os.environ and distribution != PROJECT and not names & _named(ONLY):
        return f"not named in {ONLY}" if _named(ONLY) else f"{ONLY} is empty, so none is loaded"
    return None


def unmatched(installed: Iterable[tuple[str, str]]) -> list[str]:
    """A warning for each name that fits none of the (distribution, entry point) pairs."""
    known = sorted({normalized(name) for pair in installed for name in pair})
    warnings = []
    for variable in (ONLY, DISABLED):
        for name in sorted(_named(variable) - set(known)):
            hint = nearby(name, known, "see `colddiff plugins list`")
            warnings.append(f"{variable}: no plugin {name!r} is installed; {hint}")
    return warnings


def is_strict() -> bool:
    """Whether a plugin's own exceptions are wanted."""
    return os.environ.get(STRICT, "") not in ("", "0")


def is_traced() -> bool:
    """Whether `trace` tells anything."""
    return os.environ.get(TRACE, "") not in ("", "0")


def trace(message: str) -> None:
    """Tell on stderr what happens to plugins, if that is wanted."""
    if is_traced():
        print(f"colddiff: plugins: {message}", file=sys.stderr)  # noqa: T201 - asked for


def normalized(name: str) -> str:
    """A name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _named(variable: str) -> set[str]:
    return {normalized(name) for name in os.environ.get(variable, "").split(",") if name.strip()}
