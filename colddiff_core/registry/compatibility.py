"""Whether a plugin and this release fit together, and which of the two to upgrade if not."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from inspect import signature
from typing import Any

import pluggy

from colddiff_core.contracts.errors import PluginError
from colddiff_core.registry.hookspecs import HOOK_API, HOOKS, OLDEST_HOOK_API, PROJECT
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
    from packaging.requirements import InvalidRequirement, Requirement  # 20 ms
    from packaging.version import Version

    ours = Version(version(PROJECT))
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
    declared = getattr(plugin, API_ATTRIBUTE, HOOK_API)
    if not isinstance(declared, int):
        raise PluginError(f"{API_ATTRIBUTE} is {declared!r:.80}, expected a whole number")
    if declared > HOOK_API:
        raise IncompatiblePluginError(
            f"it needs hook API {declared}, this release has {HOOK_API}: upgrade {PROJECT}"
        )
    if declared < OLDEST_HOOK_API:
        raise IncompatiblePluginError(
            f"it was written for hook API {declared}, the oldest that works is "
            f"{OLDEST_HOOK_API}: upgrade the plugin"
        )


def check_hooks(plugin: Any, manager: pluggy.PluginManager) -> None:
    """Look for hooks, and arguments of hooks, that this release does not know.

    Args:
        plugin: the module or object that implements them.
        manager: knows how an implementation is marked.

    Raises:
        IncompatiblePluginError: there is one, which a newer release may know.
        PluginError: there is no hook at all, or a name so close to one of ours that it is a slip.
    """
    parse = manager.parse_hookimpl_opts
    marked = {name: options for name in dir(plugin) if (options := parse(plugin, name))}
    if not marked:
        raise PluginError(f"it implements no hook of {PROJECT}")
    for function, options in marked.items():
        hook = options["specname"] or function
        if options["wrapper"] or options["hookwrapper"]:
            raise PluginError(f"its {hook} is a wrapper, and there is nothing to wrap")
        if hook not in HOOKS:
            nearest = get_close_matches(hook, HOOKS, n=1, cutoff=0.9)
            if nearest:
                raise PluginError(f"there is no hook {hook}; did you mean {nearest[0]}?")
            raise IncompatiblePluginError(
                f"it implements the hook {hook}, which this release does not know: upgrade "
                f"{PROJECT}"
            )
        unknown = signature(getattr(plugin, function)).parameters.keys() - set(HOOKS[hook])
        if unknown:
            raise IncompatiblePluginError(
                f"its {hook} takes {min(unknown)!r}, and this release passes "
                f"{', '.join(HOOKS[hook]) or 'nothing'}: upgrade {PROJECT}"
            )
