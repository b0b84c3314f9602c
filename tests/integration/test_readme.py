"""What the README says to type works."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image

from colddiff_cli.main import main
from colddiff_core.pictures.reading import read_image
from colddiff_core.registry.components import registry

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [
    line
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("colddiff ") and "fade" not in line
]


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has at hand: the checkout's picture, what the demo leaves, and pairs."""
    folder = tmp_path_factory.mktemp("tour")
    shutil.copytree(ROOT / "docs", folder / "docs")
    for name in ("original", "degraded"):
        (folder / "colddiff-demo" / name).mkdir(parents=True)
        for k in range(2):
            Image.new("L", (32, 32), 50 * k).save(folder / f"colddiff-demo/{name}/{k}.png")
    for name in ("clean", "degraded"):
        (folder / "rain" / name).mkdir(parents=True)
        for k in range(3):
            Image.new("RGB", (150, 140), (50 * k, 90, 20)).save(folder / f"rain/{name}/{k}.png")
    return folder


def run(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command)
    expanded = [
        str(match.relative_to(folder))
        for word in words
        for match in (sorted(folder.glob(word)) if "*" in word else [folder / word])
    ]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", expanded)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code, command


def test_the_tour_runs_in_order(tour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(COMMANDS) >= 7
    for command in COMMANDS:
        if command.startswith("colddiff train"):  # the same, on fewer steps and pixels
            command += " --set train.steps=2 --set restorer.channels=8 --set data.image_size=32"
        if command.startswith("colddiff reproduce"):
            command += " --budget 2 --images 4 --set restorer.channels=8"
        command = command.replace("--images 200", "--images 12")
        if command.startswith("colddiff generate"):
            command += " --steps 2"
        run(command, tour, monkeypatch)
    for name in (
        "snow.gif",
        "restored/0.png",
        "compared/1.png",
        "dried/2.png",
        "grid.png",
        "digits.onnx",
        "digits.json",
        "reproduced/table1/report.html",
    ):
        assert (tour / name).is_file()
    for snippet in blocks("python"):
        if snippet.startswith("# colddiff_fade"):
            continue
        done = subprocess.run(
            [sys.executable, "-c", snippet], cwd=tour, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_recipe_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = (block for block in blocks("toml") if block.startswith("# faces.toml"))
    (tmp_path / "faces.toml").write_text(text)
    (tmp_path / "pictures/faces").mkdir(parents=True)
    for k in range(3):
        Image.new("RGB", (70, 80), (k, 0, 0)).save(tmp_path / f"pictures/faces/{k}.png")
    small = " ".join(f"--set train.{key}" for key in ("steps=1", "batch_size=2", "sample_every=0"))
    run(f"colddiff train faces.toml {small}", tmp_path, monkeypatch)
    assert (tmp_path / "runs/faces/model.safetensors").is_file()


def test_the_plugin_works_like_a_builtin(tmp_path: Path) -> None:
    for block in blocks("python"):
        if block.startswith("# colddiff_fade"):
            path = tmp_path / block.splitlines()[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(block)
    (project,) = (block for block in blocks("toml") if "[build-system]" in block)
    entry = re.search(r"\[project.entry-points.colddiff\]\n(.*)\n", project)
    assert entry is not None
    info = tmp_path / "colddiff_fade-1.0.dist-info"  # what installing it leaves
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: colddiff-fade\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[colddiff]\n{entry.group(1).replace(chr(34), '')}\n")
    Image.new("L", (16, 16), 200).save(tmp_path / "x.png")
    (command,) = (x for block in blocks("sh") for x in block.splitlines() if "degrade fade" in x)
    words = shlex.split(command.replace("docs/demo.png", "x.png"))[1:]
    for arguments in (["plugins", "list"], words):
        done = subprocess.run(
            [sys.executable, "-m", "colddiff_cli", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if arguments[0] == "plugins":
            assert re.search(r"fade +degradation +active +colddiff-fade +1\.0", done.stdout)
    assert read_image(tmp_path / "fade.png").shape == (16, 6 * 16 + 5 * 2, 1)


def test_the_readme_names_real_things() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    for name in re.findall(r'name = "([a-z-]+)"', README):
        kinds = ("degradation", "dataset", "restorer")
        assert name == "colddiff-fade" or any(known(kind, name) for kind in kinds), name


def known(kind: str, name: str) -> bool:
    return any(item.name == name for item in registry().components(kind))
