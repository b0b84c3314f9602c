"""Which side to upgrade when a plugin and this release do not fit."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from colddiff_core.contracts.errors import PluginError
from colddiff_core.registry import compatibility
from colddiff_core.registry.compatibility import IncompatiblePluginError, check_requirements
from colddiff_core.registry.discovery import Plugin, load_plugin, manager
from colddiff_core.registry.hookspecs import ColdDiffDeprecationWarning


@pytest.fixture(autouse=True)
def release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "version", lambda _: "1.5.0")
    compatibility._check_requirement.cache_clear()


@pytest.mark.parametrize(
    "requirement",
    [
        "colddiff",
        "colddiff>=1.2",
        "colddiff >=1.2, <2",
        "Colddiff[tensorboard]~=1.5",
        "colddiff (>=1)",
        "colddiff==1.5.*",
        "colddiff-fog>=7",
        "colddiff>=9; extra == 'test'",
        "colddiff>=9; python_version < '3'",
    ],
)
def test_what_fits(requirement: str) -> None:
    check_requirements(["numpy", requirement])


@pytest.mark.parametrize(
    ("requirement", "upgrade"),
    [
        ("colddiff>=2", "colddiff"),
        ("colddiff==1.6.*", "colddiff"),
        ("colddiff~=2.1", "colddiff"),
        ("colddiff<1.5", "the plugin"),
        ("colddiff>=1,<1.4", "the plugin"),
        ("colddiff==1.4", "the plugin"),
    ],
)
def test_what_does_not_fit_says_which_to_upgrade(requirement: str, upgrade: str) -> None:
    with pytest.raises(IncompatiblePluginError, match=rf"this is 1\.5\.0: upgrade {upgrade}$"):
        check_requirements([requirement])


def test_a_requirement_that_makes_no_sense_breaks_its_own_plugin() -> None:
    with pytest.raises(PluginError, match="cannot be read") as caught:
        check_requirements(["colddiff>=>1"])
    assert not isinstance(caught.value, IncompatiblePluginError)


def load(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    (tmp_path / "some_plugin.py").write_text(
        f"from colddiff_core import hookimpl\n{source}\n"
        "@hookimpl\ndef colddiff_samplers(): return []"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_plugin", raising=False)
    return load_plugin(EntryPoint("some", "some_plugin", "colddiff"))


@pytest.mark.parametrize(
    ("source", "status", "error"),
    [
        ("colddiff_hook_api = 1", "active", None),
        (
            "colddiff_hook_api = 2",
            "incompatible",
            "it needs hook API 2, this release has 1: upgrade colddiff",
        ),
        (
            "colddiff_hook_api = 0",
            "incompatible",
            "it was written for hook API 0, the oldest that works is 1: upgrade the plugin",
        ),
        (
            "colddiff_hook_api = '1'",
            "broken",
            "colddiff_hook_api is '1', expected a whole number",
        ),
        (
            "@hookimpl\ndef colddiff_tomorrow(): return []",
            "incompatible",
            "it implements the hook colddiff_tomorrow, which this release does not know: "
            "upgrade colddiff",
        ),
        (
            "@hookimpl\ndef colddiff_degradation(): return []",
            "broken",
            "there is no hook colddiff_degradation; did you mean colddiff_degradations?",
        ),
        (
            "@hookimpl\ndef colddiff_training_step(step, loss): pass",
            "incompatible",
            "its colddiff_training_step takes 'loss', and this release passes step, process, "
            "folder: upgrade colddiff",
        ),
        ("@hookimpl\ndef colddiff_training_step(): pass", "active", None),
        (
            "@hookimpl(wrapper=True)\ndef colddiff_training_step(): yield",
            "broken",
            "its colddiff_training_step is a wrapper, and there is nothing to wrap",
        ),
    ],
)
def test_hooks_of_another_version(
    source: str,
    status: str,
    error: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin = load(source, tmp_path, monkeypatch)
    assert (plugin.status, plugin.error) == (status, error)


def test_what_goes_away_is_told_to_authors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, argument = (
        ColdDiffDeprecationWarning(f"{what} goes away in 2.0: use something else")
        for what in ("colddiff_samplers", "step")
    )
    monkeypatch.setattr(manager.hook.colddiff_samplers.spec, "warn_on_impl", hook)
    arguments = {"step": argument}
    monkeypatch.setattr(manager.hook.colddiff_training_step.spec, "warn_on_impl_args", arguments)
    with pytest.warns(ColdDiffDeprecationWarning) as caught:
        plugin = load("@hookimpl\ndef colddiff_training_step(step): pass", tmp_path, monkeypatch)
    assert plugin.status == "active"
    assert {str(item.message) for item in caught} == {str(hook), str(argument)}
    assert {Path(item.filename).name for item in caught} == {"some_plugin.py"}
