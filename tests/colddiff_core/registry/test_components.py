"""Names, `build` and what plugins may do wrong."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from colddiff_core import Component, build
from colddiff_core.contracts.component import ComponentConfig
from colddiff_core.contracts.errors import ParameterError, PluginError, UnknownComponentError
from colddiff_core.registry.components import Registry, registry
from colddiff_core.registry.discovery import Plugin, load_plugin, plugins


def third_party(distribution: str, *names: str, kind: str = "sampler") -> Plugin:
    components = tuple((kind, Component(name, "colddiff_core:nothing", "")) for name in names)
    return Plugin("x", distribution, "2.0", components)


def test_builtins_come_in_through_the_entry_points() -> None:
    assert all(plugin.error is None for plugin in plugins() if plugin.distribution == "colddiff")
    names = {(item.kind, item.name) for item in registry().components()}
    assert {
        ("degradation", "gaussian-blur"),
        ("degradation", "pixelate"),
        ("sampler", "naive"),
        ("sampler", "improved"),
        ("restorer", "unet"),
        ("dataset", "mnist-mini"),
        ("exporter", "onnx"),
    } <= names


@pytest.mark.parametrize("item", registry().components(), ids=lambda i: f"{i.kind}-{i.name}")
def test_every_component_loads_and_documents_its_parameters(item) -> None:  # type: ignore[no-untyped-def]
    from colddiff_core.registry.schema import Parameters

    fields = Parameters.of(item.load()).model.model_fields
    assert not [name for name, field in fields.items() if not field.description]


def test_build_checks_fills_in_and_remembers() -> None:
    blur = build("degradation", "gaussian-blur", num_steps=5, std=2)
    assert blur.num_steps == 5
    assert blur.config is not None
    assert blur.config.name == "gaussian-blur"
    assert blur.config.params["std"] == 2.0
    assert blur.config.params["padding"] == "circular"
    assert "image_shape" not in blur.config.params
    assert blur.config.provenance.startswith("colddiff:gaussian-blur==")


def test_an_alias_builds_the_same_component() -> None:
    tacos = build("sampler", "tacos")
    assert type(tacos) is type(build("sampler", "improved"))
    assert tacos.config is not None
    assert tacos.config.name == "improved"


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownComponentError, match=r"did you mean 'gaussian-blur'\?"):
        build("degradation", "gausian-blur")
    with pytest.raises(UnknownComponentError, match="known: ddim, improved, naive"):
        build("sampler", "xyz")
    with pytest.raises(UnknownComponentError, match="the kinds are degradation"):
        build("colour", "xyz")  # type: ignore[call-overload]


def test_a_constructors_complaint_names_the_component() -> None:
    with pytest.raises(ParameterError, match=r"^degradation 'gaussian-blur': kernel_size: "):
        build("degradation", "gaussian-blur", kernel_size=4)


def test_a_builtin_shadows_a_namesake_that_its_full_name_still_reaches() -> None:
    found = Registry([third_party("other", "naive"), third_party("colddiff", "naive")])
    assert found.find("sampler", "naive").distribution == "colddiff"
    assert found.find("sampler", "naive@other").distribution == "other"
    assert [item.distribution for item in found.meanings("sampler", "naive")] == ["colddiff"]


def test_a_third_partys_name_is_shadowed_by_an_alias_too() -> None:
    builtin = Plugin("x", "colddiff", "1", (("sampler", Component("a", "m:C", "", ("b",))),))
    found = Registry([third_party("other", "b"), builtin])
    assert [item.name for item in found.meanings("sampler", "b")] == ["a"]
    assert found.find("sampler", "b").name == "a"


def test_provenance_names_the_distribution_once() -> None:
    config = ComponentConfig("sampler", "same@other", {}, "other==2.0")
    assert config.provenance == "other:same==2.0"


def test_two_third_parties_of_one_name_are_an_error_only_when_it_is_used() -> None:
    found = Registry([third_party("a", "same", "mine"), third_party("b", "same")])
    assert found.find("sampler", "mine").distribution == "a"
    with pytest.raises(UnknownComponentError, match=r"same@a \(2\.0\) or same@b \(2\.0\)"):
        found.find("sampler", "same")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:Class", "cannot import no_such_module:Class: ModuleNotFoundError"),
        ("colddiff_core.contracts.errors:Missing", "AttributeError"),
        ("colddiff_core.contracts.errors:UsageError", "is not a Sampler"),
    ],
)
def test_a_bad_target_blames_its_distribution(target: str, message: str) -> None:
    plugin = Plugin("x", "other", "2.0", (("sampler", Component("bad", target, "")),))
    with pytest.raises(PluginError, match=message) as caught:
        Registry([plugin]).find("sampler", "bad").load()
    assert "sampler bad@other 2.0" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("raise ImportError('no  such\\nthing')", "ImportError: no such thing"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
        ("", "implements no hook"),
        (
            "from colddiff_core import hookimpl\n@hookimpl\ndef colddiff_samplers(): return [42]",
            "expected a Component, got 42",
        ),
        (
            "from colddiff_core import hookimpl\n@hookimpl\ndef colddiff_samplers(): return 'x'",
            "colddiff_samplers returned 'x', not a list",
        ),
        (
            "from colddiff_core import hookimpl, Component\n@hookimpl\n"
            "def colddiff_samplers(): return [Component('A b', 'm:C', '')]",
            "'A b'",
        ),
        (
            "from colddiff_core import hookimpl\n@hookimpl\ndef colddiff_tomorrow(): return []",
            "colddiff_tomorrow",
        ),
        (
            "from colddiff_core import hookimpl, Component\n@hookimpl\n"
            "def colddiff_samplers(): return [Component('a', 'm:C', '')] * 2",
            "registers the sampler a twice",
        ),
        (
            "from colddiff_core import hookimpl\n@hookimpl\n"
            "def colddiff_recipes(): return ['no.such.package']",
            "ModuleNotFoundError",
        ),
    ],
)
def test_a_broken_plugin_is_kept_with_its_cause(
    code: str,
    cause: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "hostile_plugin.py").write_text("print('loud')\n" + code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hostile_plugin", raising=False)
    plugin = load_plugin(EntryPoint("hostile", "hostile_plugin", "colddiff"))
    assert plugin.error is not None
    assert cause in plugin.error
    assert "\n" not in plugin.error
    assert not plugin.components
    assert capsys.readouterr().out == ""


def test_distributions_are_compared_as_package_indexes_do() -> None:
    found = Registry([third_party("Some_Fog", "fog")])
    for written in ("fog@some-fog", "fog@SOME.fog", "fog@Some_Fog", "fog"):
        assert found.find("sampler", written).distribution == "Some_Fog"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rain@Some-Rain", "sampler 'rain@Some-Rain' is not installed: pip install Some-Rain"),
        ("rain@some-fog", "unknown sampler 'rain@some-fog'; known: fog"),
        ("rain@-r evil", "unknown sampler 'rain@-r evil'; known: fog"),
        ("x@idle", "unknown sampler 'x@idle'; known: fog; not loaded: idle (disabled)"),
    ],
)
def test_a_missing_plugin_is_to_be_installed(name: str, message: str) -> None:
    idle = Plugin("x", "idle", "1.0", error="as somebody wants", status="disabled")
    plugins = [third_party("some-fog", "fog"), *([idle] if "idle" in name else [])]
    with pytest.raises(UnknownComponentError) as caught:
        Registry(plugins).find("sampler", name)
    assert str(caught.value).startswith(message)


FAULTY = """
import sys
from colddiff_core import Sampler


class Still(Sampler):
    def step(self, x_t, x0_hat, t, s, degradation, context): return x_t


class Raises(Still):
    def __init__(self) -> None:
        int("no number")


class Exits(Still):
    def __init__(self) -> None:
        sys.exit(3)


class Named(Still):
    def __init__(self, *, name: str = "x") -> None:
        print(name)
"""


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "Raises",
            "ValueError: invalid literal for int() with base 10: 'no number' ({file}:12)",
        ),
        ("Exits", "SystemExit: 3 ({file}:17)"),
        (
            "Named",
            "Named: a recipe cannot set an argument 'name': that key of its table names the "
            "component; call the argument something else",
        ),
    ],
)
def test_a_constructor_that_fails_names_the_plugin_and_the_authors_line(
    target: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "faulty_plugin.py"
    file.write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty_plugin", raising=False)
    component = Component("bad", f"faulty_plugin:{target}", "")
    plugin = Plugin("x", "other", "2.0", (("sampler", component),))
    with pytest.raises(PluginError) as caught:
        Registry([plugin]).build("sampler", "bad")
    assert str(caught.value) == "sampler bad@other 2.0: " + message.format(file=file)
