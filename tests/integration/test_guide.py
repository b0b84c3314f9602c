"""The authors' guide: its tables are complete, and its commands do what it says."""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import ROOT
from distributions import environment
from PIL import Image

from colddiff_core.registry.hookspecs import HOOKS, KINDS
from colddiff_core.registry.switches import DISABLED, ONLY, STRICT, TRACE
from colddiff_core.testing import checks

GUIDE = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
ROAD, LOOK, _ = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)

CHECK_AND_TEST = """
import sys
import pytest
from colddiff_cli.main import main
sys.argv = ["colddiff", "plugins", "check", "."]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider"]))
"""


def run(command: str, folder: Path, environ: Mapping[str, str]) -> str:
    words = shlex.split(command)
    if words[0] == "colddiff":
        words[:1] = [sys.executable, "-m", "colddiff_cli"]
    expanded = [
        name
        for word in words
        for name in (
            sorted(str(match.relative_to(folder)) for match in folder.glob(word))
            if "*" in word
            else [word]
        )
    ]
    done = subprocess.run(
        expanded, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_six_commands_from_an_idea_to_a_restored_picture(tmp_path: Path) -> None:
    commands = ROAD.splitlines()
    assert len(commands) == 6
    site = tmp_path / "site"
    # What pip installs here must not stay: into a folder of its own, and without an index
    install = f"-m pip install -q --no-deps --no-index --no-build-isolation --target {site}"
    environ = environment(site)
    (tmp_path / "digits").mkdir()
    for k in range(2):
        Image.linear_gradient("L").resize((32, 32)).rotate(90 * k).save(
            tmp_path / f"digits/{k}.png"
        )
    Image.linear_gradient("L").save(tmp_path / "picture.png")
    for command in [*commands, LOOK]:
        if command.startswith("pip install"):
            command = command.replace("pip install -e ", f"{sys.executable} {install} ./")
        if command.startswith("colddiff train"):
            small = ["train.steps=2", "train.batch_size=2", "train.sample_every=0"]
            small += ["restorer.channels=8", "restorer.multipliers=[1]", "degradation.num_steps=4"]
            command += "".join(f" --set {shlex.quote(setting)}" for setting in small)
        run(command, tmp_path, environ)
    for made in ("unveiled/model.safetensors", "unveiled.onnx", "restored/1.png", "strip.png"):
        assert (tmp_path / made).is_file()


def test_every_hook_is_listed_with_its_arguments() -> None:
    rows = re.findall(r"^\| `(colddiff_\w+)` \| (.*?)\|", GUIDE, re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", taken)) for name, taken in rows} == HOOKS


def test_every_check_is_listed() -> None:
    listed, kinds = {}, {"every kind", *KINDS}
    for title, table in re.findall(
        r"^\| ([\w ]+) \| what it demands \|\n((?:\|.*\n)+)", GUIDE, re.M
    ):
        listed[title] = set(re.findall(r"^\| (?:\*\*)?`(\w+)`(?:\*\*)? \|", table, re.M))
    assert listed.keys() == kinds
    for kind in KINDS:
        assert listed["every kind"] | listed[kind] == {check.name for check in checks(kind)}


def test_every_switch_is_explained() -> None:
    for name in (ONLY, DISABLED, STRICT, TRACE, "--no-plugins"):
        assert name in GUIDE


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", GUIDE):
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.xdist_group(f"scaffold {kind}")) for kind in KINDS],
)
def test_each_kind_starts_with_a_package_that_keeps_its_promises(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / f"colddiff-my-{kind}"
    site = tmp_path / "site"
    environ = environment(site)
    run(f"colddiff plugins new my-{kind} --kind {kind}", tmp_path, environ)
    options = f"-q --no-deps --no-index --no-build-isolation --target {site}"
    run(f"{sys.executable} -m pip install {options} {folder}", tmp_path, environ)
    # In one process, since what exports loads for seconds
    run(f"{sys.executable} -c {shlex.quote(CHECK_AND_TEST)}", folder, environ)
    if kind != "exporter":
        assert f"my-{kind}-demo" in run("colddiff recipes list", tmp_path, environ)
