"""Distributions that do what they should not, installed side by side."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from conftest import ROOT
from distributions import component, environment, install
from PIL import Image

WRONG_CLASS = component("wrong-class", "wrong_class:Fog") + "\n\nclass Fog:\n    pass\n"
FOG = """
from colddiff_core import Component, Degradation, hookimpl


@hookimpl
def colddiff_degradations():
    return [Component({name!r}, "{module}:Fog", "A fog")]
"""
HOSTILE: dict[str, str | None] = {
    "import-error": "import no_such_module_anywhere",
    "exits": "import sys\nprint('bye')\nsys.exit(3)",
    "syntax-error": "def broken(:",
    "garbage": (
        "from colddiff_core import hookimpl\n\n@hookimpl\ndef colddiff_samplers():\n    yield 42\n"
    ),
    "no-target": component("no-target", "no_target:Missing"),
    "wrong-class": WRONG_CLASS,
    "twin-one": component("twin", "colddiff_plugins.samplers.naive:Naive", "sampler"),
    "twin-two": component("twin", "colddiff_plugins.samplers.naive:Naive", "sampler"),
    "shadows": component("snow", "colddiff_plugins.degradations.snow:Snow"),
    "prints": "print('hello from a plugin')\n"
    + component("chatty", "colddiff_plugins.samplers.naive:Naive", "sampler"),
    "slow": "import time\ntime.sleep(5)\n"
    + component("slow", "colddiff_plugins.samplers.naive:Naive", "sampler"),
    "futurist": component("tomorrow", "colddiff_plugins.samplers.naive:Naive", "sampler"),
    "nothing": None,
    "speechless": (
        "class Speechless(Exception):\n    def __str__(self): raise ValueError\n\n"
        "raise Speechless\n"
    ),
    "bad-metadata": component("unread", "colddiff_plugins.samplers.naive:Naive", "sampler"),
    "bad-points": None,
    "half-a-line": None,
    "neighbour": None,
    "boom": None,  # a package, see below
}
"""Name of the distribution -> its module."""

BOOM = {
    "__init__.py": (
        component("boom", "boom.parts:Boom")
        + component("bang", "boom.parts:Bang", "exporter").partition("\n\n\n")[2]
    ),
    "parts.py": """
from colddiff_core import Degradation, Exporter


class Boom(Degradation):
    def __init__(self, *, num_steps: int = 3) -> None:
        super().__init__(num_steps)
        {}["no key"]

    def forward(self, x0, t, context=None):
        return x0


class Bang(Exporter):
    suffix = ".bang"

    def export(self, process, path, *, images=None):
        path.write_text(process.no_such_thing)

    def open(self, path, *, device="auto"):
        raise NotImplementedError
