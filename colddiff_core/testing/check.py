"""What a check is, how it ends, and which there are for each kind."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from colddiff_core.contracts import errors
from colddiff_core.registry.hookspecs import KINDS
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped

_LAWS = (
    *("common", "calls", "values", "sizes", "context", "tensors"),
    *("sampler", "restorer", "dataset", "exporter", "process"),
)
"""The modules of `laws`, in the order in which their checks are best read."""


@dataclass(frozen=True)
class Check:
    """A law that components obey; call it to hold a subject to it.

    Attributes:
        name: what it demands, e.g. `"level_0_is_the_image"`.
        summary: the same in a sentence.
        advice: how to keep it; ends the message of a failure.
        kinds: of the components it is for.
        law: raises `CheckFailed` or `CheckSkipped`.
        essential: whether nothing is known of a component for which it was skipped.
        seed: of what it draws, where that is one.
    """

    name: str
    summary: str
    advice: str
    kinds: tuple[str, ...]
    law: Callable[[Subject], None]
    essential: bool
    seed: int | None

    def __call__(self, subject: Subject) -> None:
        """Hold `subject` to the law.

        Raises:
            CheckFailed: it breaks the law, or raises where it should not.
            CheckSkipped: the law does not apply to it.
        """
        try:
            with blaming(self.seed):
                self.law(subject)
        except CheckFailed as failure:
            if self.advice:
                failure.args = (f"{str(failure).rstrip('.')}. {self.advice}",)
            raise


Outcome = Literal["passed", "failed", "expected", "skipped"]
"""How a check ended; `expected` is a failure that the component declares."""


@dataclass(frozen=True)
class Result:
    """How a check ended.

    Attributes:
        check: its name.
        outcome: a check is skipped where it does not apply.
        detail: why it failed, was skipped or is expected to fail; empty when it passed.
        seed: of the input that failed.
        case: the parameters, e.g. `"num_steps=5,std=2"`, or `"defaults"`.
        seconds: how long it took.
        essential: whether a component is only checked if this one was not skipped.
    """

    check: str
    outcome: Outcome
    detail: str
    seed: int | None
    case: str
    seconds: float
    essential: bool


def check(
    *kinds: str, essential: bool = False, seed: int | None = None
) -> Callable[[Callable[[Subject], None]], Check]:
    """Make a check of a function: its name, and from its docstring the summary and the advice.

    Args:
        *kinds: of the components that it is for.
        essential: whether a component is only checked if it was not skipped.
        seed: of what it draws, if it draws.
    """

    def of(law: Callable[[Subject], None]) -> Check:
        summary, _, advice = (inspect.getdoc(law) or "").partition("\n")
        return Check(law.__name__, summary, " ".join(advice.split()), kinds, law, essential, seed)

    return of


def checks(kind: str) -> tuple[Check, ...]:
    """The checks for components of `kind`, in the order in which they are best read.

    Raises:
        UnknownComponentError: there is no such kind.
    """
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise errors.UnknownComponentError(f"unknown kind {kind!r}; the kinds are {known}")
    return tuple(
        item
        for module in _LAWS
        for item in vars(import_module(f"colddiff_core.testing.laws.{module}")).values()
        if isinstance(item, Check) and kind in item.kinds
    )


@contextmanager
def blaming(seed: int | None) -> Iterator[None]:
    """Report whatever is raised as a failure on the input of `seed`."""
    try:
        yield
    except CheckSkipped:
        raise
    except CheckFailed as failure:
        failure.seed = seed if failure.seed is None else failure.seed
        raise
    except (Exception, SystemExit) as error:  # a component may raise anything
        raise CheckFailed(one_line(error), seed) from error


def one_line(error: BaseException) -> str:
    """Type and text of an exception; the text alone of our own, which is a whole sentence."""
    text = errors.one_line(error)
    return text if isinstance(error, errors.ColdDiffError) else f"it raised {text}"
