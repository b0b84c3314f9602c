"""The kit under pytest, and without it."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from colddiff_core import UsageError
from colddiff_core.contracts.errors import UnknownComponentError
from colddiff_core.registry.components import registry
from colddiff_core.registry.hookspecs import KINDS
from colddiff_core.testing import Result, Subject, check_component, checks
from colddiff_plugins.degradations.desaturate import Desaturate

pytest_plugins = ["pytester"]

FEW = """
import torch
from colddiff_core import Degradation
from colddiff_core.testing import parametrize, parametrize_with_checks

# the checks that are quick, so that this test is
every = parametrize.chosen
names = ("imports_lightly", "builds", "level_0_is_the_image", "severity_grows")
parametrize.chosen = lambda kind, only: [
    check for check in every(kind, only) if check.name in names
]

class Still(Degradation):
    expected_failures = EXPECTED

    def __init__(self, *, num_steps: int = 3) -> None:
        super().__init__(num_steps)
    def forward(self, x0, t, context=None):
        return x0
"""


def run(
    pytester: pytest.Pytester, arguments: str, expected: Mapping[str, str] = MappingProxyType({})
) -> pytest.RunResult:
    few = FEW.replace("EXPECTED", repr(dict(expected)))
    pytester.makepyfile(
        f"{few}\n@parametrize_with_checks({arguments})\ndef test_conformance(check):\n    check()\n"
    )
    return pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider", "-rA")


def test_each_check_is_a_test(pytester: pytest.Pytester) -> None:
    result = run(pytester, "Still")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*CheckFailed: D(x, T) is the image itself*",
            "PASSED *::test_conformance[[]builds]",
            "PASSED *::test_conformance[[]level_0_is_the_image]",
            "SKIPPED * still@unregistered is not registered by a plugin",
            "FAILED *::test_conformance[[]severity_grows] - *",
        ]
    )


def test_cases_are_told_apart(pytester: pytest.Pytester) -> None:
    result = run(pytester, 'Still, cases=[{}, {"num_steps": 5}]')
    result.assert_outcomes(passed=4, failed=2, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "PASSED *::test_conformance[[]defaults-builds]",
            "PASSED *::test_conformance[[]num_steps=5-builds]",
        ]
    )


def test_an_expected_failure_fails_with_its_reason(pytester: pytest.Pytester) -> None:
    result = run(pytester, "Still", {"severity_grows": "it stands still"})
    result.assert_outcomes(passed=2, xfailed=1, skipped=1)
    result.stdout.fnmatch_lines(["XFAIL *[[]severity_grows] - it stands still*"])


def test_an_expected_failure_that_passes_fails(pytester: pytest.Pytester) -> None:
    result = run(pytester, "Still", {"severity_grows": "still", "builds": "not yet"})
    result.assert_outcomes(passed=1, failed=1, xfailed=1, skipped=1)
    result.stdout.fnmatch_lines(["*XPASS(strict)* not yet"])


def test_an_unknown_name_is_an_error_at_collection(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        FEW.replace("EXPECTED", "{'severity_grow': ''}")
        + "@parametrize_with_checks(Still)\n"
        + "def test_conformance(check): ..."
    )
    result = pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*did you mean 'severity_grows'?"])


def test_importing_the_kit_takes_no_test_library_and_no_torch() -> None:
    program = (
        "import sys, colddiff_core.testing\n"
        "print(sorted({'pytest', 'hypothesis', 'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


@pytest.mark.parametrize("kind", KINDS)
def test_every_check_has_a_name_and_a_sentence(kind: str) -> None:
    every = checks(kind)
    names = [check.name for check in every]
    assert len(set(names)) == len(names) > 10
    for check in every:
        assert check.name.isidentifier()
        assert check.summary.endswith(".")
        assert kind in check.kinds
    essential = {check.name for check in every if check.essential}
    assert {"loads", "builds"} < essential < set(names)


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(UnknownComponentError, match="unknown kind 'filter'; the kinds are degrad"):
        checks("filter")


def test_results_are_told_as_they_come() -> None:
    told: list[Result] = []
    results = check_component(
        "desaturate",
        params={"num_steps": 2, "schedule": "geometric"},
        only=["level_0_is_the_image", "builds"],
        on_result=told.append,
    )
    assert told == results
    assert [replace(result, seconds=0) for result in results] == [
        Result(name, "passed", "", None, "num_steps=2,schedule=geometric", 0, essential=True)
        for name in ("builds", "level_0_is_the_image")
    ]


def test_what_a_component_declares_is_expected_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {"finite": "it is", "nothing_to_learn": "it has"}
    monkeypatch.setattr(Desaturate, "expected_failures", reasons)
    monkeypatch.setattr(Desaturate, "named_parameters", lambda _: [("w", None)])
    results = check_component("desaturate", only=["finite", "nothing_to_learn"])
    assert [(result.outcome, result.detail) for result in results] == [
        ("failed", "it passes: take it out of expected_failures (it is)"),
        ("expected", "it has"),
    ]
    monkeypatch.setattr(Desaturate, "expected_failures", {"finit": "it is"})
    with pytest.raises(UsageError, match="no check of degradations is called 'finit'"):
        check_component("desaturate", only=["finite"])


def test_parameters_are_checked_as_a_recipe_is() -> None:
    results = check_component("desaturate", params={"num_step": 2}, only=["builds", "finite"])
    assert [(result.outcome, result.seed) for result in results] == [
        ("failed", None),
        ("skipped", None),
    ]
    assert "unknown parameter 'num_step'; did you mean 'num_steps'?" in results[0].detail
    assert results[1].detail == "it was not built; see the check `builds`"


def test_what_needs_a_parameter_is_skipped_with_the_reason() -> None:
    results = check_component("mnist")
    assert [r.check for r in results if r.essential and r.outcome == "skipped"] == [
        "builds",
        "images_are_uint8",
    ]
    ran = {result.check for result in results if result.outcome == "passed"}
    assert ran == {"loads", "parameters_documented", "imports_lightly"}
    assert {result.detail for result in results} == {
        "",
        "parameter 'folder' has no default: check it with one, or let Mnist.example_params "
        "return one",
    }


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("fog-free", None),
        ("pixelate", "degradation"),
        ("prior:gaussian-noise", "prior"),
        ("gaussian-noise", None),
        ("desaturate@colddiff", "degradation"),
        ("tacos", "sampler"),
        (Desaturate, "degradation"),
        (registry().find("exporter", "onnx"), "exporter"),
        (int, None),
    ],
)
def test_targets(target: object, kind: str | None) -> None:
    if kind is None:
        with pytest.raises(UsageError) as error:
            check_component(target)
        assert str(error.value) in {
            "no component has the name 'fog-free'; see `colddiff plugins list`",
            "'gaussian-noise' is the name of more than one component: write "
            "degradation:gaussian-noise or prior:gaussian-noise",
            "expected a component class, a registered component or its name, got <class 'int'>",
        }
        return
    with Subject.of(target) as subject:
        assert subject.kind == kind
        assert subject.item.distribution == "colddiff"
        assert subject.folder.is_dir()
    assert not subject.folder.exists()


def test_names_of_checks_are_checked() -> None:
    with pytest.raises(UsageError, match="no check of degradations is called 'finit'; did you me"):
        check_component("pixelate", only=["finit"])
