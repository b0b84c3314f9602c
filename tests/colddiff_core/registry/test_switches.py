"""Which plugins the environment lets in."""

import pytest

from colddiff_core.registry.switches import (
    is_strict,
    is_traced,
    normalized,
    objection,
    trace,
    unmatched,
)


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLDDIFF_PLUGINS", "COLDDIFF_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "allowed"),
    [
        ({}, {"colddiff", "colddiff-fog", "my.rain"}),
        ({"COLDDIFF_PLUGINS": ""}, {"colddiff"}),
        ({"COLDDIFF_PLUGINS": "fog"}, {"colddiff", "colddiff-fog"}),
        ({"COLDDIFF_PLUGINS": " Colddiff_Fog , My-Rain"}, {"colddiff", "colddiff-fog", "my.rain"}),
        ({"COLDDIFF_DISABLE_PLUGINS": "MY_RAIN"}, {"colddiff", "colddiff-fog"}),
        ({"COLDDIFF_DISABLE_PLUGINS": "colddiff,"}, {"colddiff-fog", "my.rain"}),
        ({"COLDDIFF_PLUGINS": "fog", "COLDDIFF_DISABLE_PLUGINS": "fog"}, {"colddiff"}),
    ],
)
def test_by_distribution_or_entry_point_in_any_spelling(
    variables: dict[str, str], allowed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    installed = {"colddiff": "samplers", "colddiff-fog": "fog", "my.rain": "rain"}
    assert allowed == {
        distribution
        for distribution, entry_point in installed.items()
        if objection(distribution, entry_point) is None
    }


def test_a_name_that_matches_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDDIFF_PLUGINS", "fogg,fog")
    monkeypatch.setenv("COLDDIFF_DISABLE_PLUGINS", "xyz")
    assert unmatched([("colddiff-fog", "fog")]) == [
        "COLDDIFF_PLUGINS: no plugin 'fogg' is installed; did you mean 'fog'?",
        "COLDDIFF_DISABLE_PLUGINS: no plugin 'xyz' is installed; see `colddiff plugins list`",
    ]


@pytest.mark.parametrize(("value", "on"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_yes_and_no(
    value: str, on: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLDDIFF_PLUGINS_STRICT", value)
    monkeypatch.setenv("COLDDIFF_TRACE_PLUGINS", value)
    assert (is_strict(), is_traced()) == (on, on)
    trace("hello")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "colddiff: plugins: hello\n" if on else "")


def test_names_are_compared_as_package_indexes_do() -> None:
    assert normalized(" Cold..Diff-_Fog ") == "cold-diff-fog"