""",
}
"""A package that is found, and fails when it is used."""

DAMAGE = {
    "bad-metadata": ("METADATA", b"Metadata-Version: 2.1\nName: \xff\xfe\nVersion: 3.1\n"),
    "bad-points": ("entry_points.txt", b"[colddiff]\n\xff = \xfe\n"),
    "half-a-line": ("entry_points.txt", b"[colddiff]\nhalf-a-line\n"),
    "neighbour": ("entry_points.txt", b"[pytest11]\nneither name nor module\n"),
}
"""Files of distributions that no installer would leave so."""

STATUS = {
    "import-error": ("broken", "No module named 'no_such_module_anywhere'"),
    "exits": ("broken", "SystemExit: 3"),
    "syntax-error": ("broken", "SyntaxError"),
    "garbage": ("broken", "expected a Component, got 42"),
    "no-target": ("broken", "no_target has no Missing"),
    "wrong-class": ("broken", "wrong_class:Fog is not a Degradation"),
    "twin-one": ("active", None),
    "twin-two": ("active", None),
    "shadows": ("shadowed", None),
    "prints": ("active", None),
    "slow": ("active", None),
    "futurist": ("incompatible", "requires colddiff>=99"),
    "nothing": ("broken", "No module named 'nothing'"),
    "speechless": ("broken", "Speechless: its text cannot be shown"),
    "bad-metadata": ("broken", "its METADATA cannot be read: UnicodeDecodeError"),
    "bad-points": ("broken", "its entry_points.txt cannot be read: UnicodeDecodeError"),
    "half-a-line": ("broken", "its entry point names '', expected 'package.module'"),
    "neighbour": ("broken", "its entry_points.txt cannot be read: "),
    "boom": ("active", None),
}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name, module in HOSTILE.items():
        requires = ["numpy", "colddiff>=99"] if name == "futurist" else ["colddiff>=0.1"]
        install(folder, name, module, version="3.1", requires=requires)
    (folder / "boom").mkdir()
    for file, text in BOOM.items():
        (folder / "boom" / file).write_text(text)
    for name, (file, content) in DAMAGE.items():
        (folder / f"{name.replace('-', '_')}-3.1.dist-info" / file).write_bytes(content)
    return folder


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Run:
    def colddiff(*words: str, **switches: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "colddiff_cli", *words],
            cwd=tmp_path,
            env=environment(site, **switches),
            capture_output=True,
            text=True,
            check=False,
        )

    return colddiff


def listed(done: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    schema = ROOT / "cli/colddiff_cli/plugins/list.schema.json"
    jsonschema.validate(table, json.loads(schema.read_text(encoding="utf-8")))
    return table["plugins"]


def test_each_has_a_row_with_its_status_and_the_builtins_are_all_there(run: Run) -> None:
    rows = listed(run("plugins", "list", "--json"))
    found = {row["distribution"]: row for row in rows if row["distribution"] in HOSTILE}
    assert {name: row["status"] for name, row in found.items()} == {
        name: status for name, (status, _) in STATUS.items()
    }
    for name, (_, cause) in STATUS.items():
        assert found[name]["version"] == "3.1"
        assert (cause or "") in (found[name]["error"] or "")
    assert "write twin@twin-one" in found["twin-one"]["note"]
    assert "write snow@shadows" in found["shadows"]["note"]
    plain = listed(run("--no-plugins", "plugins", "list", "--json"))
    own = [row for row in plain if row["distribution"] == "colddiff"]
    assert own == [row for row in rows if row["distribution"] == "colddiff"]
    assert all(row["status"] == "active" for row in own)
    assert all(row["status"] == "disabled" for row in plain if row not in own)


def test_training_restoring_and_exporting_are_untouched(run: Run, tmp_path: Path) -> None:
    Image.new("L", (32, 32), 90).save(tmp_path / "a.png")
    small = ["train.steps=1", "train.batch_size=2", "restorer.channels=8", "train.sample_every=0"]
    small += ["restorer.multipliers=[1]", "degradation.num_steps=2"]
    settings = [word for setting in small for word in ("--set", setting)]
    for words in (
        ["train", "mnist-demo", "-o", "model", *settings],
        ["export", "model", "-o", "model.onnx"],
        ["restore", "model", "a.png", "-o", "restored"],
        ["restore", "model.onnx", "a.png", "-o", "from-file"],
    ):
        done = run(*words, COLDDIFF_DISABLE_PLUGINS="slow")  # it would only take its time
        assert done.returncode == 0, done.stderr
        assert "hello" not in done.stdout
    assert (tmp_path / "from-file/a.png").is_file()
    lines = BOOM["parts.py"].splitlines()
    for words, message, line in (
        (["degrade", "boom", "a.png", "-o", "x.png"], "degradation boom@boom 3.1: KeyError", 8),
        (["export", "model", "--format", "bang", "-o", "x.bang"], "boom 3.1: AttributeError", 18),
    ):
        done = run(*words, COLDDIFF_DISABLE_PLUGINS="slow")
        assert done.returncode == 1
        (told,) = (text for text in done.stderr.splitlines() if "error: " in text)
        assert told.startswith(f"colddiff: error: {message}: ")
        assert told.endswith(f"boom/parts.py:{line})")
        assert "Traceback" not in done.stderr
    assert "no key" in lines[7]
    assert "no_such_thing" in lines[17]


def test_help_version_and_switches_need_no_plugin(run: Run) -> None:
    for words in (["--version"], ["--no-plugins", "--help"], ["plugins", "list", "--help"]):
        done = run(*words)
        assert done.returncode == 0
        assert "hello" not in done.stdout + done.stderr  # nothing was imported
    assert run("--help", COLDDIFF_DISABLE_PLUGINS="slow").returncode == 0


def test_only_and_disabled_and_what_they_do_not_match(run: Run) -> None:
    done = run("plugins", "list", "--json", COLDDIFF_PLUGINS="Twin_ONE,twinn-two")
    active = {row["distribution"] for row in listed(done) if row["status"] == "active"}
    assert active == {"colddiff", "twin-one"}
    warning = "COLDDIFF_PLUGINS: no plugin 'twinn-two' is installed; did you mean 'twin-two'?"
    assert warning in done.stderr
    rows = listed(run("plugins", "list", "--json", COLDDIFF_PLUGINS=""))
    assert {row["distribution"] for row in rows if row["status"] == "active"} == {"colddiff"}
    done = run("plugins", "list", "--json", COLDDIFF_DISABLE_PLUGINS="slow,recipes")
    off = {row["name"] for row in listed(done) if row["status"] == "disabled"}
    assert off == {"slow", "recipes"}


def test_an_ambiguous_name_is_an_error_only_where_it_is_used(run: Run) -> None:
    switches = {"COLDDIFF_PLUGINS": "twin-one,twin-two"}
    done = run("export", "m", **switches)
    assert "ambiguous" not in done.stderr
    done = run("train", "mnist-demo", "-o", "m", "--set", "sampler.name=twin", **switches)
    assert done.returncode == 2
    assert "write twin@twin-one (3.1) or twin@twin-two (3.1)" in done.stderr


def test_strict_shows_the_traceback_of_the_plugin(run: Run) -> None:
    done = run("plugins", "list", COLDDIFF_PLUGINS="import-error", COLDDIFF_PLUGINS_STRICT="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "while loading the plugin import-error of import-error 3.1" in done.stderr
    done = run("plugins", "list", COLDDIFF_PLUGINS="exits", COLDDIFF_PLUGINS_STRICT="1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "colddiff: error: exits 3.1: SystemExit: 3"


def test_tracing_tells_imports_and_calls_on_stderr(run: Run) -> None:
    done = run("plugins", "list", "--json", COLDDIFF_PLUGINS="prints", COLDDIFF_TRACE_PLUGINS="1")
    assert listed(done)
    lines = [line for line in done.stderr.splitlines() if line.startswith("colddiff: plugins: ")]
    assert any("entry points in" in line for line in lines)
    assert any("prints 3.1, prints: imported in" in line for line in lines)
    assert any(line.endswith("prints 3.1: colddiff_samplers") for line in lines)
    assert any("slow 3.1, slow: disabled" in line for line in lines)


def test_info_tells_why(run: Run) -> None:
    done = run("plugins", "info", "no-target", COLDDIFF_PLUGINS="no-target")
    assert done.returncode == 0
    assert "no_target has no Missing" in done.stdout
    done = run("plugins", "info", "futurist", COLDDIFF_PLUGINS="futurist")
    assert "requires colddiff>=99" in done.stdout
    assert "upgrade colddiff" in done.stdout


def test_a_hundred_plugins_load_no_torch(tmp_path: Path) -> None:
    for k in range(100):
        source = FOG.format(name=f"fog-{k}", module=f"fog_{k}") + "\nclass Fog(Degradation): ...\n"
        install(tmp_path, f"fog-{k}", source.replace("Component, Degradation, ", "Component, "))
    probe = (
        "import sys\nsys.argv = ['colddiff', 'plugins', 'list']\n"
        "from colddiff_cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print(sorted({'torch', 'numpy', 'PIL', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env=environment(tmp_path, COLUMNS="200"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert sum(line.startswith("fog-") for line in done.stdout.splitlines()) == 100
