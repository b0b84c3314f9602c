"""Errors meant for the person who made the mistake.

Each message says what was expected, what came and what to do. The command line prints it as
one line and ends with the error's `exit_code`; anything else that escapes is a bug of ours.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from traceback import walk_tb


class ColdDiffError(Exception):
    """Something failed although the request was in order (exit code 1)."""

    exit_code = 1


class UsageError(ColdDiffError):
    """Bad input or usage: the caller can mend it (exit code 2).

    Attributes:
        fields: dotted names of the parameters that it is about, where it is about some.
    """

    exit_code = 2
    fields: tuple[str, ...] = ()


class ParameterError(UsageError, ValueError):
    """A component was given a parameter that it does not know or cannot use."""


class ContextError(UsageError):
    """What is random about a degradation cannot be told from a picture, and was not given.

    Args:
        missing: the name of the context tensor.
        reason: why it cannot be told.
    """

    def __init__(self, missing: str, reason: str) -> None:
        super().__init__(f"{missing}: {reason}; it has to be given")
        self.missing = missing
        self.reason = reason


class UnknownComponentError(UsageError, LookupError):
    """No component of that kind has that name."""


class RecipeError(UsageError):
    """A recipe cannot be read, or says something that does not fit."""


class ModelFolderError(UsageError):
    """A folder is not a model folder, or is damaged."""


class CheckpointError(UsageError):
    """A run cannot be resumed: no checkpoint can be read, or it is not of this recipe."""


class Interrupted(ColdDiffError):  # noqa: N818 - not a failure: somebody asked for it
    """A run was asked to stop, and did, with its work saved.

    Args:
        message: what was saved, and how to go on.
        signal_number: of the signal; the exit code is what a shell makes of it, 128 more.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class ImageError(UsageError):
    """A picture cannot be read, or does not have the expected size or channels."""


class DatasetError(UsageError):
    """A data set's files are missing, damaged or empty."""


class ExportError(ColdDiffError):
    """A model could not be exported, or its export does not agree with torch."""


class ModelFileError(UsageError):
    """An exported file is missing, damaged or was not written by this project."""


class TimeLimitError(ColdDiffError):
    """Something took longer than the caller allowed."""


class PluginError(ColdDiffError):
    """A plugin broke its contract."""


def nearby(name: str, known: Iterable[str], otherwise: str) -> str:
    """A hint on a name that is none of those known: the nearest, or what to say if none is near."""
    names = list(known)
    nearest = get_close_matches(name, names, 1) or get_close_matches(name.lower(), names, 1)
    return f"did you mean {nearest[0]!r}?" if nearest else otherwise


def one_line(error: BaseException, module: str = "") -> str:
    """What an exception says: its type and text, or the text alone of our own, a whole sentence.

    Args:
        error: as it was caught.
        module: of a plugin, or a target in it; the innermost line of its top-level package that the
            exception came through follows: `ValueError: no such fog (/…/colddiff_fog/fog.py:31)`.
    """
    try:
        text = " ".join(str(error).split())[:1000]
    except BaseException:  # a plugin's exception may do anything
        text = "its text cannot be shown"
    if text and isinstance(error, ColdDiffError):
        return text
    package = module.replace(":", ".").partition(".")[0]
    lines = [
        f" ({frame.f_code.co_filename}:{line})"
        for frame, line in walk_tb(error.__traceback__)
        if package and str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    return type(error).__name__ + (f": {text}" if text else "") + "".join(lines[-1:])
