"""One test for each check, under pytest."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from colddiff_core.registry.components import Registered
from colddiff_core.testing.check import Check
from colddiff_core.testing.run import chosen, expected_failures
from colddiff_core.testing.subject import Subject, Target, case_label, resolve
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped


@dataclass(frozen=True)
class BoundCheck:
    """A check and what it is to be run on; call it in a test."""

    check: Check
    item: Registered
    params: Mapping[str, Any]

    def __call__(self) -> None:
        """Run the check; a test that does not apply is skipped.

        Raises:
            CheckFailed: the component breaks the law.
        """
        import pytest

        __tracebackhide__ = True
        try:
            with Subject.of(self.item, self.params) as subject:
                self.check(subject)
        except CheckSkipped as reason:
            pytest.skip(str(reason))
        except CheckFailed as failure:  # how the kit found out is of no interest, its cause is
            raise failure.with_traceback(None) from failure.__cause__

    def __repr__(self) -> str:
        return f"{self.check.name} of {self.item.identity} with {case_label(self.params)}"


def parametrize_with_checks(
    target: Target, *, cases: Iterable[Mapping[str, Any]] = ({},)
) -> Callable[..., Any]:
    """Parametrize a test with the checks of a component.

    The test has an argument `check` and calls it. Its ids are the names of the checks, after the
    parameters where there is more than one case. What the component names in its
    `expected_failures` must fail, in every case: a check that passes fails its test.

    Args:
        target: a component class, a registered component or its name.
        cases: sets of parameters, as a recipe would set them; the defaults alone if not given.

    Raises:
        UsageError: `target` is unknown, or a name in its `expected_failures`.
    """
    import pytest

    item = resolve(target)
    cases = tuple(cases)

    marks = {
        name: [pytest.mark.xfail(strict=True, raises=CheckFailed, reason=reason)]
        for name, reason in expected_failures(item).items()
    }
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                BoundCheck(check, item, params),
                id=check.name if len(cases) == 1 else f"{case_label(params)}-{check.name}",
                marks=marks.get(check.name, []),
            )
            for params in cases
            for check in chosen(item.kind, None)
        ],
    )
