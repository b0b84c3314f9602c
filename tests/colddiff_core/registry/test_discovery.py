"""How plugins are found, one by one, and whom an exception comes from."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributions import component, environment, install

from colddiff_core.contracts.errors import one_line
from colddiff_core.registry import discovery
from colddiff_core.registry.components import registry
from colddiff_core.registry.discovery import Plugin, culprit, installed, manager, plugins

NAIVE = "colddiff_plugins.samplers.naive:Naive"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(discovery, "source_trees", [])
    before = dict(manager.list_name_plugin())
    yield tmp_path
    for name in dict(manager.list_name_plugin()).keys() - before.keys():
        manager.unregister(name=name)
    monkeypatch.undo()
    plugins.cache_clear()
    registry.cache_clear()


def found(distribution: str) -> list[Plugin]:
    return [plugin for plugin in installed() if plugin.distribution == distribution]


def test_a_whole_one(site: Path) -> None:
    install(site, "Some_Fog", component("fog", NAIVE, "sampler"), requires=["colddiff>=0.1"])
    (plugin,) = found("Some_Fog")
    assert (plugin.entry_point, plugin.module, plugin.version) == ("Some_Fog", "Some_Fog", "1.0")
    assert plugin.requires == ("colddiff>=0.1",)


def test_one_malformed_line_spoils_no_other(site: Path) -> None:
    points = "# ours\nfog = fog_plugin\nrain\nhail = not a module\n\n[other]\nx = y"
    install(site, "some-fog", None, entry_points=points)
    (site / "fog_plugin.py").write_text(component("some-fog", NAIVE, "sampler"))
    assert [(p.entry_point, p.target) for p in found("some-fog")] == [
        *(("fog", "fog_plugin"), ("rain", ""), ("hail", "not a module")),
    ]
    plugins.cache_clear()
    loaded = {p.entry_point: p for p in plugins() if p.distribution == "some-fog"}
    assert loaded["fog"].components
    assert loaded["rain"].error == "its entry point names '', expected 'package.module'"
    assert "names 'not a module'" in (loaded["hail"].error or "")


def test_the_first_of_two_on_the_path_counts(
    site: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = tmp_path_factory.mktemp("earlier")
    install(site, "some-fog", None, version="1.0")
    install(earlier, "some_fog", None, version="2.0", entry_points="fog = fog_plugin")
    monkeypatch.syspath_prepend(earlier)
    assert [p.version for p in installed() if p.distribution in ("some_fog", "some-fog")] == ["2.0"]


def test_a_module_is_one_plugin(site: Path) -> None:
    install(site, "some-fog", None, entry_points="a = fog_plugin\nb = fog_plugin")
    (site / "fog_plugin.py").write_text(component("some-fog", NAIVE, "sampler"))
    plugins.cache_clear()
    first, second = (p for p in plugins() if p.distribution == "some-fog")
    assert (first.status, second.status) == ("active", "broken")
    assert second.error == "fog_plugin is a of some-fog 1.0 already"


def test_torch_can_be_imported_beside_damaged_entry_points(site: Path) -> None:
    install(site, "some-fog", None, entry_points="fog")
    program = (
        "from colddiff_core import build\n"
        "print(build('degradation', 'desaturate', num_steps=2).num_steps)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


def test_an_exception_comes_from_the_plugin_whose_line_it_is(site: Path) -> None:
    source = component("some-fog", NAIVE, "sampler")
    source += component("thick", "fog_parts:Thick")
    install(site, "some-fog", f"{source}\n\ndef fail(call):\n    return call()\n")
    plugins.cache_clear()
    assert [p.status for p in plugins() if p.distribution == "some-fog"] == ["active"]
    fail = sys.modules["some_fog"].fail
    line = len(source.splitlines()) + 4
    with pytest.raises(ZeroDivisionError) as caught:
        fail(lambda: 1 // 0)
    assert culprit(caught.value) == (
        f"some-fog 1.0: ZeroDivisionError: integer division or modulo by zero "
        f"({site / 'some_fog.py'}:{line})"
    )
    with pytest.raises(ZeroDivisionError) as caught:
        exec("1 // 0", {"__name__": "fog_parts.x"})  # noqa: S102 - its components are elsewhere
    assert culprit(caught.value) == (
        "some-fog 1.0: ZeroDivisionError: integer division or modulo by zero (<string>:1)"
    )
    for name in (__name__, "colddiff_plugins.samplers.naive"):  # what it only makes use of
        with pytest.raises(ZeroDivisionError) as caught:
            exec("1 // 0", {"__name__": name})  # noqa: S102
        assert culprit(caught.value) is None
    del sys.modules["some_fog"]


def test_an_exception_without_words() -> None:
    class Speechless(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise ValueError

    assert one_line(Speechless()) == "Speechless: its text cannot be shown"
