"""What a plugin's own module may do when it is imported, tried on installed ones."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributions import component, install

from colddiff_core.registry import discovery
from colddiff_core.registry.components import registry
from colddiff_core.testing import Result, check_component
from colddiff_core.testing.laws import common

GOOD = component("fade", "colddiff_plugins.degradations.desaturate:Desaturate")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    caches = (discovery.plugins, registry, common._imported)
    for cache in caches:
        cache.cache_clear()
    yield
    sys.modules.pop("fading", None)
    for cache in caches:
        cache.cache_clear()


def checked(site: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> Result:
    install(site, "fading", module)
    monkeypatch.syspath_prepend(site)
    (result,) = check_component("fade", only=["imports_lightly"])
    return result


def test_a_light_one_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(tmp_path, monkeypatch, GOOD).outcome == "passed"


def test_switches_of_this_process_do_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDDIFF_PLUGINS", "fading")
    assert checked(tmp_path, monkeypatch, GOOD).outcome == "passed"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "import numpy, torch\n",
            "fading, which the entry point names, imports numpy, torch. Keep the hooks",
        ),
        ("print('hello')\n", "importing fading prints 'hello\\n'. Keep the hooks"),
    ],
)
def test_what_it_should_not_do_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, message: str
) -> None:
    result = checked(tmp_path, monkeypatch, more + GOOD)
    assert result.outcome == "failed"
    assert message in result.detail


def test_a_hook_that_imports_much_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = GOOD.replace("    return", "    import torch\n    return")
    assert "imports numpy, torch" in checked(tmp_path, monkeypatch, late).detail
    assert late != GOOD


def test_what_cannot_be_loaded_fails_and_the_rest_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "fading", component("fade", "fading:Nothing"))
    monkeypatch.syspath_prepend(tmp_path)
    first, *rest = check_component("fade")
    assert (first.check, first.outcome) == ("loads", "failed")
    assert "degradation fade@fading 1.0: cannot import fading:Nothing" in first.detail
    outcomes = {result.outcome for result in rest if result.check != "imports_lightly"}
    assert outcomes == {"skipped"}
    assert rest[-1].detail == "it does not load; see the check `loads`"
