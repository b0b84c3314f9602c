"""Run checks without pytest."""

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from colddiff_core.contracts.errors import PluginError, UsageError, nearby
from colddiff_core.registry.components import Registered
from colddiff_core.testing.check import Check, Outcome, Result, checks
from colddiff_core.testing.subject import Subject, Target, case_label, resolve
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped


def check_component(
    target: Target,
    *,
    params: Mapping[str, Any] | None = None,
    only: Iterable[str] | None = None,
    on_result: Callable[[Result], None] | None = None,
) -> list[Result]:
    """Hold a component to the laws of its kind.

    Args:
        target: a component class, a registered component or its name.
        params: of the component, as a recipe would set them.
        only: names of the checks to run; all of the kind when None.
        on_result: called after each check.

    Returns:
        One result for each check; a component that breaks a law raises nothing.

    Raises:
        UsageError: `target` is unknown, or a name in `only` or in its `expected_failures`.
    """
    item = resolve(target)
    reasons = expected_failures(item)
    results = []
    for check in chosen(item.kind, only):
        began = perf_counter()
        outcome: Outcome = "passed"
        detail, seed, reason = "", None, reasons.get(check.name)
        with Subject.of(item, params) as subject:
            try:
                check(subject)
            except CheckFailed as failure:
                outcome, detail, seed = "failed", str(failure), failure.seed
            except CheckSkipped as skipped:
                outcome, detail = "skipped", str(skipped)
        if reason is not None and outcome == "failed":
            outcome, detail = "expected", reason
        elif reason is not None and outcome == "passed":
            outcome, detail = "failed", f"it passes: take it out of expected_failures ({reason})"
        case, seconds = case_label(params or {}), perf_counter() - began
        results.append(Result(check.name, outcome, detail, seed, case, seconds, check.essential))
        if on_result is not None:
            on_result(results[-1])
    return results


def expected_failures(item: Registered) -> Mapping[str, str]:
    """The checks that a component declares to fail, each with the reason.

    Raises:
        UsageError: there is no check of that name.
    """
    try:
        reasons = item.load().expected_failures
    except PluginError:  # the check `loads` says why
        return {}
    chosen(item.kind, reasons)
    return reasons


def chosen(kind: str, names: Iterable[str] | None) -> tuple[Check, ...]:
    """The checks of `kind` that are named, or all.

    Raises:
        UsageError: a name is unknown.
    """
    every = checks(kind)
    if names is None:
        return every
    wanted = tuple(names)
    known = [check.name for check in every]
    for name in wanted:
        if name not in known:
            hint = nearby(name, known, f"known: {', '.join(known)}")
            raise UsageError(f"no check of {kind}s is called {name!r}; {hint}")
    return tuple(check for check in every if check.name in wanted)
