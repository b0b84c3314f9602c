"""The conformance kit: the laws of each kind of component, as named checks.

In a plugin's tests, one test for each check:

    from colddiff_core.testing import parametrize_with_checks
    from colddiff_fog.fog import Fog

    @parametrize_with_checks(Fog, cases=[{}, {"num_steps": 1}])
    def test_conformance(check):
        check()

`check_component` runs them without pytest and returns the results; `colddiff plugins check` prints
those. All inputs are drawn from fixed seeds: a check that fails does so again.
"""

from colddiff_core.testing.check import Check, Result, checks
from colddiff_core.testing.parametrize import parametrize_with_checks
from colddiff_core.testing.run import check_component
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped

__all__ = [
    "Check",
    "CheckFailed",
    "CheckSkipped",
    "Result",
    "Subject",
    "check_component",
    "checks",
    "parametrize_with_checks",
]
