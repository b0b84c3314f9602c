"""Whether a plugin and this release fit together, and which of the two to upgrade if not."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from typing import Any

import pluggy

from colddiff_core.contracts.errors import PluginError
from colddiff_core.registry import deprecations
from colddiff_core.registry.hookspecs import HOOKS, PROJECT
from colddiff_core.registry.switches import normalized

API_ATTRIBUTE = "colddiff_hook_api"
"""A plugin may say which version of the hooks it was written for: `colddiff_hook_api = 1`."""


class IncompatiblePluginError(PluginError):
    """A plugin needs another release of colddiff, or colddiff another release of the plugin."""


def check_requirements(requirements: Iterable[str]) -> None:
    """Compare what a distribution requires of colddiff with what is installed.

    Args:
        requirements: all of them, as the metadata has them: `"colddiff>=0.1"`.

    Raises:
        IncompatiblePluginError: this release is not among the ones it wants.
        PluginError: a requirement cannot be read.
    """
    for text in requirements:
        if normalized(re.split(r"[^\w.-]", text.strip(), maxsplit=1)[0]) == PROJECT:
            _check_requirement(text)


@cache  # plugins require the same few releases
def _check_requirement(text: str) -> None:
    release = version(PROJECT)
    asked = re.fullmatch(r"[\w.-]+ *>= *(\d+(?:\.\d+)*)", text)
    if asked and _numbers(asked[1]) <= _numbers(release):
        return  # what nearly all plugins ask, without 50 ms for a library
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import Version

    ours = Version(release)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise PluginError(f"its requirement {text!r} cannot be read: {error}") from None
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return
    if not requirement.specifier.contains(ours, prereleases=True):
        behind = any(
            item.operator in (">=", ">", "==", "~=") and Version(item.version.rstrip(".*")) > ours
            for item in requirement.specifier
        )
        raise IncompatiblePluginError(
            f"it requires {PROJECT}{requirement.specifier}, this is {ours}: upgrade "
            f"{PROJECT if behind else 'the plugin'}"
        )


def check_api(plugin: Any) -> None:
    """Compare the hook API that a plugin declares, if it does, with ours.

    Raises:
        IncompatiblePluginError: it is too new or too old.
    """
    declared = getattr(plugin, API_ATTRIBUTE, deprecations.HOOK_API)
    if not isinstance(declared, int):
        raise PluginError(f"{API_ATTRIBUTE} is {declared!r:.80}, expected a whole number")
    if declared > deprecations.HOOK_API:
        raise IncompatiblePluginError(
            f"it needs hook API {declared}, this release has {deprecations.HOOK_API}: upgrade "
            f"{PROJECT}"
        )
    if declared < deprecations.OLDEST_HOOK_API:
        raise IncompatiblePluginError(
            f"it was written for hook API {declared}, the oldest that works is "
            f"{deprecations.OLDEST_HOOK_API}: upgrade the plugin"
        )


def check_hooks(callers: Iterable[pluggy.HookCaller], blame: str) -> None:
    """Look for hooks, and arguments of hooks, that this release does not know.

    Args:
        callers: the hooks that a plugin implements, registered without specifications, so that
            none is refused yet.
        blame: distribution and version of the plugin, for its author.

    Raises:
        IncompatiblePluginError: there is one, which a newer release may know.
        PluginError: a name is so close to one of ours that it is a slip.
    """
    for caller in callers:
        name, taken = caller.name, caller.get_hookimpls()[0].argnames
        if name not in HOOKS:
            nearest = get_close_matches(name, HOOKS, n=1, cutoff=0.9)
            if nearest:
                raise PluginError(f"there is no hook {name}; did you mean {nearest[0]}?")
            raise IncompatiblePluginError(
                f"it implements the hook {name}, which this release does not know: upgrade "
                f"{PROJECT}"
            )
        passed = HOOKS[name]
        unknown = [argument for argument in taken if argument not in passed]
        if unknown:
            raise IncompatiblePluginError(
                f"its {name} takes {unknown[0]!r}, and this release passes "
                f"{', '.join(passed) or 'nothing'}: upgrade {PROJECT}"
            )
        deprecations.warn_author(blame, name, taken)


def _numbers(release: str) -> tuple[int, ...]:
    """The leading numbers of a version that has no more than numbers; () of any other."""
    plain = re.fullmatch(r"\d+(\.\d+)*", release)
    return tuple(map(int, release.split("."))) if plain else ()
