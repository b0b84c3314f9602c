"""`colddiff plugins info`, `check` and `new`."""

import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from conftest import Done

from colddiff_core.registry import discovery
from colddiff_core.registry.components import registry
from colddiff_core.registry.hookspecs import KINDS

Cli = Callable[..., Done]

WRONG = '''
import torch
from colddiff_core import Component, Degradation, hookimpl


@hookimpl
def colddiff_degradations():
    return [Component("wrong", "wrong_plugin:Wrong", "Does not begin at the image")]


class Wrong(Degradation):
    """Adds t + 1.

    Args:
        num_steps: T.
    """

    def __init__(self, *, num_steps: int = 4) -> None:
        super().__init__(num_steps)

    def forward(self, x0, t, context=None):
        return x0 + t[:, None, None, None].to(x0.dtype) + 1
'''


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a plugin whose operator is wrong, which is found in this test alone."""
    folder = tmp_path / "wrong"
    folder.mkdir()
    (folder / "wrong_plugin.py").write_text(WRONG)
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "colddiff-wrong"\nversion = "2.0"\n'
        '[project.entry-points.colddiff]\nwrong = "wrong_plugin"\n'
    )
    monkeypatch.setattr(discovery, "source_trees", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield folder
    sys.modules.pop("wrong_plugin", None)
    monkeypatch.undo()
    discovery.plugins.cache_clear()
    registry.cache_clear()


@pytest.mark.parametrize("item", registry().components(), ids=lambda i: f"{i.kind}-{i.name}")
def test_info_describes_every_component(item, cli: Cli) -> None:  # type: ignore[no-untyped-def]
    done = cli("plugins", "info", item.identity, "--kind", item.kind, "--json")
    (about,) = json.loads(done.out)["plugins"]
    assert (about["name"], about["status"]) == (item.name, "active")
    assert about["target"] == item.component.target
    assert about["description"]
    assert all(row["help"] for row in about["parameters"])
    jsonschema.Draft202012Validator.check_schema(about["schema"])
    assert set(about["schema"]["properties"]) == {row["name"] for row in about["parameters"]}
    if item.kind == "degradation":
        assert about["context"] is not None


def test_info_for_people(cli: Cli) -> None:
    out = cli("plugins", "info", "gaussian-mask").out
    assert "From: colddiff 0.1.0" in out
    assert '"middle" | "random"' in out
    assert "Context: none, it is deterministic." in out
    assert "layer  float32 (B, 1, 32, 32)" in cli("plugins", "info", "snow").out


def test_info_shows_both_kinds_of_a_name(cli: Cli) -> None:
    out = cli("plugins", "info", "gaussian-noise").out
    assert "gaussian-noise  (degradation, active)" in out
    assert "gaussian-noise  (prior, active)" in out
    only = cli("plugins", "info", "gaussian-noise", "--kind", "prior").out
    assert "degradation" not in only


def test_a_schema_alone_accepts_what_a_recipe_may_say(cli: Cli) -> None:
    schema = json.loads(cli("plugins", "info", "snow", "--schema").out)
    jsonschema.validate({"level": 3, "brighten": False}, schema)
    for wrong in ({"level": 9}, {"levle": 1}, {"image_shape": [1, 8, 8]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_list_filters_and_prints_requirements(cli: Cli) -> None:
    rows = json.loads(cli("plugins", "list", "--kind", "sampler", "--json").out)["plugins"]
    assert [row["name"] for row in rows if row["distribution"] == "colddiff"] == [
        *("ddim", "improved", "naive"),
    ]
    assert "colddiff==0.1.0" in cli("plugins", "list", "--requirements").out.splitlines()
    assert cli("plugins", "list", "--status", "broken", "--kind", "prior").out.count("\n") == 1


def test_check_tells_which_promise_is_broken(wrong: Path, cli: Cli) -> None:
    options = ["--only", "level_0_is_the_image", "--only", "result_like_the_input"]
    done = cli("plugins", "check", wrong, "--json", *options)
    assert done.code == 1
    table = json.loads(done.out)
    assert (table["passed"], table["failed"], table["skipped"]) == (1, 1, 0)
    (component,) = table["components"]
    assert (component["distribution"], component["version"]) == ("colddiff-wrong", "2.0")
    results = {result["check"]: result for result in component["results"]}
    assert results["result_like_the_input"]["outcome"] == "passed"
    failed = results["level_0_is_the_image"]
    assert failed["outcome"] == "failed"
    assert isinstance(failed["seed"], int)
    assert failed["detail"]
    people = cli("plugins", "check", wrong, *options)
    assert people.code == 1
    assert "failed  level_0_is_the_image (seed" in people.out
    assert people.out.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"


def test_check_fails_if_nothing_ran(cli: Cli) -> None:
    done = cli("plugins", "check", "gaussian-blur@colddiff", "--only", "loads")
    assert done.code == 0
    done = cli("plugins", "check", "--all", "--kind", "sampler", "--only", "no_such_check")
    assert done.code == 2


def test_check_is_not_green_if_nothing_was_built(cli: Cli) -> None:
    done = cli("plugins", "check", "mnist@colddiff")
    assert done.code == 1
    assert done.err.startswith("colddiff: error: essential checks did not run: builds, ")
    assert done.err.endswith(
        " of mnist@colddiff: parameter 'folder' has no default: check it with one, or let "
        "Mnist.example_params return one\n"
    )


def test_failures_that_a_component_declares_are_expected(wrong: Path, cli: Cli) -> None:
    module = wrong / "wrong_plugin.py"
    declared = (
        '    expected_failures = {"level_0_is_the_image": "it is a test"}\n\n    def __init__'
    )
    module.write_text(WRONG.replace("    def __init__", declared))
    options = ["--only", "level_0_is_the_image", "--only", "result_like_the_input"]
    done = cli("plugins", "check", wrong, *options)
    assert done.code == 0
    assert "expected level_0_is_the_image (seed" in done.out
    assert ": it is a test" in done.out
    assert done.out.splitlines()[-1] == "1 passed, 0 failed, 0 skipped, 1 expected"


def test_doctor_lets_be_what_somebody_disabled(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDDIFF_DISABLE_PLUGINS", "tensorboard")
    for cache in (discovery.plugins, registry):
        cache.cache_clear()
    try:
        done = cli("doctor", "--json")
    finally:
        monkeypatch.undo()
        for cache in (discovery.plugins, registry):
            cache.cache_clear()
    (found,) = [f for f in json.loads(done.out)["findings"] if f["topic"] == "plugin"]
    assert (done.code, found["status"]) == (0, "note")
    assert "tensorboard of colddiff 0.1.0: disabled, named in" in found["text"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("check", "name a component, a distribution or a folder, or --all"),
        ("check snow --all", "name a component, a distribution or a folder, or --all"),
        ("check snwo", "named 'snwo'"),
        ("check .", "it has no pyproject.toml"),
        ("check snow --kind prior", "named 'snow'"),
        ("check snow --kind colour", "--kind colour: expected degradation"),
        ("info snwo", "did you mean 'snow'?"),
        ("list --kind colour", "--kind colour: expected degradation"),
        ("list --status colour", "--status colour: expected active"),
        ("list --json --requirements", "give one of them"),
        ("new Fog", "'Fog': expected at most 40 lower-case letters"),
        ("new 3d", "that begin with a letter"),
        ("new ../fog", "'../fog': expected"),
        ("new snow", "'snow': is a degradation of colddiff already"),
        ("new tacos --kind sampler", "is a sampler of colddiff already"),
        ("new mist --kind colour", "--kind colour: expected degradation"),
        ("new mist -o .", ".: exists; name another folder with -o"),
    ],
)
def test_mistakes(words: str, message: str, cli: Cli, tmp_path: Path) -> None:
    done = cli("plugins", *words.split())
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_new_makes_a_whole_package_and_nothing_else(kind: str, cli: Cli, tmp_path: Path) -> None:
    done = cli("plugins", "new", "class", "--kind", kind)
    assert (done.code, done.out) == (0, "colddiff-class\n")
    assert [path.name for path in tmp_path.iterdir()] == ["colddiff-class"]
    folder = tmp_path / "colddiff-class"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["colddiff"] == {"class": "colddiff_class"}
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert "$" not in text, path
            if path.suffix == ".py":
                compile(text, path, "exec")
    assert (folder / "colddiff_class/class_.py").is_file()
    assert (folder / ".github/workflows/ci.yml").is_file()
    assert cli("plugins", "new", "class", "--kind", kind).code == 2
