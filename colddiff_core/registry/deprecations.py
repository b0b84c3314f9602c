"""What plugins still may do, and until when: every deprecation of the hooks is in this file.

To deprecate a hook, or an argument of one, add it to the table. Plugins that still use it go on
working, and their authors see a `ColdDiffDeprecationWarning` with the release that removes it, in
their tests and from `colddiff plugins check`. Users do not: Python shows them no
DeprecationWarning, and they could not mend it.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

HOOK_API = 1
"""Version of the hooks. It grows when a hook or an argument is removed, or means something else;
new hooks and new arguments leave it as it is, as old plugins never notice them."""

OLDEST_HOOK_API = 1
"""The oldest version whose plugins still work."""


class ColdDiffDeprecationWarning(DeprecationWarning):
    """A plugin uses what a coming release removes."""


@dataclass(frozen=True)
class Deprecation:
    """One thing that is going away.

    Attributes:
        removal: the release without it, e.g. `"0.4"`.
        instead: what to use, as a phrase: `"return a Component"`.
    """

    removal: str
    instead: str


HOOKS: Mapping[str, Deprecation] = {}
"""Deprecated hooks, by name."""

ARGUMENTS: Mapping[tuple[str, str], Deprecation] = {}
"""Deprecated arguments of hooks, by (hook, argument)."""


def warn_author(plugin: str, hook: str, arguments: tuple[str, ...]) -> None:
    """Warn the author of a plugin about each deprecated thing that a hook implementation uses.

    Args:
        plugin: distribution and version, to be blamed.
        hook: the hook that it implements.
        arguments: the arguments that its implementation takes.
    """
    used = {hook: HOOKS.get(hook)}
    used |= {f"{hook}({name})": ARGUMENTS.get((hook, name)) for name in arguments}
    for what, deprecation in used.items():
        if deprecation is not None:
            warnings.warn(
                f"{plugin}: {what} goes away in colddiff {deprecation.removal}: "
                f"{deprecation.instead}",
                ColdDiffDeprecationWarning,
                stacklevel=2,
            )
